"""The calendar of a moment: its hour of the day, day of the week and month, as rows of one table.

Stamps are UTC and so is this calendar: where people live in one time zone, its hours are only shifted, which a learnt table
does not mind; where they live in many, an hour says less.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Int64

from bowerbird.clock import DAY_US, HOUR_US

__all__ = ["CALENDAR_VALUES", "WEEKDAYS", "calendar_values", "known_values", "weekdays"]

HOURS, WEEKDAYS, MONTHS = 24, 7, 12
CALENDAR_VALUES = HOURS + WEEKDAYS + MONTHS
"""Rows of a table with a row for each hour, then for each day of the week, then for each month."""
LEAST_SHARE = 0.002
"""A value that fewer of the events have is not learnt."""
YEAR_DAYS = 365
"""A month says something once it has come back; in a shorter log it is only another name of the date."""


def weekdays(at_us: Int64[np.ndarray, "*shape"]) -> Int64[np.ndarray, "*shape"]:
    """Day of the week of moments, 0 for Monday.

    Args:
        at_us: microseconds UTC.

    Example:
        >>> weekdays(np.array(["1970-01-01", "2026-05-04"], "datetime64[us]").astype(np.int64)).tolist()
        [3, 0]
    """
    return np.asarray((at_us // DAY_US + 3) % WEEKDAYS)  # day 0, 1 January 1970, was a Thursday


def calendar_values(at_us: Int64[np.ndarray, "*shape"]) -> Int64[np.ndarray, "*shape 3"]:
    """Hour, day of the week (Monday first) and month of moments, as rows of one table.

    Training and reading both come through here.

    Args:
        at_us: microseconds UTC.

    Example:
        >>> monday_noon_in_may = np.datetime64("2026-05-04T12:00:00", "us").astype(np.int64)
        >>> calendar_values(np.array([monday_noon_in_may])).tolist()
        [[12, 24, 35]]
    """
    hour = at_us // HOUR_US % HOURS
    month = at_us.astype("datetime64[us]").astype("datetime64[M]").astype(np.int64) % MONTHS
    return np.stack([hour, HOURS + weekdays(at_us), HOURS + WEEKDAYS + month], axis=-1)


def known_values(at_us: Int64[np.ndarray, "event"]) -> Bool[np.ndarray, "value"]:
    """Which values of the calendar something can be learnt about from events at these times.

    None of a part that is the same for all events (times that are all midnight have no hours), and no month of a log
    shorter than a year.

    Args:
        at_us: microseconds UTC of the events that are learnt from.
    """
    shares = np.bincount(calendar_values(at_us).ravel(), minlength=CALENDAR_VALUES) / max(at_us.size, 1)
    known = shares >= LEAST_SHARE
    for start, stop in ((0, HOURS), (HOURS, HOURS + WEEKDAYS), (HOURS + WEEKDAYS, CALENDAR_VALUES)):
        if known[start:stop].sum() < 2:
            known[start:stop] = False
    if at_us.size == 0 or int(at_us.max()) - int(at_us.min()) <= YEAR_DAYS * DAY_US:
        known[HOURS + WEEKDAYS :] = False
    return known
