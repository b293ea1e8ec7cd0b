from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bowerbird.cli.app import bench_app as app
from bowerbird.errors import InputError


@pytest.fixture
def events(tmp_path: Path) -> Path:
    path = tmp_path / "events.csv"
    rows = [f"u{user},i{(user + step) % 12},{step}" for user in range(20) for step in range(6)]
    path.write_text("user_id,item_id,pos\n" + "\n".join(rows) + "\n")
    return path


def run(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return done.exit_code, done.output


def test_next_item_prints_a_table_and_writes_json(events: Path, tmp_path: Path):
    out = tmp_path / "out" / "board.json"
    code, text = run("next-item", "--events", events, "--models", "pop,seqknn", "--seeds", 2, "--json", out)
    assert code == 0, text
    assert "seqknn" in text
    record = json.loads(out.read_text())
    assert record["task"] == "next-item"
    assert [row["model"] for row in record["rows"]] == ["pop", "seqknn"]
    assert len(record["rows"][0]["hr@10"]["seeds"]) == 2


def test_events_may_have_other_names_or_no_header(tmp_path: Path):
    rows = [f"{user},{(user + step) % 12},{1 + step % 5},{1300000000 + step}" for user in range(20) for step in range(6)]  # fmt: skip
    for header, columns in (
        ("userId,movieId,rating,timestamp", ""),
        ("", ""),
        ("a,b,c,d", "user=a,item=b,time=d"),
    ):
        path = tmp_path / "events.csv"
        path.write_text("\n".join([*([header] if header else []), *rows, ""]))
        code, text = run("next-item", "--events", path, "--models", "pop", "--seeds", 1, "--columns", columns)
        assert code == 0, text
        assert "20 users, 12 items, 120 events" in text
        assert ("no header: column 1 is user_id" in text) == (not header)


def test_collaborative_prints_a_table(events: Path):
    code, text = run("collaborative", "--events", events, "--models", "pop", "--protocol", "microsoft")
    assert code == 0, text
    assert "microsoft" in text


def test_models_list_explains_each_in_a_line():
    for task in ("next-item", "collaborative"):
        code, text = run(task, "--models", "list")
        assert code == 0
        assert "seqknn" in text


def test_an_unknown_model_is_bad_usage(events: Path):
    code, text = run("next-item", "--events", events, "--models", "seqkn")
    assert code == 2
    assert "seqknn" in text


def test_an_unknown_protocol_is_bad_usage(events: Path):
    assert run("next-item", "--events", events, "--protocol", "lo")[0] == 2
    assert run("collaborative", "--events", events, "--protocol", "apple")[0] == 2
    assert run("collaborative", "--events", events, "--protocol", "microsoft", "--holdout", 0.1)[0] == 2


def test_missing_events_are_bad_usage():
    assert run("next-item", "--models", "pop")[0] == 2


def test_data_that_cannot_be_tested_fails_with_a_reason(tmp_path: Path):
    path = tmp_path / "short.csv"
    path.write_text("user_id,item_id\na,x\n")
    # the command's entry point turns this into a message and exit code 1
    with pytest.raises(InputError, match="expected users with at least one event"):
        CliRunner().invoke(
            app, ["next-item", "--events", str(path), "--models", "pop"], catch_exceptions=False
        )


@pytest.mark.parametrize("task", ["next-item", "collaborative", "ann", "encode", "foundation"])
def test_every_command_helps_with_an_example(task: str):
    code, text = run(task, "--help")
    assert code == 0
    assert "bowerbird bench" in text
