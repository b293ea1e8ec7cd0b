"""How long work reports itself: progress and stage timings, without printing.

The library never prints. Work that may take longer than two seconds takes a :class:`Progress`;
the command line passes one that draws bars, tests and servers pass :data:`SILENT`.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@runtime_checkable  # so that a test run can check who passes one
class Progress(Protocol):
    """Where long work says how far it is."""

    def start(self, task: str, total: int | None, unit: str = "rows") -> None:
        """Begin a task; ``total`` is None when the amount is unknown."""
        ...

    def advance(self, amount: int = 1) -> None:
        """Some of the current task is done."""
        ...

    def finish(self, note: str = "") -> None:
        """The current task is done; the note is shown beside it."""
        ...


class SilentProgress:
    """A progress that shows nothing."""

    def start(self, task: str, total: int | None, unit: str = "rows") -> None:
        """Nothing is shown."""

    def advance(self, amount: int = 1) -> None:
        """Nothing is shown."""

    def finish(self, note: str = "") -> None:
        """Nothing is shown."""


SILENT: Progress = SilentProgress()


@dataclass
class Cost:
    """What a block of work took. Filled when the block ends."""

    wall_s: float = 0.0
    """Seconds on the wall clock."""
    cpu_s: float = 0.0
    """CPU-seconds of this process, all threads."""
    peak_mb: float = 0.0
    """Highest resident set of the process so far, in MB."""


@contextmanager
def measured() -> Iterator[Cost]:
    """Measure the CPU and wall seconds of a block, and the process's peak memory.

    Example:
        >>> with measured() as cost:
        ...     _ = sum(range(1000))
        >>> cost.wall_s >= 0
        True
    """
    cost = Cost()
    wall, cpu = time.perf_counter(), time.process_time()
    try:
        yield cost
    finally:
        cost.wall_s = time.perf_counter() - wall
        cost.cpu_s = time.process_time() - cpu
        cost.peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
