"""MkDocs hook: writes the reference from the source, so that it cannot be out of date.

Read statically (``ast``): building the documentation imports nothing heavy. Only the list of commands
asks the program itself.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

PACKAGE = Path(__file__).resolve().parent.parent / "src" / "bowerbird"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Adds the generated pages to the navigation."""
    modules = [{title: uri} for title, uri, _ in module_pages()]
    pages: list[Any] = [{title: uri} for title, uri, _ in list_pages()]
    config.nav = [*(config.nav or []), {"Reference": [*pages, {"Modules": modules}]}]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the generated pages themselves."""
    for _, uri, text in [*list_pages(), *module_pages()]:
        files.append(File.generated(config, uri, content=text))
    return files


def list_pages() -> list[tuple[str, str, str]]:
    """Title, place and text of the pages that list one kind of thing."""
    pages = [
        ("Errors", "reference/errors.md", errors_page()),
        ("Settings", "reference/settings.md", settings_page()),
    ]
    if (PACKAGE / "cli").is_dir():
        pages.insert(0, ("Commands", "reference/commands.md", commands_page()))
    return pages


def module_pages() -> list[tuple[str, str, str]]:
    """A page for each sub-package, and one for each module of the root."""
    pages = []
    for path in sorted(PACKAGE.iterdir()):
        name = path.name.removesuffix(".py")
        if path.suffix == ".py" and not name.startswith("__"):
            modules = [f"bowerbird.{name}"]
        elif (path / "__init__.py").is_file():
            parts = [p.relative_to(PACKAGE.parent).with_suffix("").parts for p in sorted(path.rglob("*.py"))]
            modules = [".".join(p).removesuffix(".__init__") for p in parts if not p[-1].startswith("_main")]
        else:
            continue
        # a package's page shows what its own modules define; re-exports would stand there twice
        text = f"# {name}\n\n" + "\n\n".join(directive(module) for module in modules) + "\n"
        pages.append((name, f"reference/modules/{name}.md", text))
    return pages


def directive(module: str) -> str:
    """The mkdocstrings line of a module; a package shows its docstring only."""
    folder = PACKAGE.parent.joinpath(*module.split("."))
    return f"::: {module}" + ("\n    options:\n      members: false" if folder.is_dir() else "")


def classes() -> list[tuple[str, ast.ClassDef]]:
    """Every class of the package with the dotted name of its module."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        module = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found += [(module, node) for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    return found


def errors_page() -> str:
    """The tree of errors."""
    tree = ast.parse((PACKAGE / "errors.py").read_text(encoding="utf-8"))
    rows = ["| error | also a | when |", "|---|---|---|"]
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            builtin = ", ".join(
                f"`{ast.unparse(base)}`" for base in node.bases if ast.unparse(base) != "BowerbirdError"
            )
            rows.append(f"| `{node.name}` | {builtin} | {cell(ast.get_docstring(node))} |")
    head = (
        "# Errors\n\nEverything Bowerbird raises on purpose. Each error is also the builtin a caller expects, so "
        "`except ValueError` works too. A message says where, what was found, what was expected and what to do; on "
        "the command line it is the last line on standard error, and the exit code is 1 (2 for bad usage).\n\n"
    )
    return head + "\n".join(rows) + "\n"


def settings_page() -> str:
    """Every settings class: field, type, default, meaning."""
    parts = [
        (
            "# Settings\n\nTyped, frozen; an unknown field is an error that names the closest known one. "
            "Defaults < `bowerbird.toml` < `--set section.field=value`.\n"
        )
    ]
    found = [(m, c) for m, c in classes() if any(ast.unparse(base).endswith("Settings") for base in c.bases)]
    sections = {c.name: cell(ast.get_docstring(c)) for _, c in found}
    for module, node in found:
        parts.append(f"## {node.name}\n\n`{module}`: {sections[node.name]}\n")
        rows = [
            # a field that is itself a section of settings means what the section means
            f"| `{name}` | `{cell(kind)}` | {default} | {meaning or sections.get(kind, '')} |"
            for name, kind, default, meaning in fields(node)
        ]
        parts.append("\n".join(["| field | type | default | meaning |", "|---|---|---|---|", *rows]) + "\n")
    return "\n".join(parts)


def fields(node: ast.ClassDef) -> list[tuple[str, str, str, str]]:
    """Name, type, default and docstring of a settings class's fields."""
    found = []
    following = [*node.body[1:], None]
    for statement, after in zip(node.body, following, strict=True):
        if not isinstance(statement, ast.AnnAssign):
            continue
        meaning = ""
        if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            meaning = cell(str(after.value.value), whole=True)
        default = f"`{cell(ast.unparse(statement.value))}`" if statement.value else "required"
        found.append((ast.unparse(statement.target), ast.unparse(statement.annotation), default, meaning))
    return found


def commands_page() -> str:
    """The help of every command, as the program prints it."""
    import click
    from typer.main import get_command

    from bowerbird.cli.app import app

    parts = [
        "# Commands\n\nWhat `--help` says, for every command. Exit codes: 0, 1 (failed), 2 (bad usage).\n"
    ]

    def visit(command: click.Command, name: str) -> None:
        rows = ["| argument or option | default | meaning |", "|---|---|---|"]
        with click.Context(command, info_name=name) as context:
            for parameter in command.get_params(context):
                names = ", ".join(f"`{option}`" for option in parameter.opts)
                default = "" if parameter.default in (None, False, ()) else f"`{parameter.default}`"
                rows.append(
                    f"| {names} | {cell(default)} | {cell(getattr(parameter, 'help', '') or '', whole=True)} |"
                )
        parts.append(f"## {name}\n\n{(command.help or '').strip()}\n")
        parts.append("\n".join(rows) + "\n")
        for child in getattr(command, "commands", {}).values():
            visit(child, f"{name} {child.name}")

    visit(get_command(app), "bowerbird")
    return "\n".join(parts)


def cell(text: str | None, *, whole: bool = False) -> str:
    """A text as one table cell; only its first paragraph unless whole."""
    chosen = (text or "") if whole else (text or "").split("\n\n")[0]
    return " ".join(chosen.split()).replace("|", "\\|")
