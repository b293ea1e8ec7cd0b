"""Killed anywhere, or out of disk: what was acknowledged is there, once, and the next run carries on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

MOST_SITES = 1000 if os.environ.get("HYPOTHESIS_PROFILE") == "search" else 12
"""The search profile kills at every place that touches the disk (about 80 per scenario; minutes)."""

SCRIPT = Path(__file__).with_name("killed_stores.py")


def problems(repository: Path, folder: Path, scenario: str, *arguments: str) -> list[str]:
    ended = subprocess.run(
        [sys.executable, str(SCRIPT), scenario, str(folder), *arguments],
        env={**os.environ, "PYTHONPATH": str(repository / "src"), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


@pytest.fixture
def folder() -> Iterator[Path]:
    """In memory where the system has such a place: these tests flush hundreds of times."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as made:
        yield Path(made)


@pytest.mark.slow
@pytest.mark.parametrize("scenario", ["events", "catalogue", "build"])
def test_a_writer_killed_anywhere_loses_nothing_it_acknowledged(repository, folder, scenario):
    assert problems(repository, folder, scenario, str(MOST_SITES)) == []


@pytest.mark.slow
def test_a_full_disk_raises_and_leaves_every_store_as_it_was(repository, folder):
    assert problems(repository, folder, "full") == []
