"""The command line: exit codes, JSON, help."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from bowerbird.cli import main
from bowerbird.cli.app import app
from bowerbird.cli.options import time_or_none, workspace_directory
from bowerbird.errors import BowerbirdError, InputError, NotFoundError
from bowerbird.workspace import Workspace

runner = CliRunner()


def leaves(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command that is no group."""
    children = getattr(command, "commands", {})
    if children:
        for name, child in children.items():
            yield from leaves(child, (*path, name))
    else:
        yield path, command


COMMANDS = dict(leaves(typer.main.get_command(app)))


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A workspace of three items, not built."""
    Workspace.create(tmp_path / "shop")
    (tmp_path / "items.csv").write_text("item_id,title\na,red cup\nb,blue cup\nc,lamp\n", encoding="utf-8")
    return tmp_path / "shop"


@pytest.mark.parametrize("path", list(COMMANDS), ids=" ".join)
def test_the_help_of_every_command_has_an_example_of_that_command(path):
    shown = " ".join(f"{COMMANDS[path].help} {COMMANDS[path].epilog}".split())
    assert f"Example: bowerbird {' '.join(path)}" in shown


@pytest.mark.parametrize("path", [(), *COMMANDS], ids=" ".join)
def test_help_exits_with_0(path):
    assert runner.invoke(app, [*path, "--help"]).exit_code == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["ask", "homefed"],
        ["ask", "homefeed", "--n", "0"],
        ["ask", "homefeed", "--n", "many"],
        ["ask", "growth", "--budget", "-1"],
        ["build", "--nonsense"],
    ],
    ids=" ".join,
)
def test_bad_usage_exits_with_2(arguments):
    assert runner.invoke(app, arguments).exit_code == 2


def ended(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Exit code of the installed command."""
    monkeypatch.setattr(sys, "argv", ["bowerbird", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ask", "homefeed", "-w", "SHOP"], "nothing is built yet; run `bowerbird build"),
        (["ask", "homefeed", "-w", "nowhere"], "nowhere: no workspace here"),
        (["bench", "ranker", "--kinds", "tree", "-w", "SHOP"], "bench ranker: unknown kind 'tree'"),
        (["bench", "ranker", "--kinds", "", "-w", "SHOP"], "bench ranker: no kind is named"),
        (["build", "rankr", "-w", "SHOP"], "build: no signal 'rankr'; did you mean 'ranker'"),
        (["build", "-w", "SHOP", "--set", "sead=3"], "unknown field 'sead'; did you mean 'seed'"),
        (["import", "items", "-w", "SHOP"], "import items: no file was named"),
        (["import", "items", "gone.csv", "-w", "SHOP"], "gone.csv"),
        (["ask", "search", "--image", "gone.jpg", "-w", "SHOP"], "--image gone.jpg: no such file"),
        (["ask", "homefeed", "--as-of", "soon", "-w", "SHOP"], "time 'soon' is not understood"),
    ],
)
def test_a_failure_exits_with_1_and_one_line_on_standard_error(arguments, message, shop, monkeypatch, capsys):
    assert ended(monkeypatch, *[str(shop) if one == "SHOP" else one for one in arguments]) == 1
    out, err = capsys.readouterr()
    assert err.startswith("Error: ")
    assert message in err
    assert out == ""


def test_a_finished_command_exits_with_0(monkeypatch, capsys):
    assert ended(monkeypatch, "version") == 0
    assert capsys.readouterr().out.strip() == "0.1.0"


def test_ctrl_c_exits_with_130_and_says_that_the_workspace_is_whole(monkeypatch, capsys):
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("bowerbird.cli.app.app", stop)
    assert ended(monkeypatch, "build") == 130
    assert "The workspace is whole" in capsys.readouterr().err


def test_init_import_and_signals_work_one_after_the_other(tmp_path):
    shop, file = str(tmp_path / "new"), tmp_path / "items.csv"
    file.write_text("item_id,title\na,red cup\na,again\n,none\n", encoding="utf-8")
    assert "bowerbird import items FILE" in runner.invoke(app, ["init", shop], catch_exceptions=False).output
    report = json.loads(runner.invoke(app, ["import", "items", str(file), "-w", shop, "--json"]).stdout)
    assert report["rows"]["items"] == 3
    assert report["stored"]["items"] + report["rejected"]["items"] == 3
    assert json.loads(runner.invoke(app, ["signals", "-w", shop, "--json"]).stdout) == []
    assert "Nothing is built yet" in runner.invoke(app, ["signals", "-w", shop]).stdout


def test_a_build_of_the_text_index_answers_search(shop):
    items = str(shop.parent / "items.csv")
    assert runner.invoke(app, ["import", "items", items, "-w", str(shop)]).exit_code == 0
    built = json.loads(runner.invoke(app, ["build", "lexical", "-w", str(shop), "--json"]).stdout)
    assert {one["name"]: one["outcome"] for one in built} == {
        "image_vector": "skipped",  # there is no picture to read words in
        "picture_text": "skipped",
        "lexical": "built",
    }
    asked = ["ask", "search", "cups", "-w", str(shop)]
    slate = json.loads(runner.invoke(app, [*asked, "--json"]).stdout)
    assert sorted(entry["item_id"] for entry in slate["entries"]) == ["a", "b"]
    told = json.loads(runner.invoke(app, [*asked, "--json", "--explain"]).stdout)
    assert told["trace"][0]["stage"] == "understand"
    for table in (runner.invoke(app, asked).stdout, runner.invoke(app, [*asked, "--explain"]).stdout):
        assert "red cup" in table
    assert "Stages" in table


def test_brackets_in_titles_are_shown_and_what_steers_a_terminal_is_not(tmp_path):
    shop, items = str(tmp_path / "shop"), tmp_path / "odd.csv"
    items.write_text("item_id,title\n[/red],cup [sale] \x1b[2J\u202e :smile:\n")
    Workspace.create(tmp_path / "shop")
    assert runner.invoke(app, ["import", "items", str(items), "-w", shop]).exit_code == 0
    assert runner.invoke(app, ["build", "lexical", "-w", shop]).exit_code == 0
    done = runner.invoke(app, ["ask", "search", "cup", "--explain", "-w", shop], env={"COLUMNS": "200"})
    assert done.exit_code == 0
    assert "[/red]" in done.stdout
    assert "cup [sale] \ufffd[2J\ufffd :smile:" in done.stdout
    assert "\x1b[2J" not in done.stdout


def test_plugins_are_listed_for_people_and_machines():
    listed = json.loads(runner.invoke(app, ["plugins", "--json"]).stdout)
    assert "minilm-l6" in listed["encoders"]
    assert "encoders (content encoders" in runner.invoke(app, ["plugins"]).stdout


def test_growth_without_events_says_what_it_lacks(shop):
    runner.invoke(app, ["import", "items", str(shop.parent / "items.csv"), "-w", str(shop)])
    runner.invoke(app, ["build", "lexical", "-w", str(shop)])
    assert "growth cannot answer: no events" in runner.invoke(app, ["ask", "growth", "-w", str(shop)]).stdout


def test_the_workspace_is_the_one_named_else_the_environments_else_here_else_demo(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BOWERBIRD_WORKSPACE", raising=False)
    assert workspace_directory(None) == Path()
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "bowerbird.toml").touch()
    assert workspace_directory(None) == Path("demo")
    (tmp_path / "bowerbird.toml").touch()
    assert workspace_directory(None) == Path()
    monkeypatch.setenv("BOWERBIRD_WORKSPACE", "elsewhere")
    assert workspace_directory(None) == Path("elsewhere")
    assert workspace_directory(Path("named")) == Path("named")


def test_a_time_is_optional_and_read_as_utc():
    assert time_or_none(None) is None
    assert time_or_none("1970-01-02") == 86_400 * 1_000_000
    with pytest.raises(InputError, match="time 'soon' is not understood"):
        time_or_none("soon")


@pytest.mark.parametrize("extreme", ["9" * 19, "9" * 400, "253402300800", "-10000", "0001-01-01"])
def test_a_time_nothing_can_stand_at_is_refused(extreme):
    with pytest.raises(InputError, match=r"is not between the years 1970 and 9999|is not understood"):
        time_or_none(extreme)


def test_every_error_of_a_command_is_of_the_tree():
    assert issubclass(NotFoundError, BowerbirdError)
