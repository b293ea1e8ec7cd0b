"""``bench foundation`` on made-up surfaces: what is asked, which rows there are, and files that cannot be read."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest

from bowerbird.clock import DAY_US
from bowerbird.errors import InputError
from bowerbird.evaluation.bench import foundation
from bowerbird.evaluation.bench.foundation import run_foundation
from bowerbird.evaluation.bench.surfaces import cases_of, read_surfaces
from bowerbird.training.foundation import FoundationSettings

ITEMS, LENGTH = 40, 12
DIALS = FoundationSettings(dim=16, blocks=1, length=16, ahead=3, negatives=32, epochs=1)


def walks(people: int = 150, seed: int = 0) -> pa.Table:
    """Everybody walks through the items from somewhere, a step a day, every other one on the second surface."""
    random = np.random.default_rng(seed)
    starts = random.integers(0, ITEMS, people)
    begun = random.integers(0, 30, people)
    step = np.arange(LENGTH)
    return pa.table(
        {
            "user_id": np.repeat([f"u{user}" for user in range(people)], LENGTH),
            "item_id": [f"i{row}" for row in ((starts[:, None] + step) % ITEMS).ravel()],
            "at": ((begun[:, None] + step + 1).ravel() * DAY_US).astype(np.int64),
            "action": np.tile(["save", "hide", "click"], people * LENGTH // 3),
            "surface": np.tile(["Home", "search"], people * LENGTH // 2),
        }
    )


def test_an_item_is_wanted_where_it_is_liked_and_was_not_met_before() -> None:
    table = pa.table(
        {
            "user_id": ["u", "u", "u", "u", "v"],
            "item_id": ["a", "a", "b", "b", "a"],
            "at": [1, 2, 3, 4, 5],
            "action": ["impression", "save", "hide", "save", "click"],
            "surface": ["home", "home", None, "ads", "home"],
        }
    )
    data = read_surfaces(table)
    assert data.log.wanted.tolist() == [True, False, False, True]  # b was hidden before it was saved
    assert data.surfaces == ("home", "everywhere", "ads")
    assert data.notes == ("1 rows left out: impressions, visits, searches, no person, item or time",)


def test_a_person_is_asked_about_the_first_new_item_of_a_stretch_and_needs_a_history() -> None:
    table = pa.table(
        {
            "user_id": ["u", "u", "u", "u", "v"],
            "item_id": ["a", "a", "b", "c", "c"],
            "at": [1, 5, 6, 7, 7],
        }
    )
    cases = cases_of(read_surfaces(table).log, 0, 5_000_000, 100_000_000, seed=0)  # times are seconds
    assert cases.users.tolist() == [0]
    assert cases.target.tolist() == [1]
    assert cases.log.items.tolist() == [0]


def test_a_row_for_each_way_and_the_same_again(monkeypatch) -> None:
    monkeypatch.setattr(foundation, "LEAST_CASES", 5)
    report = run_foundation(walks(), seeds=1, settings=DIALS)
    rows = json.loads(report.to_json())["rows"]
    assert [row["model"] for row in rows] == [
        "popular on the surface",
        "seqknn on all surfaces",
        "pretrained",
        "from scratch",
        "pretrained and tuned",
    ]
    assert {"ndcg@10", "hr@10", "ndcg@10 home", "ndcg@10 search"} <= set(rows[0])
    assert rows[1]["ndcg@10"]["mean"] > rows[0]["ndcg@10"]["mean"]
    assert run_foundation(walks(), seeds=1, settings=DIALS).rows[-1].metrics == report.rows[-1].metrics


@pytest.mark.parametrize(
    ("table", "match"),
    [
        (walks().drop_columns(["at"]), "no times; found user_id, item_id, action, surface"),
        (walks().drop_columns(["item_id"]), "no column 'item_id'; found user_id, at, action, surface"),
        (walks(4), "too little to learn a surface from .*home left out"),
        (walks().set_column(3, "action", pa.array(["hide"] * 150 * LENGTH)), "nobody likes an item"),
        (
            walks().set_column(3, "action", pa.array(["visit"] * 150 * LENGTH)),
            "no row of 1800 says what a person did",
        ),
    ],
)
def test_files_that_cannot_be_read_say_what_is_wrong(table, match) -> None:
    with pytest.raises(InputError, match=match):
        run_foundation(table, settings=DIALS)
