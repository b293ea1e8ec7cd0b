"""Every command typed on a page can be typed: the command is there, and so is each of its options."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

from bowerbird.cli.app import app

CODE = re.compile(
    r"^```(?:sh|bash)\n(.*?)^```|^((?: {4}.*\n)+)|`(bowerbird [^`\n]+)`", re.DOTALL | re.MULTILINE
)
SHOWN = {"...", "…"}
"""What stands for the rest of a command."""


def typed(text: str) -> Iterator[list[str]]:
    """The commands of a page's blocks and sentences, cut into words."""
    for block, indented, inline in CODE.findall(text):
        for line in (block or indented or inline).replace("\\\n", " ").splitlines():
            for part in re.split(r"&&|;|\|(?!\|)", line.partition(" #")[0]):
                if re.match(r"\s*(\S*/)?bowerbird\s", part):
                    yield shlex.split(part.replace("…", "..."))[1:]


@cache
def tree() -> Any:
    return typer.main.get_command(app)


def refused(words: list[str]) -> str | None:
    """What of a command is not there; None where all of it is."""
    command = tree()
    known = {one for parameter in command.params for one in parameter.opts} | {"--help"}
    for word in words:
        if hasattr(command, "commands") and not word.startswith("-"):
            alternatives = [one for one in re.split(r"\s*\|\s*", word) if one not in SHOWN]
            if word.isupper():
                return None  # stands for any of them
            if any(one not in command.commands for one in alternatives):
                return f"no command {word!r} in {command.name}"
            if alternatives:
                command = command.commands[alternatives[0]]
                known |= {
                    one
                    for parameter in command.params
                    for one in (*parameter.opts, *parameter.secondary_opts)
                }
        elif re.match(r"--?[a-z]", word) and word.partition("=")[0] not in known:
            return f"no option {word!r} of {command.name}"
    return None


def pages(root: Path) -> list[Path]:
    found = [*root.joinpath("docs").rglob("*.md"), root / "README.md", root / "CONTRIBUTING.md"]
    return sorted(one for one in found if one.name != "log.md")


def test_every_typed_command_exists_with_its_options(repository: Path):
    wrong = [
        f"{page.relative_to(repository)}: bowerbird {' '.join(words)}: {why}"
        for page in pages(repository)
        for words in typed(page.read_text(encoding="utf-8"))
        if (why := refused(words)) is not None
    ]
    assert wrong == []


def test_enough_is_typed_to_make_that_worth_something(repository: Path):
    assert sum(1 for page in pages(repository) for _ in typed(page.read_text(encoding="utf-8"))) > 80


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("bowerbird ask homefeed --user u1 --explain", None),
        ("bowerbird ask homefead", "no command 'homefead' in ask"),
        ("bowerbird build --forever", "no option '--forever' of build"),
    ],
)
def test_what_is_not_there_is_found(line: str, why: str | None):
    assert refused(shlex.split(line)[1:]) == why
