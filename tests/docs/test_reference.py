"""The generated reference holds every error, every settings field, every command."""

from __future__ import annotations

import importlib.util
import sys

import pytest

from bowerbird import errors


@pytest.fixture(scope="module")
def reference(repository):
    """The generator of the reference pages, loaded from docs/ as mkdocs loads it."""
    pytest.importorskip("mkdocs")
    spec = importlib.util.spec_from_file_location(
        "reference_pages", repository / "docs" / "reference_pages.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


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


def test_sphinx_roles_of_docstrings_are_not_shown(reference):
    assert reference.on_page_content("<p>See :func:<code>open</code></p><p>::</p>") == (
        "<p>See <code>open</code></p>"
    )
