"""Return probabilities: the table on people whose chance of coming back is planted."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from bowerbird.clock import DAY_US
from bowerbird.errors import InputError
from bowerbird.evaluation.bench.returns import CONTENDERS, run_returns

DAY0 = 15_000 * DAY_US


def visits(people: int = 1500, days: int = 80) -> pa.Table:
    """Everybody comes each day with their own chance."""
    random = np.random.default_rng(4)
    chance = random.beta(0.4, 3.0, people)
    rows, day = np.nonzero(random.random((people, days)) < chance[:, None])
    at = DAY0 + day * DAY_US + random.integers(0, DAY_US, rows.size)
    return pa.table({"user_id": rows, "item_id": random.integers(0, 9, rows.size), "at": at})


def test_a_planted_chance_is_told_apart_and_means_what_it_says():
    report = run_returns(visits(), windows=3)
    rows = {row.model: {name: value.mean for name, value in row.metrics.items()} for row in report.rows}
    assert list(rows) == list(CONTENDERS)
    assert rows["ours"]["auc"] > 0.75 > rows["mean"]["auc"] == 0.5
    assert rows["ours"]["ece"] < 0.08
    assert rows["ours"]["p / y"] == pytest.approx(1.0, abs=0.15)
    assert rows["ours"]["log loss"] < rows["state"]["log loss"] < rows["mean"]["log loss"]
    assert report.rows[0].metrics["auc"].se is not None
    assert any(note.startswith("ours, said / happened") for note in report.notes)


def test_what_comes_after_a_window_changes_nothing():
    table = visits()
    end = int(table["at"].to_numpy().max()) - 7 * DAY_US
    table = pa.concat_tables([table, pa.table({"user_id": [0], "item_id": [0], "at": [end]})])
    whole = run_returns(table, windows=2)
    shorter = run_returns(table.filter(pc.less_equal(table["at"], end)), windows=1)
    found, expected = (one.rows[0].settings["windows"]["auc"][0] for one in (shorter, whole))
    assert found == expected


def test_too_few_days_or_people_say_what_is_needed():
    with pytest.raises(InputError, match=r"events: return model: the log covers .* or name fewer --windows"):
        run_returns(visits(days=30))
    with pytest.raises(
        InputError, match=r"expected 30 people or more and both outcomes: name fewer --windows"
    ):
        run_returns(visits(people=20))
