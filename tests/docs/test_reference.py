"""The generated reference holds every error, every settings field, every command."""

from __future__ import annotations

import importlib.util
import sys

import pytest

from bowerbird import errors


def loaded(path):
    """A module of docs/, which is no package, loaded as mkdocs loads it."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def reference(repository):
    pytest.importorskip("mkdocs")
    return loaded(repository / "docs" / "reference_pages.py")


def test_every_error_has_a_row_with_its_meaning(reference):
    page = reference.errors_page()
    names = [
        name
        for name, thing in vars(errors).items()
        if isinstance(thing, type) and issubclass(thing, Exception)
    ]
    assert [name for name in names if f"| `{name}` |" not in page] == []
    assert [row for row in page.splitlines() if row.endswith("|  |")] == []


def test_every_settings_field_has_a_meaning(reference):
    rows = [row for row in reference.settings_page().splitlines() if row.startswith("| `")]
    assert [row for row in rows if row.endswith("|  |")] == []


def test_every_package_has_a_page(reference, repository):
    titles = {title for title, _, _ in reference.module_pages()}
    package = repository / "src" / "bowerbird"
    assert {path.stem for path in package.iterdir() if not path.name.startswith("_")} == titles


def test_every_command_option_has_a_meaning(reference):
    pytest.importorskip("bowerbird.cli", reason="the command line does not exist yet")
    rows = [row for row in reference.commands_page().splitlines() if row.startswith("| `")]
    assert rows
    assert [row for row in rows if row.endswith("|  |")] == []


def test_docstrings_written_for_help_become_markdown(repository):
    pytest.importorskip("griffe")
    docstrings = loaded(repository / "docs" / "docstrings.py")
    assert docstrings.as_markdown("See :func:`~a.open`, e.g.::\n\n    x\n\nExample:\n    >>> 1\n    1") == (
        "See `a.open`, e.g.:\n\n    x\n\nExamples:\n    >>> 1\n    1"
    )
