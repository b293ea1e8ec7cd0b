"""One concept per module, one screen per function."""

from __future__ import annotations

import ast

MODULE_LINES = 400
FUNCTION_LINES = 60
ARGUMENTS = 8

Function = ast.FunctionDef | ast.AsyncFunctionDef


def body_lines(function: Function) -> int:
    """Lines from ``def`` to the end, less those of the docstring."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    ):
        lines -= (first.end_lineno or first.lineno) - first.lineno + 1
    return lines


def argument_names(function: Function) -> list[str]:
    spec = function.args
    names = [a.arg for a in [*spec.posonlyargs, *spec.args, *spec.kwonlyargs]]
    names += [a.arg for a in (spec.vararg, spec.kwarg) if a is not None]
    return [name for name in names if name not in {"self", "cls"}]


def is_endpoint(function: Function) -> bool:
    """Registered with an application (``@app.command()``, ``@router.get(...)``): arguments are its options."""
    return any(isinstance(d, ast.Call) and isinstance(d.func, ast.Attribute) for d in function.decorator_list)


def functions(tree: ast.AST) -> list[Function]:
    return [node for node in ast.walk(tree) if isinstance(node, Function)]


def test_a_module_has_at_most_400_lines(modules):
    assert [str(m.path) for m in modules if len(m.text.splitlines()) > MODULE_LINES] == []


def test_a_function_has_fewer_than_60_lines(modules):
    long = [(str(m.path), f.name, body_lines(f)) for m in modules for f in functions(m.tree)]
    assert [entry for entry in long if entry[2] >= FUNCTION_LINES] == []


def test_a_function_takes_at_most_8_arguments_unless_they_are_the_options_of_a_command_or_route(modules):
    wide = [
        (str(m.path), f.name)
        for m in modules
        for f in functions(m.tree)
        if len(argument_names(f)) > ARGUMENTS and not is_endpoint(f)
    ]
    assert wide == []


def test_the_counters_count():
    tree = ast.parse('def f(a, b, *c, d=1, **e):\n    """One.\n\n    Two.\n    """\n    return a\n')
    assert body_lines(functions(tree)[0]) == 6 - 4
    assert argument_names(functions(tree)[0]) == ["a", "b", "d", "c", "e"]
