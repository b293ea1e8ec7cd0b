"""How commands show things: progress bars, tables, JSON."""

from __future__ import annotations

import dataclasses
import json
import math
import sys
import unicodedata
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

TURNS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Marks that turn the direction of what follows them."""

console = Console(markup=False, emoji=False)  # titles and ids hold brackets and colons that mean themselves
errors = Console(stderr=True, markup=False, emoji=False)


def visible(text: str) -> str:
    """A title or an id without characters that steer a terminal or turn the direction of its line.

    Example:
        >>> visible("lamp" + chr(27) + "[2J") == "lamp" + chr(0xFFFD) + "[2J"
        True
    """
    return "".join(
        "\ufffd" if unicodedata.category(one) in ("Cc", "Cs") or one in TURNS else one for one in text
    )


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
