"""Runs by itself (see test_backfill.py): a backfill that is killed at a named place."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from bowerbird.stores import registry
from bowerbird.telemetry import SilentProgress
from bowerbird.workspace import Workspace


def killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class KilledAtStep(SilentProgress):
    """Ends the process when a step begins."""

    def __init__(self, step: str) -> None:
        self._step = step

    def start(self, task: str, total: int | None, unit: str = "rows") -> None:
        if task == self._step:
            killed()


write = registry.write_atomically


def killed_before(path: Path, data: bytes) -> None:
    if path.name == "registry.json":
        killed()
    write(path, data)


def killed_after(path: Path, data: bytes) -> None:
    write(path, data)
    if path.name == "registry.json":
        killed()


if __name__ == "__main__":
    place = sys.argv[2]
    registry.write_atomically = {"before the switch": killed_before, "after the switch": killed_after}.get(
        place, write
    )
    Workspace.open(sys.argv[1]).backfill("text_vector", KilledAtStep(place))
