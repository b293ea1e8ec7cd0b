"""Progress in the terminal: a bar on stderr for work that lasts, nothing when stderr is a file."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

__all__ = ["TerminalProgress"]


class TerminalProgress:
    """One task at a time, as :class:`bowerbird.telemetry.Progress` asks; bars vanish when done."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._bars: Progress | None = None
        self._task = TaskID(0)

    def start(self, task: str, total: int | None, unit: str = "rows") -> None:
        """Show a bar; an unfinished one before it is closed."""
        self.finish()
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn(unit))
        self._bars = Progress(
            *columns,
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._bars.start()
        self._task = self._bars.add_task(task, total=total)

    def advance(self, amount: int = 1) -> None:
        """Move the bar."""
        if self._bars is not None:
            self._bars.advance(self._task, amount)

    def finish(self, note: str = "") -> None:
        """Take the bar away; the note stays."""
        if self._bars is None:
            return
        self._bars.stop()
        self._bars = None
        if note and self._console.is_terminal:
            self._console.print(note)
