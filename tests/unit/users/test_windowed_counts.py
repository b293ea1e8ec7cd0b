"""Counts by hand: two people, three items, four days."""

from __future__ import annotations

import numpy as np
import pytest

from bowerbird.clock import DAY_US
from bowerbird.errors import InputError
from bowerbird.users.behaviour import Behaviour
from bowerbird.users.windowed_counts import WINDOWS_DAYS, activity_counts, most_frequent, top_counts

AS_OF = 20_000 * DAY_US
DAYS_AGO = [(0, 0, 10.0, 5.0), (0, 1, 2.0, 1.0), (0, 1, 0.5, 1.0), (1, 2, 40.0, 0.0)]


def steps(rows=DAYS_AGO) -> Behaviour:
    users, items, ago, amounts = (np.array(column) for column in zip(*rows, strict=True))
    at = AS_OF - (ago * DAY_US).astype(np.int64)
    return Behaviour.of(users, items, at, (3, 3), amounts.astype(float), np.array([0, 1, -1]))


def window(table: np.ndarray, days: int, column: int) -> list[float]:
    """A column of a window (steps, days, items, money), back from its logarithm."""
    return np.expm1(table[:, 4 * WINDOWS_DAYS.index(days) + column]).round(4).tolist()


def test_windows_hold_steps_days_items_and_money():
    table = activity_counts(steps(), AS_OF)
    assert window(table, 1, 0) == [1, 0, 0]
    assert window(table, 14, 0) == [3, 0, 0]
    assert window(table, 14, 1) == [3, 0, 0]
    assert window(table, 14, 2) == [2, 0, 0]  # item 1 twice
    assert window(table, 14, 3) == [7, 0, 0]
    assert window(table, 56, 0) == [3, 1, 0]


def test_the_future_changes_nothing():
    later = steps([*DAYS_AGO, (1, 1, -3.0, 9.0), (2, 0, 0.0, 1.0)])
    assert activity_counts(later, AS_OF).tobytes() == activity_counts(steps(), AS_OF).tobytes()


def test_top_values_are_counted_in_windows():
    past = steps()
    top, kinds = most_frequent(past.items, 3, 2), most_frequent(past.categories[past.items], 2, 1)
    assert top.tolist() == [1, 0]
    assert kinds.tolist() == [1]
    table = np.expm1(top_counts(past, AS_OF, top, kinds)).round(4)
    assert table[0].tolist() == [2, 1, 2] * 3
    assert table[1].tolist() == [0] * 9


def test_nobody_and_nothing_are_counted_as_finite_numbers():
    none = np.empty(0, np.int64)
    table = activity_counts(Behaviour.of(none, none, none, (2, 0)), AS_OF)
    assert table.shape[0] == 2
    assert np.isfinite(table).all()


def test_columns_of_unequal_length_are_refused():
    with pytest.raises(InputError, match="columns of 2, 1, 2 steps"):
        Behaviour.of(np.zeros(2), np.zeros(1), np.zeros(2), (1, 1))
