"""Time and randomness are arguments, the library never prints, nothing is pickled, no machine is named."""

from __future__ import annotations

import ast
import re
import subprocess

import pytest

CLOCKS = {
    "time.time",
    "time.time_ns",
    "datetime.now",
    "datetime.utcnow",
    "datetime.today",
    "date.today",
    "datetime.datetime.now",
    "datetime.datetime.utcnow",
    "datetime.date.today",
}
MAY_ASK_THE_TIME = {"cli", "serving", "clock"}
# RandomState(seed) draws the splits that published results were made with
GENERATOR_PARTS = {"RandomState", "Generator", "PCG64", "BitGenerator", "SeedSequence"}
PICKLES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
MACHINE_PATH = re.compile(r"/(work|farm|root|home/[a-z]+|tmp/scratch)/|\.librar[y]/")


def dotted(node: ast.AST) -> str:
    """``a.b.c`` of an attribute chain, else an empty text."""
    return ast.unparse(node) if isinstance(node, ast.Attribute | ast.Name) else ""


def calls(tree: ast.AST) -> list[tuple[int, str, ast.Call]]:
    return [(n.lineno, dotted(n.func), n) for n in ast.walk(tree) if isinstance(n, ast.Call)]


def imported(tree: ast.AST) -> set[str]:
    """Dotted names of everything imported, e.g. ``bowerbird.clock.now``."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def global_randomness(tree: ast.AST) -> list[str]:
    """Uses of ``np.random`` or of the ``random`` module that draw or seed without a generator passed in."""
    found = [
        name for name in imported(tree) if name.split(".")[0] == "random" or name.startswith("numpy.random")
    ]
    for node in ast.walk(tree):
        name = dotted(node)
        match = re.match(r"(?:np|numpy)\.random\.(\w+)", name)
        if match and match[1] not in GENERATOR_PARTS:
            found.append(name)
    return found


def test_the_clock_is_read_only_in_clock(modules):
    reads = [(str(m.path), line, name) for m in modules for line, name, _ in calls(m.tree) if name in CLOCKS]
    assert [read for read in reads if read[0] != "clock.py"] == []


def test_only_the_command_line_and_the_server_ask_for_now(modules):
    askers = {m.layer for m in modules if "bowerbird.clock.now" in imported(m.tree)}
    askers |= {m.layer for m in modules for _, name, _ in calls(m.tree) if name == "clock.now"}
    assert askers - MAY_ASK_THE_TIME == set()


def test_torch_is_seeded_only_for_a_while(modules):
    seeders = {str(m.path) for m in modules for _, name, _ in calls(m.tree) if name.endswith("manual_seed")}
    assert seeders == {"nn/seeded_draws.py"}


def test_randomness_comes_only_from_a_generator_made_in_randomness(modules):
    found = {str(m.path): global_randomness(m.tree) for m in modules if m.layer != "randomness"}
    assert {path: uses for path, uses in found.items() if uses} == {}


def test_the_library_never_prints_outside_the_command_line(modules):
    prints = [
        (str(m.path), line)
        for m in modules
        if m.layer != "cli"
        for line, name, _ in calls(m.tree)
        if name in {"print", "pprint", "sys.stdout.write"}
    ]
    assert prints == []


def test_the_library_never_configures_logging(modules):
    names = {"logging.basicConfig", "structlog.configure", "logging.config.dictConfig"}
    assert [
        (str(m.path), line)
        for m in modules
        if m.layer != "cli"
        for line, name, _ in calls(m.tree)
        if name in names
    ] == []


def test_nothing_is_pickled(modules):
    imports = [
        (str(m.path), name) for m in modules for name in imported(m.tree) if name.split(".")[0] in PICKLES
    ]
    assert imports == []
    allowed = [
        (str(m.path), line)
        for m in modules
        for line, _, call in calls(m.tree)
        for keyword in call.keywords
        if keyword.arg == "allow_pickle" and ast.unparse(keyword.value) != "False"
    ]
    assert allowed == []


def test_numpy_files_are_read_with_pickle_forbidden_in_so_many_words(modules):
    loose = [
        (str(m.path), line)
        for m in modules
        for line, name, call in calls(m.tree)
        if name == "np.load" and "allow_pickle" not in {k.arg for k in call.keywords}
    ]
    assert loose == []


def test_no_except_clause_catches_everything(modules):
    broad = [
        (str(m.path), node.lineno)
        for m in modules
        for node in ast.walk(m.tree)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or dotted(node.type) in {"Exception", "BaseException"})
        and not any(isinstance(inner, ast.Raise) for inner in ast.walk(node))
    ]
    assert broad == []


def test_no_tracked_file_names_a_path_of_somebodys_machine(repository):
    listing = subprocess.run(
        ["git", "ls-files", "-z"], cwd=repository, capture_output=True, text=True, check=False
    )
    if listing.returncode:
        pytest.skip("NOT A GIT CHECKOUT: tracked files are unknown")
    named = []
    for path in filter(None, listing.stdout.split("\0")):
        content = (repository / path).read_bytes() if (repository / path).is_file() else b""
        if b"\0" not in content and MACHINE_PATH.search(content.decode("utf-8", errors="replace")):
            named.append(path)
    assert named == []


def test_the_rules_catch_what_they_are_for():
    bad = ast.parse(
        "import random\nimport numpy as np\nx = np.random.rand(3)\ng: np.random.Generator\nprint(x)"
    )
    assert global_randomness(bad) == ["random", "np.random.rand"]
    assert [name for _, name, _ in calls(bad)] == ["np.random.rand", "print"]
    assert MACHINE_PATH.search("/home" + "/somebody/x")
    assert imported(ast.parse("from bowerbird.clock import now")) == {"bowerbird.clock.now"}
