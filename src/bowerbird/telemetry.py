"""How long work reports itself, and what it may take: progress, timings, memory; without printing.

The library never prints. Work that may take longer than two seconds takes a :class:`Progress`;
the command line passes one that draws bars, tests and servers pass :data:`SILENT`.
"""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from bowerbird.errors import TooLargeError


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


def memory_available(proc: Path = Path("/proc"), groups: Path = Path("/sys/fs/cgroup")) -> int:
    """Bytes this process could still get: what the machine has free, or less where a container's limit is nearer.

    A machine's free memory says nothing inside a container that may have two of its sixty-four GB. Where the system
    tells neither, all physical memory.

    Args:
        proc: what the kernel tells of the machine and of this process.
        groups: limits of control groups, version 2 or 1.
    """
    found = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for line in _lines(proc / "meminfo"):
        if line.startswith("MemAvailable:"):
            found = int(line.split()[1]) * 1024
    for line in _lines(proc / "self" / "cgroup"):
        _, controllers, path = line.split(":", 2)
        if controllers in ("", "memory"):
            root = groups / controllers
            folder = root / path.lstrip("/")
            inside = [one for one in (folder, *folder.parents) if one.is_relative_to(root)]
            found = min([found, *map(_left_in, inside)])
    return max(found, 0)


def require_memory(
    what: str,
    parts: Mapping[str, tuple[float, str]],
    available: Callable[[], int] | None = None,
) -> None:
    """Say before the start that work will not fit into memory, and what to lower.

    Args:
        what: the work; begins the message.
        parts: what memory is for, with its bytes and the advice should it be the largest of them.
        available: bytes that are free; :func:`memory_available` when None.

    Raises:
        TooLargeError: the sum is above what is available.
    """
    needed = sum(size for size, _ in parts.values())
    free = (available or memory_available)()
    if needed <= free:
        return
    name = max(parts, key=lambda part: parts[part][0])
    size, advice = parts[name]
    raise TooLargeError(
        f"{what}: about {needed / 1e9:.1f} GB are needed, {size / 1e9:.1f} of them for {name}; "
        f"{free / 1e9:.1f} GB are available: {advice}"
    )


def _left_in(group: Path) -> int:
    """What a control group's limit leaves; files the kernel only keeps for speed count as free."""
    for limit, usage, kept in (
        ("memory.max", "memory.current", "inactive_file"),
        ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        most, used = _lines(group / limit), _lines(group / usage)
        if most and used and most[0].isdigit():
            stat = dict(line.split() for line in _lines(group / "memory.stat"))
            return int(most[0]) - int(used[0]) + int(stat.get(kept, 0))
    return 1 << 62


def _lines(file: Path) -> list[str]:
    """The lines of a file; none where it cannot be read."""
    with suppress(OSError):
        return file.read_text(encoding="utf-8").splitlines()
    return []
