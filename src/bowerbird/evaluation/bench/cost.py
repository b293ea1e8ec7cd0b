"""What one row of a table cost: CPU-seconds, and the memory peak of this row alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bowerbird.telemetry import Cost, measured

__all__ = ["row_cost"]

_RESET = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")


@contextmanager
def row_cost(reset: Path = _RESET, status: Path = _STATUS) -> Iterator[Cost]:
    """Measure a block like :func:`~bowerbird.telemetry.measured`, with the peak of this block only.

    A process's peak never falls, so a later row would inherit the hungriest earlier one. Linux lets a
    process reset its own peak; elsewhere the peak of the whole process so far is reported.

    Args:
        reset: where Linux takes the order to reset the peak.
        status: where Linux tells the peak.
    """
    was_reset = _reset_peak(reset)
    with measured() as cost:
        yield cost
    if was_reset:
        cost.peak_mb = _peak_mb(status)


def _reset_peak(reset: Path) -> bool:
    try:
        reset.write_text("5")
    except OSError:
        return False
    return True


def _peak_mb(status: Path) -> float:
    lines = status.read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))
