"""How commands show things: progress bars, tables, JSON."""

from __future__ import annotations

import dataclasses
import json
import math
import sys
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.progress import TimeRemainingColumn as TimeLeftColumn

console = Console()
errors = Console(stderr=True)


class BarProgress:
    """Progress bars on standard error; where that is no terminal, one line per finished task."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._live = errors.is_terminal and not quiet
        self._quiet = quiet
        self._bars: list[tuple[Progress, Any, str]] = []

    def start(self, task: str, total: int | None, unit: str = "rows") -> None:
        """Show a bar; tasks may nest."""
        bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn() if total is not None else TextColumn("{task.completed:,.0f}"),
            TextColumn(unit),
            TimeElapsedColumn(),
            TimeLeftColumn(),
            console=errors,
            transient=True,
            disable=not self._live or bool(self._bars),
        )
        bar.start()
        self._bars.append((bar, bar.add_task(task, total=total), task))

    def advance(self, amount: int = 1) -> None:
        """Move the innermost bar."""
        if self._bars:
            bar, task, _ = self._bars[-1]
            bar.advance(task, amount)

    def finish(self, note: str = "") -> None:
        """Close the innermost bar."""
        bar, _, name = self._bars.pop()
        bar.stop()
        if note and not self._quiet:
            errors.print(f"  {name}: {note}", highlight=False)


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
