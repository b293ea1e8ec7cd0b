"""How commands show things: progress bars, tables, JSON."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import sys
import time
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.progress import TimeRemainingColumn as TimeLeftColumn

TURNS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Marks that turn the direction of what follows them."""

SLOW_S = 2.0
"""Work that takes as long says at its end how fast it went."""
TOLD_EVERY_S = 30.0
"""Seconds between lines where no terminal shows bars."""

NO_TERMINAL_WIDTH = 240
"""Columns of a table that goes into a file or a pipe."""


class Output(Console):
    """As wide as its terminal, or as COLUMNS says; a file or a pipe has no width, so tables in it are not cut at 80."""

    @property
    def limit(self) -> int | None:
        """Characters a line may have, asked anew each time; None where there is no limit."""
        if self.is_terminal:
            return super().width
        said = os.environ.get("COLUMNS", "")
        return int(said) if said.isdigit() else None

    def print(self, *objects: Any, **options: Any) -> None:
        """Print within the limit."""
        if not self.is_terminal:
            self.width = self.limit or NO_TERMINAL_WIDTH
        super().print(*objects, **options)


# titles and ids hold brackets and colons that mean themselves
console = Output(markup=False, emoji=False)
errors = Output(stderr=True, markup=False, emoji=False)


def visible(text: str) -> str:
    """A title or an id without characters that steer a terminal or turn the direction of its line.

    Example:
        >>> visible("lamp" + chr(27) + "[2J") == "lamp" + chr(0xFFFD) + "[2J"
        True
    """
    return "".join(
        "\ufffd" if unicodedata.category(one) in ("Cc", "Cs") or one in TURNS else one for one in text
    )


@dataclass
class _Task:
    """A task under way, for :class:`BarProgress`."""

    name: str
    total: int | None
    unit: str
    bar: Progress
    row: TaskID
    began_s: float
    told_s: float
    done: int = 0

    def rate(self, now_s: float) -> str:
        """How fast it goes, in words; empty before anything is done."""
        if not self.done:
            return ""
        each_s = max(now_s - self.began_s, 1e-9) / self.done
        return f"{1 / each_s:,.0f} a second" if each_s <= 1 else f"{each_s:,.1f} s each"

    def so_far(self, now_s: float) -> str:
        """How far it is, how fast it goes and what is left, as a line of a log."""
        of = f" of {self.total:,}" if self.total is not None else ""
        left_s = (
            (now_s - self.began_s) * (self.total - self.done) / self.done if self.total and self.done else -1
        )
        left = f", {left_s:,.0f} s left" if left_s >= 0 else ""
        return f"{self.done:,}{of} {self.unit}, {self.rate(now_s)}{left}"


class BarProgress:
    """Progress bars on standard error; where that is no terminal, a line every half minute.

    Work of two seconds and more ends in a line that says how much was done and how fast.

    Args:
        quiet: show nothing.
        seconds: the clock; a test may pass its own.
    """

    def __init__(self, *, quiet: bool = False, seconds: Callable[[], float] = time.monotonic) -> None:
        self._live = errors.is_terminal and not quiet
        self._quiet = quiet
        self._seconds = seconds
        self._tasks: list[_Task] = []

    def start(self, task: str, total: int | None, unit: str = "rows") -> None:
        """Show a bar; tasks may nest."""
        bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn() if total is not None else TextColumn("{task.completed:,.0f}"),
            TextColumn(unit),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TimeLeftColumn(),
            console=errors,
            transient=True,
            disable=not self._live or bool(self._tasks),
        )
        bar.start()
        now = self._seconds()
        self._tasks.append(_Task(task, total, unit, bar, bar.add_task(task, total=total, rate=""), now, now))

    def advance(self, amount: int = 1) -> None:
        """Move the innermost bar."""
        if not self._tasks:
            return
        task, now = self._tasks[-1], self._seconds()
        task.done += amount
        task.bar.update(task.row, advance=amount, rate=task.rate(now))
        if not self._live and not self._quiet and now - task.told_s >= TOLD_EVERY_S:
            task.told_s = now
            errors.print(f"  {task.name}: {task.so_far(now)}", highlight=False)

    def finish(self, note: str = "") -> None:
        """Close the innermost bar."""
        task, now = self._tasks.pop(), self._seconds()
        task.bar.stop()
        took = now - task.began_s
        if task.done and took >= SLOW_S:
            done = f"{task.done:,} {task.unit} in {took:,.0f} s, {task.rate(now)}"
            note = f"{note}; {done}" if note else done
        if note and not self._quiet:
            errors.print(f"  {task.name}: {note}", highlight=False)


def plain(value: Any) -> Any:
    """Records, arrays and paths as what JSON can hold."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if isinstance(value, float) and math.isnan(value):
        return None
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)


def print_json(value: Any) -> None:
    """A value as JSON on standard output."""
    sys.stdout.write(json.dumps(plain(value), ensure_ascii=False, indent=1) + "\n")
