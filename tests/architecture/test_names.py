"""Names say what a thing is; every public thing says why it exists."""

from __future__ import annotations

import ast
import re

EMPTY = {
    "utils",
    "util",
    "helpers",
    "helper",
    "common",
    "misc",
    "base",
    "core",
    "manager",
    "tools",
    "handler",
    "processor",
}


def words(name: str) -> list[str]:
    """The words of a CamelCase or snake_case name, in lower case."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+", name)]


def says_nothing(name: str) -> bool:
    parts = words(name)
    return bool(parts) and (parts[0] in EMPTY or parts[-1] in EMPTY)


def classes(tree: ast.AST) -> list[ast.ClassDef]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]


def undocumented(tree: ast.Module) -> list[str]:
    """Public functions, classes and methods without a docstring."""
    definitions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    things: list[ast.AST] = []
    for node in tree.body:
        if isinstance(node, definitions) and not node.name.startswith("_"):
            things += [node, *(node.body if isinstance(node, ast.ClassDef) else [])]
    return [
        thing.name
        for thing in things
        if isinstance(thing, definitions) and not thing.name.startswith("_") and not ast.get_docstring(thing)
    ]


def test_no_module_has_a_name_that_says_nothing(modules):
    names = [(m.path, part) for m in modules for part in m.path.with_suffix("").parts]
    assert [str(path) for path, part in names if part in EMPTY] == []


def test_no_class_has_a_name_that_says_nothing(modules):
    assert [(str(m.path), c.name) for m in modules for c in classes(m.tree) if says_nothing(c.name)] == []


def test_every_folder_of_the_package_is_a_package(modules):
    folders = {m.path.parent for m in modules}
    assert folders - {m.path.parent for m in modules if m.path.name == "__init__.py"} == set()


def test_every_module_has_a_docstring(modules):
    assert [str(m.path) for m in modules if not ast.get_docstring(m.tree)] == []


def test_every_public_name_has_a_docstring(modules):
    found = {str(m.path): undocumented(m.tree) for m in modules if not m.path.name.startswith("_")}
    assert {path: names for path, names in found.items() if names} == {}


def test_every_error_class_lives_in_errors(modules):
    stray = [
        (str(m.path), c.name)
        for m in modules
        for c in classes(m.tree)
        if c.name.endswith(("Error", "Exception")) and str(m.path) != "errors.py"
    ]
    assert stray == []


def test_no_class_inherits_from_a_concrete_class_of_ours(modules):
    bases = {
        c.name: [ast.unparse(b).split("[")[0].split(".")[-1] for b in c.bases]
        for m in modules
        if m.layer != "errors"
        for c in classes(m.tree)
    }
    concrete = {name for name, parents in bases.items() if name != "Settings" and "Protocol" not in parents}
    assert [
        (name, parent) for name, parents in bases.items() for parent in parents if parent in concrete
    ] == []


def test_every_protocol_can_be_checked_while_testing(modules):
    """Beartype refuses a signature that names a protocol it cannot check."""
    unchecked = [
        (str(m.path), c.name)
        for m in modules
        for c in classes(m.tree)
        if any(ast.unparse(b).split("[")[0] == "Protocol" for b in c.bases)
        and "runtime_checkable" not in [ast.unparse(d).split(".")[-1] for d in c.decorator_list]
    ]
    assert unchecked == []


def test_the_name_rule_catches_what_it_is_for():
    assert [says_nothing(n) for n in ("EventHandler", "BaseIndex", "utils", "Utility", "Databases")] == [
        True,
        True,
        True,
        False,
        False,
    ]
    assert undocumented(
        ast.parse("def f(): ...\nclass A:\n    'x'\n    def g(self): ...\ndef _h(): ...")
    ) == ["f", "g"]
