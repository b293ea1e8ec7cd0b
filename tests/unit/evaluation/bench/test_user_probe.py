"""The user probe on made-up shops: what is read of files, the tasks by hand, odd data, and a table."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest

from bowerbird.clock import DAY_US
from bowerbird.errors import InputError, NotReadyError
from bowerbird.evaluation.bench.user_probe import run_user_probe
from bowerbird.evaluation.bench.user_probe_data import read_probe_data
from bowerbird.evaluation.bench.user_probe_question import Lesson, Question
from bowerbird.evaluation.bench.user_probe_tasks import Vocabularies, moment, scored
from bowerbird.evaluation.bench.user_probe_trees import tuned_trees
from bowerbird.users.behaviour import Behaviour

DAY0 = 15_000 * DAY_US


def shop(people=120, days=60, seed=0) -> pa.Table:
    """People who come at their own rate and take from their own half of the catalogue."""
    random = np.random.default_rng(seed)
    users, items, at = [], [], []
    for user in range(people):
        visits = random.random(days) < (0.05 if user % 3 else 0.3)
        for day in np.flatnonzero(visits).tolist():
            for item in (random.integers(8, size=2) + 8 * (user % 2)).tolist():
                users.append(f"u{user}")
                items.append(f"i{item}")
                at.append(DAY0 + day * DAY_US + int(random.integers(DAY_US)))
    prices = random.integers(1, 9, len(at)).astype(float)
    category = [f"half{int(item[1:]) // 8}" for item in items]
    columns = {"user_id": users, "item_id": items, "at": at, "price": prices, "category": category}
    return pa.table(columns)


def test_rows_without_person_item_or_time_and_returns_are_left_out_and_counted():
    table = pa.table(
        {
            "user_id": ["u", None, "u", "v", "u"],
            "item_id": [1, 1, None, 2, 3],
            "timestamp": [10.0, 11.0, 12.0, None, 13.0],
            "quantity": [2, 1, 1, 1, -1],
            "price": [1.5, 1, 1, 1, 1],
            "title": ["red bag", "red bag", None, "blue bag", "a bag"],
        }
    )
    data = read_probe_data(table)
    assert data.behaviour.items.tolist() == [0]
    assert data.behaviour.at.tolist() == [10_000_000]
    assert data.behaviour.amounts is not None
    assert data.behaviour.amounts.tolist() == [3.0]
    assert any(note.startswith("3 rows without") for note in data.notes)
    assert any(note.startswith("1 rows left out") for note in data.notes)


def test_without_a_category_the_last_word_of_titles_stands_for_one():
    titles = ["red bag", "blue bag", "green bag.", "a lamp"]
    items = pa.table({"item_id": ["0", "1", "2", "3"], "title": titles})
    table = pa.table({"user_id": ["u"] * 4, "item_id": ["0", "1", "2", "3"], "at_s": [1, 2, 3, 4]})
    data = read_probe_data(table, items)
    assert data.behaviour.categories is not None
    assert data.behaviour.categories.tolist() == [0, 0, 0, -1]


@pytest.mark.parametrize(
    ("table", "match"),
    [
        (pa.table({"user_id": ["u"], "item_id": ["i"]}), "no times"),
        (pa.table({"user": ["u"], "item_id": ["i"]}), "no column 'user_id'"),
        (
            pa.table({"user_id": ["u"], "item_id": ["i"], "at": ["soon"]}),
            "row 0: at is 'soon'; expected an ISO date-time",
        ),
        (pa.table({"user_id": [None], "item_id": ["i"], "at": [1]}), "no row of 1 has a person"),
        (
            pa.table({"user_id": ["u"], "item_id": ["i"], "at": [1], "action": ["hide"]}),
            "says a person liked an item",
        ),
    ],
)
def test_files_that_cannot_be_read_say_what_is_wrong(table, match):
    with pytest.raises(InputError, match=match):
        read_probe_data(table)


def test_the_tasks_of_a_moment_by_hand():
    users, items, days = np.array([(0, 0, -1), (0, 1, 1), (1, 0, -3), (2, 1, -20)]).T
    behaviour = Behaviour.of(users, items, DAY0 + days * DAY_US, (3, 2), np.array([1.0, 5.0, 1.0, 1.0]))
    asked = moment(behaviour, DAY0, 7, Vocabularies.before(behaviour, DAY0))
    assert asked.people["churn"].tolist() == [0, 1]
    assert asked.targets["churn"].ravel().tolist() == [0, 1]
    assert asked.people["product"].tolist() == [0, 1, 2]
    assert asked.targets["product"].tolist() == [[0, 1], [0, 0], [0, 0]]
    assert np.expm1(asked.targets["spend"]).round(3).ravel().tolist() == [5, 0, 0]
    assert "category" not in asked.people


def test_a_perfect_prediction_has_auc_one_and_explains_all():
    met = np.array([[1.0], [0], [1], [1], [0]], np.float32)
    assert scored("churn", met, met * 3 - 9)["churn auc"][0] == 1.0
    assert scored("spend", met, met)["spend r2"][0] == 1.0


@pytest.mark.slow
def test_a_table_with_every_row_and_the_future_in_none_of_them(monkeypatch):
    monkeypatch.setattr("bowerbird.training.probe.STEPS", 40)
    monkeypatch.setattr("bowerbird.training.universal.EPOCHS", 2)
    report = run_user_probe(shop(), None, 7, seeds=1)
    rows = json.loads(report.to_json())["rows"]
    assert [row["model"] for row in rows] == [
        "ours",
        "counts",
        "counts + trees",
        "counts + tuned trees",
        "mean",
        "ials",
        "popular",
    ]
    for row in rows:
        assert {"churn auc", "category auc", "product auc", "spend r2"} <= set(row)
    by_name = {row["model"]: row for row in rows}
    assert by_name["ours"]["category auc"]["mean"] > 0.6
    again = run_user_probe(shop(), None, 7, seeds=1, models=["counts"])
    assert again.rows[0].metrics == report.rows[1].metrics


def test_too_little_says_what_is_needed():
    with pytest.raises(InputError, match=r"cover 59\.\d days; a horizon of 30 days needs 120"):
        run_user_probe(shop(people=20), None, 30)
    with pytest.raises(InputError, match="too little to grade anything"):
        run_user_probe(shop(people=4), None, 7)
    with pytest.raises(InputError, match="horizon = 0 days"):
        run_user_probe(shop(people=4), None, 0)


def test_trees_that_cannot_be_tuned_say_so_rather_than_take_the_first_settings():
    people, now = np.repeat(np.arange(40), 3), 100 * DAY_US
    at = now - DAY_US * np.tile([1, 2, 3], 40)  # nobody was there a horizon earlier
    behaviour = Behaviour.of(people, people % 5, at, (40, 5))
    predict = tuned_trees(behaviour, now, behaviour, 0)
    everybody = np.arange(40)
    newest = Lesson(now, everybody, (everybody % 2)[:, None].astype(np.float32))
    nobody = np.empty(0, np.int64)
    earlier = Lesson(now - 7 * DAY_US, nobody, np.zeros((0, 1), np.float32))
    with pytest.raises(NotReadyError, match="no settings were compared for churn: nothing to teach before"):
        predict(Question("churn", (newest, earlier), now + 7 * DAY_US, everybody))
