"""Staleness: what a position may be asked for, and a table on a made-up shop."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from bowerbird.clock import DAY_US
from bowerbird.errors import InputError
from bowerbird.evaluation.bench.staleness import AGES_DAYS, run_staleness
from bowerbird.training.batches import Ragged
from bowerbird.training.long_term import reaches

DAY0 = 15_000 * DAY_US


def shop(people=60, days=100) -> pa.Table:
    """Everybody comes every third day and takes something of their own half of forty items."""
    random = np.random.default_rng(0)
    rows = [
        (f"u{user}", f"i{random.integers(20) + 20 * (user % 2)}", DAY0 + day * DAY_US + user)
        for user in range(people)
        for day in range(user % 3, days, 3)
    ]
    users, items, at = zip(*rows, strict=True)
    return pa.table({"user_id": users, "item_id": items, "at": at})


def test_a_position_reaches_the_last_event_of_its_person_in_the_window():
    at = np.array([0, 1, 9, 30, 2, 3]) * DAY_US
    assert reaches(Ragged(np.array([0, 4, 6])), at, 10 * DAY_US).tolist() == [2, 2, 2, 3, 5, 5]


@pytest.mark.slow
def test_both_objectives_are_asked_at_every_age_about_the_same_people():
    report = run_staleness(shop(), seeds=1)
    assert [row.model for row in report.rows] == ["long-term", "next action", "popular"]
    for row in report.rows:
        assert {f"recall@10 {age}d" for age in AGES_DAYS} | {"loss@14d"} == set(row.metrics)
    halves, popular = report.rows[0].metrics["recall@10 0d"], report.rows[2].metrics["recall@10 0d"]
    assert halves.mean > popular.mean


def test_too_few_days_or_people_say_what_is_needed():
    with pytest.raises(InputError, match=r"staleness up to 28 days with a horizon of 7 needs 63"):
        run_staleness(shop(days=40))
    with pytest.raises(InputError, match="30 are needed"):
        run_staleness(shop(people=10))
