"""Windowed counts: the numbers everybody begins with, and a hard baseline for any learnt vector.

How often, on how many days, with how many items and for how much money a person was there in the last day, week,
month and so on; how long ago, how regularly, at which hours; and how often with the most frequent items and kinds.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from bowerbird.clock import DAY_US, HOUR_US
from bowerbird.users.behaviour import Behaviour
from bowerbird.users.calendar import WEEKDAYS, weekdays

WINDOWS_DAYS = (1, 3, 7, 14, 28, 56, 112, 224, 10_000)
"""Windows counted back from ``as_of``; the last one is all there is."""
DECAYS_DAYS = (3.0, 10.0, 30.0, 90.0)
"""Half-lives of the decayed rates."""
TOP_WINDOWS_DAYS = (14, 56, 10_000)
"""Windows the most frequent values are counted in."""
NEVER_DAYS = 10_000.0
"""Days since the last step of somebody without any."""


def activity_counts(behaviour: Behaviour, as_of: int) -> Float32[np.ndarray, "user column"]:
    """How alive each person is: counts in windows, recency, gaps, spending, calendar.

    Steps at or after ``as_of`` change nothing. Counts, days and money enter as ``log(1 + x)``.

    Returns:
        One row a person; the same columns for any behaviour.

    Cost: O(steps * windows).
    """
    past = behaviour.before(as_of)
    people = past.users_total
    day = (as_of - 1 - past.at) // DAY_US
    age = (as_of - past.at) / DAY_US
    new_day = _changes(past.users) | _changes(day)
    last_meeting = _last_meetings(past)
    columns: list[np.ndarray] = []
    for window in WINDOWS_DAYS:
        recent = day < window
        columns += [
            _count(past.users[recent], people),
            _count(past.users[recent & new_day], people),
            _count(past.users[recent & last_meeting], people),
            np.bincount(past.users[recent], _money(past)[recent], minlength=people),
        ]
    columns += [
        np.bincount(past.users, np.exp2(-age / half_life), minlength=people) for half_life in DECAYS_DAYS
    ]
    logs = np.log1p(np.stack(columns, axis=1))
    return np.concatenate([logs, _rhythm(past, age, new_day), _calendar(past)], axis=1).astype(np.float32)


def top_counts(
    behaviour: Behaviour,
    as_of: int,
    top_items: Int64[np.ndarray, "top"],
    top_categories: Int64[np.ndarray, "kind"],
) -> Float32[np.ndarray, "user column"]:
    """How often each person met the most frequent items and kinds, in windows, as ``log(1 + x)``."""
    past = behaviour.before(as_of)
    day = (as_of - 1 - past.at) // DAY_US
    blocks = []
    for window in TOP_WINDOWS_DAYS:
        recent = past.where(day < window)
        blocks.append(_table(recent.users, recent.items, top_items, past.users_total, past.items_total))
        if past.categories is not None:
            kinds = past.categories[recent.items]
            known = kinds >= 0
            blocks.append(
                _table(
                    recent.users[known],
                    kinds[known],
                    top_categories,
                    past.users_total,
                    past.categories_total,
                )
            )
    return np.log1p(np.concatenate(blocks, axis=1)).astype(np.float32)


def most_frequent(rows: np.ndarray, total: int, most: int) -> Int64[np.ndarray, "top"]:
    """The values met most often, most frequent first; values never met are not among them.

    Example:
        >>> most_frequent(np.array([3, 1, 3, -1]), 4, 2).tolist()
        [3, 1]
    """
    counts = np.bincount(rows[rows >= 0], minlength=total)
    order = np.argsort(-counts, kind="stable")[:most]
    return order[counts[order] > 0].astype(np.int64)


def _rhythm(
    past: Behaviour, age: Float64[np.ndarray, "step"], new_day: Bool[np.ndarray, "step"]
) -> Float64[np.ndarray, "user 7"]:
    """Recency, first meeting, and the gaps between active days: mean, spread, last; lateness; share of repeats."""
    people = past.users_total
    last, first = np.full(people, NEVER_DAYS), np.full(people, NEVER_DAYS)
    last[past.users] = age  # ascending in time: the newest is written last
    first[past.users[::-1]] = age[::-1]
    users, days = past.users[new_day], age[new_day]
    gap = np.zeros(len(users))
    same = ~_changes(users)
    gap[same] = days[:-1][same[1:]] - days[1:][same[1:]]
    visits = np.maximum(_count(users, people) - 1, 1)
    mean = np.bincount(users, gap, minlength=people) / visits
    spread = np.sqrt(np.maximum(np.bincount(users, gap * gap, minlength=people) / visits - mean * mean, 0.0))
    newest = np.zeros(people)
    newest[users] = gap
    usual = np.where(mean > 0, mean, np.maximum(first, 1.0))
    distinct = _count(past.users[_last_meetings(past)], people)
    repeats = 1.0 - distinct / np.maximum(_count(past.users, people), 1)
    logs = np.log1p(np.stack([last, first, mean, spread, newest], axis=1))
    return np.concatenate([logs, np.minimum(last / usual, 10.0)[:, None], repeats[:, None]], axis=1)


def _calendar(past: Behaviour) -> Float64[np.ndarray, "user 11"]:
    """Share of each weekday and of each quarter of the day, UTC."""
    people = past.users_total
    quarter = (past.at % DAY_US) // (6 * HOUR_US)
    total = np.maximum(_count(past.users, people), 1)[:, None]
    parts = [_grid(past.users, weekdays(past.at), people, WEEKDAYS), _grid(past.users, quarter, people, 4)]
    return np.concatenate(parts, axis=1) / total


def _last_meetings(past: Behaviour) -> Bool[np.ndarray, "step"]:
    """True at each person's newest step with an item: counting them in a window counts distinct items."""
    keys = past.users.astype(np.int64) * max(past.items_total, 1) + past.items
    last = np.zeros(len(past), dtype=bool)
    last[len(past) - 1 - np.unique(keys[::-1], return_index=True)[1]] = True
    return last


def _money(past: Behaviour) -> Float64[np.ndarray, "step"]:
    return np.zeros(len(past)) if past.amounts is None else past.amounts


def _changes(values: np.ndarray) -> Bool[np.ndarray, "step"]:
    changed = np.ones(len(values), dtype=bool)
    changed[1:] = values[1:] != values[:-1]
    return changed


def _count(users: np.ndarray, people: int) -> Int64[np.ndarray, "user"]:
    return np.bincount(users, minlength=people).astype(np.int64)


def _grid(
    users: np.ndarray, values: np.ndarray, people: int, width: int
) -> Float64[np.ndarray, "user value"]:
    return (
        np.bincount(users.astype(np.int64) * width + values, minlength=people * width)
        .reshape(people, width)
        .astype(np.float64)
    )


def _table(
    users: np.ndarray, values: np.ndarray, wanted: np.ndarray, people: int, total: int
) -> Float64[np.ndarray, "user wanted"]:
    """Counts of the wanted values per person."""
    place = np.full(max(total, 1), -1, dtype=np.int64)
    place[wanted] = np.arange(len(wanted))
    column = place[values]
    kept = column >= 0
    return _grid(users[kept], column[kept], people, len(wanted)) if len(wanted) else np.zeros((people, 0))
