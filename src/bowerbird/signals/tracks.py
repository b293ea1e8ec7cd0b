"""Tracks: steps of many people in one pair of flat arrays, each person's in order of time.

A track is the shape behind every sequence: compressed sparse rows (CSR), sorted by
``(user, at, arrival)``. Reading a person up to a time is two binary searches.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int, Int8, Int32, Int64

from bowerbird.arrays import group_offsets


@dataclass(frozen=True)
class Steps:
    """Events as bare columns, in order of arrival.

    Args:
        users: user rows, all known.
        rows: item rows; -1 for an event without item.
        at: times, microseconds UTC, in any order.
        actions: codes into :data:`bowerbird.records.event.ACTIONS`.
        asked: whether the event belongs to an answer to the person's own words.
    """

    users: Int32[np.ndarray, "n"]
    rows: Int32[np.ndarray, "n"]
    at: Int64[np.ndarray, "n"]
    actions: Int8[np.ndarray, "n"]
    asked: Bool[np.ndarray, "n"]

    def where(self, keep: Bool[np.ndarray, "n"]) -> Steps:
        """The marked steps."""
        return Steps(self.users[keep], self.rows[keep], self.at[keep], self.actions[keep], self.asked[keep])

    @staticmethod
    def joined(parts: list[Steps]) -> Steps:
        """Several arrivals as one, in their order."""
        return Steps(
            *(np.concatenate([getattr(one, name) for one in parts]) for name in Steps.__dataclass_fields__)
        )

    def __len__(self) -> int:
        return self.users.shape[0]


@dataclass(frozen=True)
class Track:
    """Steps grouped by person, each group ascending in time; equal times keep the order of arrival.

    Args:
        offsets: person ``u`` owns positions ``offsets[u]:offsets[u + 1]``.
        rows: item rows; -1 for an event without item.
        at: times, microseconds UTC.
        actions: codes into :data:`bowerbird.records.event.ACTIONS`.

    Example:
        >>> steps = Steps(
        ...     np.array([1, 0, 1], np.int32), np.array([7, 8, 9], np.int32),
        ...     np.array([20, 5, 10]), np.zeros(3, np.int8), np.zeros(3, bool),
        ... )
        >>> track = Track.of(steps, users=2)
        >>> track.rows.tolist(), track.offsets.tolist()
        ([8, 9, 7], [0, 1, 3])
        >>> track.rows[track.span(1, until=20)].tolist()
        [9]
    """

    offsets: Int64[np.ndarray, "bound"]
    rows: Int32[np.ndarray, "step"]
    at: Int64[np.ndarray, "step"]
    actions: Int8[np.ndarray, "step"]

    @staticmethod
    def of(steps: Steps, users: int) -> Track:
        """The track of steps in any order.

        Args:
            steps: what happened, in order of arrival.
            users: number of people; each user row is below it.
        """
        order = np.lexsort((steps.at, steps.users))  # lexsort is stable: ties keep the arrival
        return Track(
            group_offsets(steps.users[order], users), steps.rows[order], steps.at[order], steps.actions[order]
        )

    def __len__(self) -> int:
        return self.rows.shape[0]

    @property
    def users(self) -> int:
        """Number of people."""
        return self.offsets.shape[0] - 1

    def span(self, user_row: int, until: int, since: int | None = None) -> slice:
        """Positions of one person's steps with ``since <= at < until``.

        Cost: O(log n).
        """
        first, end = int(self.offsets[user_row]), int(self.offsets[user_row + 1])
        own = self.at[first:end]
        stop = first + int(np.searchsorted(own, until, side="left"))
        start = first if since is None else first + int(np.searchsorted(own, since, side="left"))
        return slice(min(start, stop), stop)

    def owners(self) -> Int32[np.ndarray, "step"]:
        """The user row of each position."""
        return np.repeat(np.arange(self.users, dtype=np.int32), np.diff(self.offsets))

    def before(self, until: int, newest: int) -> Track:
        """Everybody's newest steps strictly before a time: the batch form of :meth:`span`.

        Args:
            until: first microsecond left out.
            newest: most steps kept per person.

        Cost: O(n).
        """
        past = np.concatenate([np.zeros(1, np.int64), np.cumsum(self.at < until, dtype=np.int64)])
        stops = self.offsets[:-1] + past[self.offsets[1:]] - past[self.offsets[:-1]]
        lengths = np.minimum(stops - self.offsets[:-1], newest)
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        kept = np.arange(offsets[-1]) + np.repeat(stops - lengths - offsets[:-1], lengths)
        return Track(offsets, self.rows[kept], self.at[kept], self.actions[kept])

    def of_one(self, user_row: int) -> Track:
        """The track of one person alone, as person 0."""
        own = slice(int(self.offsets[user_row]), int(self.offsets[user_row + 1]))
        return Track(
            np.array([0, own.stop - own.start], dtype=np.int64),
            self.rows[own],
            self.at[own],
            self.actions[own],
        )

    def of_many(self, user_rows: Int[np.ndarray, "some"]) -> Track:
        """The track of some people, in that order, as persons 0, 1, ..."""
        starts = self.offsets[:-1][user_rows]
        lengths = self.offsets[1:][user_rows] - starts
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        kept = np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], lengths)
        return Track(offsets, self.rows[kept], self.at[kept], self.actions[kept])

    def with_users(self, more: int) -> Track:
        """The track with more people at the end, who did nothing yet."""
        return Track(
            np.append(self.offsets, np.full(more, self.offsets[-1])), self.rows, self.at, self.actions
        )

    def merged(self, steps: Steps) -> Track:
        """The track with later arrivals put in their places: after what is there at an equal time.

        Cost: O(n + m log m) for m new steps; the old ones are copied, not sorted again.
        """
        if len(steps) == 0:
            return self
        order = np.lexsort((steps.at, steps.users))
        users, at = steps.users[order], steps.at[order]
        places = self._places(users, at)
        added = np.bincount(users, minlength=self.users).astype(np.int64)
        return Track(
            self.offsets + np.concatenate([np.zeros(1, np.int64), np.cumsum(added)]),
            np.insert(self.rows, places, steps.rows[order]),
            np.insert(self.at, places, at),
            np.insert(self.actions, places, steps.actions[order]),
        )

    def _places(self, users: Int32[np.ndarray, "n"], at: Int64[np.ndarray, "n"]) -> Int64[np.ndarray, "n"]:
        """Where each step goes: the end of its person's steps with time <= its own (a binary search, all at once)."""
        low, high = self.offsets[users].copy(), self.offsets[users + 1].copy()
        while True:
            open_ = low < high
            if not open_.any():
                return low
            middle = (low + high) // 2
            goes_right = np.zeros(open_.shape, dtype=bool)
            goes_right[open_] = self.at[middle[open_]] <= at[open_]
            low = np.where(open_ & goes_right, middle + 1, low)
            high = np.where(open_ & ~goes_right, middle, high)
