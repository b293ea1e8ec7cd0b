"""Activity states: how alive a person's relation with the service is.

A person's state follows from the days they were active in the 28 days before ``as_of``:

========  =====================================================
new       their first event is at most 28 days old
core      active on 8 days or more: two days a week
casual    active on 4 to 7 days: once a week
marginal  active on 1 to 3 days
dormant   not active, but seen before
========  =====================================================

``new`` wins over the others while it lasts. A person without any event before ``as_of`` has no state (-1).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int8, Int64

from bowerbird.clock import DAY_US
from bowerbird.signals.sequences import Sequences

STATES = ("new", "core", "casual", "marginal", "dormant")
"""Every state, in the order of its code."""

EVER_DAYS = 1_000_000
ACTIVE_DAYS = (7, 28, 90, 180, EVER_DAYS)
"""Windows active days are counted in."""
EVENTS_DAYS = (7, 28, EVER_DAYS)
"""Windows events are counted in."""
WINDOW_DAYS = 28
CORE_DAYS = 8
CASUAL_DAYS = 4


@dataclass(frozen=True)
class Activity:
    """When people were there, counted back from ``as_of``. Day 0 is the 24 hours before it.

    Args:
        as_of: the time of reading, microseconds UTC.
        active: per person, active days in each of :data:`ACTIVE_DAYS`.
        events: per person, events in each of :data:`EVENTS_DAYS`.
        last_days: days since the last event; infinite without one.
        first_days: days since the first event; infinite without one.
    """

    as_of: int
    active: Int64[np.ndarray, "user window"]
    events: Int64[np.ndarray, "user events_window"]
    last_days: Float64[np.ndarray, "user"]
    first_days: Float64[np.ndarray, "user"]

    @staticmethod
    def of(sequences: Sequences, as_of: int) -> Activity:
        """Everybody's activity strictly before ``as_of``.

        Cost: O(events).
        """
        track, people = sequences.activity, len(sequences.users)
        past = track.at < as_of
        owners, at = track.owners()[past], track.at[past]
        day = (as_of - 1 - at) // DAY_US
        new_day = np.ones(owners.shape[0], dtype=bool)
        new_day[1:] = (owners[1:] != owners[:-1]) | (
            day[1:] != day[:-1]
        )  # ascending in time, so equal days adjoin

        def count(mask: Bool[np.ndarray, "n"]) -> Int64[np.ndarray, "user"]:
            return np.bincount(owners[mask], minlength=people).astype(np.int64)

        last, first = np.full(people, np.inf), np.full(people, np.inf)
        age = (as_of - at) / DAY_US
        last[owners] = age  # the newest is written last
        first[owners[::-1]] = age[::-1]
        return Activity(
            as_of,
            np.stack([count(new_day & (day < days)) for days in ACTIVE_DAYS], axis=1),
            np.stack([count(day < days) for days in EVENTS_DAYS], axis=1),
            last,
            first,
        )

    @property
    def seen(self) -> Bool[np.ndarray, "user"]:
        """Who had any event before ``as_of``."""
        return np.isfinite(self.last_days)

    def states(self) -> Int8[np.ndarray, "user"]:
        """Code of each person's state into :data:`STATES`; -1 for people not seen yet."""
        days = self.active[:, ACTIVE_DAYS.index(WINDOW_DAYS)]
        chosen = np.select(
            [~self.seen, self.first_days <= WINDOW_DAYS, days >= CORE_DAYS, days >= CASUAL_DAYS, days >= 1],
            [-1, STATES.index("new"), STATES.index("core"), STATES.index("casual"), STATES.index("marginal")],
            STATES.index("dormant"),
        )
        return chosen.astype(np.int8)


def activity_states(sequences: Sequences, as_of: int) -> Int8[np.ndarray, "user"]:
    """Code of each person's state into :data:`STATES`; -1 for people not seen yet."""
    return Activity.of(sequences, as_of).states()


def state_transitions(
    before: Int8[np.ndarray, "user"], after: Int8[np.ndarray, "user"]
) -> Int64[np.ndarray, "before after"]:
    """How many people went from each state to each: rows are before, columns after.

    People without a state on either side are not counted.

    Example:
        >>> moves = state_transitions(np.array([1, 1, -1], np.int8), np.array([1, 4, 0], np.int8))
        >>> moves[1].tolist()
        [0, 1, 0, 0, 1]
    """
    known = (before >= 0) & (after >= 0)
    moves = np.zeros((len(STATES), len(STATES)), dtype=np.int64)
    np.add.at(moves, (before[known], after[known]), 1)
    return moves
