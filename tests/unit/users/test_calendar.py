"""Calendar values: what a moment is called, and which of them a log can teach."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bowerbird.clock import DAY_US, HOUR_US
from bowerbird.users.calendar import CALENDAR_VALUES, HOURS, WEEKDAYS, calendar_values, known_values

FIRST = datetime(1970, 1, 1, tzinfo=UTC)


@given(st.integers(-(10**15), 4 * 10**15))
def test_hour_weekday_and_month_are_those_of_the_standard_library(at_us):
    moment = FIRST + timedelta(microseconds=at_us)
    expected = [moment.hour, HOURS + moment.weekday(), HOURS + WEEKDAYS + moment.month - 1]
    assert calendar_values(np.array(at_us)).tolist() == expected


@pytest.mark.parametrize(
    ("at", "hours", "weekdays", "months"),
    [
        (np.zeros(50), 0, 0, 0),  # all at once
        (np.arange(60) * DAY_US, 0, 7, 0),  # dates without hours, two months
        (np.arange(200) * HOUR_US, 24, 7, 0),
        (np.arange(800) * DAY_US, 0, 7, 12),  # two years
        (np.zeros(0), 0, 0, 0),
    ],
)
def test_only_parts_that_vary_are_known_and_months_only_after_a_year(at, hours, weekdays, months):
    known = known_values(at.astype(np.int64))
    assert known.size == CALENDAR_VALUES
    parts = (known[:HOURS], known[HOURS : HOURS + WEEKDAYS], known[HOURS + WEEKDAYS :])
    assert [int(part.sum()) for part in parts] == [hours, weekdays, months]


def test_an_hour_hardly_ever_seen_is_not_known():
    at = np.concatenate([np.tile(np.arange(8, 18), 200) * HOUR_US, [3 * HOUR_US]])
    known = known_values(at)
    assert np.flatnonzero(known[:HOURS]).tolist() == list(range(8, 18))
