"""Options that several commands share, and how a command finds its workspace."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from bowerbird.workspace import Workspace

WorkspaceOption = Annotated[
    Path | None,
    typer.Option(
        "--workspace",
        "-w",
        help="Workspace directory. Default: $BOWERBIRD_WORKSPACE, else this directory, else ./demo.",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", help="Override a setting: section.field=value. Repeatable.", show_default=False),
]

YEAR_10000_US = 253_402_300_800_000_000
"""No time an option gives is at or after it."""


def workspace_directory(given: Path | None) -> Path:
    """The directory a command works in."""
    if given is not None:
        return given
    named = os.environ.get("BOWERBIRD_WORKSPACE")
    if named:
        return Path(named)
    if not Path("bowerbird.toml").exists() and Path("demo/bowerbird.toml").exists():
        return Path("demo")
    return Path()


def opened(given: Path | None, overrides: list[str] | None = None) -> Workspace:
    """The workspace a command works in, opened.

    Raises:
        NotFoundError: there is none.
    """
    from bowerbird.workspace import Workspace

    return Workspace.open(workspace_directory(given), overrides or ())


def names_between_commas(text: str) -> list[str]:
    """The names an option gave.

    Example:
        >>> names_between_commas("colour, kind,")
        ['colour', 'kind']
    """
    return [name.strip() for name in text.split(",") if name.strip()]


def time_or_none(text: str | None) -> int | None:
    """A time an option gave, in microseconds.

    Raises:
        InputError: it is not understood, before 1970 or after the year 9999.
    """
    from bowerbird.clock import parse_time
    from bowerbird.errors import InputError

    if text is None:
        return None
    at = parse_time(text)
    if not 0 <= at < YEAR_10000_US:
        raise InputError(f"time {text[:40]!r} is not between the years 1970 and 9999")
    return at
