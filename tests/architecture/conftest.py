"""The package's source, parsed once."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Module:
    """One source file."""

    path: Path
    """Relative to src/bowerbird, e.g. ``records/item.py``."""
    text: str = field(repr=False)
    tree: ast.Module = field(repr=False)

    @property
    def layer(self) -> str:
        """The top folder or module: ``records`` of ``records/item.py``, ``clock`` of ``clock.py``."""
        return self.path.parts[0].removesuffix(".py")


@pytest.fixture(scope="session")
def modules(repository: Path) -> list[Module]:
    """Every module of the package."""
    package = repository / "src" / "bowerbird"
    found = []
    for path in sorted(package.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        found.append(Module(path.relative_to(package), text, ast.parse(text)))
    assert len(found) > 5
    return found
