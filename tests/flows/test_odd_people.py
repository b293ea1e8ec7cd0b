"""Odd people through the front door: import, build, ask and bench, on events as nobody would wish for them.

One person has half of all events (20,000), others have none or one; times are equal by the hundred, rows are shuffled,
some twice; ids are numbers in one file and text in the other.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import Result
from typer.testing import CliRunner

from bowerbird import telemetry
from bowerbird.cli.app import app

HEAVY, ITEMS, OTHERS = 20_000, 300, 150
DOUBLED = 200


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of events, items and people, and a workspace built from them by commands."""
    folder = tmp_path_factory.mktemp("odd")
    random = np.random.default_rng(0)
    others = random.integers(2, 2 + OTHERS, HEAVY - 1)
    users = np.concatenate([np.zeros(HEAVY, int), others, [1]])
    items = np.concatenate(
        [random.integers(0, ITEMS, HEAVY), (others * 7 + random.integers(0, 40, others.size)) % ITEMS, [5]]
    )
    at = 1_700_000_000 + random.integers(0, 60, users.size) * 86_400  # all at midnight of sixty days
    rows = np.concatenate([random.permutation(users.size), random.integers(0, users.size, DOUBLED)])
    columns = {"user_id": users[rows], "item_id": items[rows], "at": at[rows]}
    pq.write_table(pa.table(columns), folder / "events.parquet")
    pq.write_table(
        pa.table(
            {
                "item_id": [str(row) for row in range(ITEMS)],
                "category": [f"kind/{row % 6}" for row in range(ITEMS)],
            }
        ),
        folder / "items.parquet",
    )
    pq.write_table(pa.table({"user_id": ["0", "1", "nobody"]}), folder / "users.parquet")
    assert run("init", folder / "shop").exit_code == 0
    for kind in ("items", "users", "events"):
        told = run("import", kind, folder / f"{kind}.parquet", "-w", folder / "shop", "--json")
        assert told.exit_code == 0, told.output
        assert sum(json.loads(told.stdout)["rejected"].values()) == 0
    built = run("build", "users", "-w", folder / "shop")
    assert built.exit_code == 0, built.output
    return folder


def asked(folder: Path, user: str) -> dict:
    told = run("ask", "user", user, "-w", folder / "shop", "--json")
    assert told.exit_code == 0, told.output
    return json.loads(told.stdout)


def test_twenty_thousand_events_one_and_none_are_answered(folder):
    heavy, one, nobody = (asked(folder, user) for user in ("0", "1", "nobody"))
    assert heavy["events"] >= HEAVY
    assert heavy["state"] == "core"
    assert all(len(interest["evidence"]) >= 3 for interest in heavy["interests"])
    assert (one["events"], one["interests"]) == (1, [])
    assert (nobody["events"], nobody["interests"]) == (0, [])
    for user in ("0", "1", "nobody"):
        slate = run("ask", "homefeed", "--user", user, "--n", "5", "-w", folder / "shop", "--json")
        assert slate.exit_code == 0, slate.output
        assert len({entry["item_id"] for entry in json.loads(slate.stdout)["entries"]}) == 5


def test_somebody_else_is_an_error_with_a_number(folder):
    told = run("ask", "user", "stranger", "-w", folder / "shop")
    assert told.exit_code == 1
    assert f"user 'stranger' is not known; {OTHERS + 3} are known" in str(told.exception)


@pytest.mark.parametrize(("protocol", "models"), [("loo", "neighbours,pop"), ("time", "pop")])
def test_the_bench_ranks_for_them_all(folder, protocol, models):
    out = folder / f"{protocol}.json"
    told = run(
        *("bench", "next-item", "--events", folder / "events.parquet"),
        *("--models", models, "--protocol", protocol, "--json", out),
    )
    assert told.exit_code == 0, told.output
    rows = {row["model"].split(" ")[0]: row["ndcg@10"]["mean"] for row in json.loads(out.read_text())["rows"]}
    assert set(rows) == set(models.split(","))
    assert all(0.0 <= value <= 1.0 for value in rows.values())


def test_too_little_to_train_on_says_so_and_uses_neighbours(tmp_path):
    people = np.repeat(np.arange(20), 4)
    table = {
        "user_id": people,
        "item_id": (people + np.tile([0, 1, 2, 3], 20)) % 12,
        "at": np.arange(80) * 60,
    }
    pq.write_table(pa.table(table), tmp_path / "small.parquet")
    out = tmp_path / "out.json"
    told = run(
        "bench", "next-item", "--events", tmp_path / "small.parquet", "--models", "ours,pop", "--json", out
    )
    assert told.exit_code == 0, told.output
    ours = json.loads(out.read_text())["rows"][0]
    assert (
        "are too few to train an encoder on (2,000 are the least); neighbours only"
        in ours["settings"]["encoder"]
    )
    assert any("ours: encoder left out: 20 events" in note for note in json.loads(out.read_text())["notes"])
    assert ours["ndcg@10"]["mean"] > 0.3


def test_a_machine_that_is_too_small_is_told_before_the_start_what_to_lower(folder, monkeypatch):
    monkeypatch.setattr(telemetry, "memory_available", lambda: 100_000)
    events = ("--events", folder / "events.parquet")
    told = run("bench", "next-item", *events, "--models", "seqknn")
    assert told.exit_code == 1
    assert "lower window (10)" in str(told.exception)
    told = run("bench", "collaborative", *events, "--models", "ials", "--holdout", "0.1")
    assert told.exit_code == 1
    assert "iALS: about" in str(told.exception)
    assert "lower dim (64)" in str(told.exception)
    built = run("build", "users", "-w", folder / "shop", "--set", "sequence.max_length=199")
    assert built.exit_code == 0, built.output
    assert "user_universal" in built.output
    assert "keep fewer items (300)" in " ".join(built.output.split())
