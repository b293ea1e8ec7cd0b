"""Counts of events per item (or person) over any window of time, exact at any moment.

There are no daily tables to go stale. Per action one sorted array of keys ``row * width + rank of the time``
answers any window with two binary searches, so training examples, serving and reports read the same numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int32, Int64

from bowerbird.clock import HOUR_US
from bowerbird.errors import InputError, did_you_mean
from bowerbird.records.event import ACTION_CODE, ACTIONS, POSITIVE_ACTIONS, Events
from bowerbird.records.vocabulary import Vocabulary
from bowerbird.signals.sequences import vocabulary_rows

NEVER = int(np.iinfo(np.int64).max)
"""The time of something that has not happened."""


@dataclass(frozen=True)
class EventCounts:
    """Exact point-in-time counts. Every window is ``since <= at < until``.

    Make one with :meth:`from_events` (items) or :meth:`of_users` (people).

    Args:
        entities: number of items (or people).
        instants: the distinct times of the log, ascending, microseconds UTC.
        keys: per action, ascending ``row * (len(instants) + 1) + rank``, where rank is the place of the event's
            time among the instants. Ranks instead of times keep the product inside int64 for any log.
        first: time of the first event per row; :data:`NEVER` without events.

    Example:
        >>> import pyarrow as pa
        >>> events = Events(pa.table({"event_id": ["1", "2", "3"], "at": [10, 20, 30], "user_id": ["u"] * 3,
        ...     "item_id": ["a", "a", "b"], "action": ["save", "save", "click"]}))
        >>> counts = EventCounts.from_events(events, Vocabulary("item", ("a", "b")))
        >>> counts.totals(("save", "click"), since=10, until=30).tolist()
        [2, 0]
    """

    entities: int
    instants: Int64[np.ndarray, "instant"]
    keys: Mapping[str, Int64[np.ndarray, "_"]]
    first: Int64[np.ndarray, "entity"]

    @staticmethod
    def from_events(events: Events, items: Vocabulary) -> EventCounts:
        """Counts per item of the catalogue; events of other items are not counted.

        Cost: O(n log n) time, O(n) memory.
        """
        return _counted(vocabulary_rows(events.table.column("item_id"), items), events, len(items))

    @staticmethod
    def of_users(events: Events, users: Vocabulary) -> EventCounts:
        """Counts per person; events of other people are not counted."""
        return _counted(vocabulary_rows(events.table.column("user_id"), users), events, len(users))

    def appended(self, events: Events, items: Vocabulary) -> EventCounts:
        """These counts per item with more events, wherever in time they belong: as if all had come at once."""
        rows = [vocabulary_rows(events.table.column("item_id"), items).astype(np.int64)]
        at, codes = [events.at], [events.action_codes]
        for action, keys in self.keys.items():
            own, ranks = np.divmod(keys, self.instants.shape[0] + 1)
            rows.append(own)
            at.append(self.instants[ranks])
            codes.append(np.full(len(keys), ACTION_CODE[action], dtype=np.int8))
        return _of_steps(np.concatenate(rows), np.concatenate(at), np.concatenate(codes), self.entities)

    def counts(
        self,
        rows: Int32[np.ndarray, "n"],
        actions: tuple[str, ...],
        since: int | Int64[np.ndarray, "n"],
        until: int | Int64[np.ndarray, "n"],
    ) -> Int64[np.ndarray, "n"]:
        """Events of some actions per row with ``since <= at < until``.

        Args:
            rows: item (or user) rows; -1 counts nothing.
            actions: names of actions.
            since: first microsecond counted, one for all or one per row.
            until: first microsecond not counted, one for all or one per row: the as-of of each example.

        Raises:
            InputError: an action is not known.

        Cost: O(n log events) per action.
        """
        width = self.instants.shape[0] + 1
        own = rows.astype(np.int64) * width  # in int32 the product wraps: 3,000 items x a million times
        start = own + np.searchsorted(self.instants, since, side="left")
        stop = own + np.searchsorted(self.instants, until, side="left")
        total = np.zeros(rows.shape[0], dtype=np.int64)
        for action in actions:
            keys = self._keys(action)
            total += np.searchsorted(keys, stop) - np.searchsorted(keys, start)
        return np.where((rows < 0) | (stop < start), 0, total)

    def totals(self, actions: tuple[str, ...], since: int, until: int) -> Int64[np.ndarray, "entity"]:
        """:meth:`counts` of every row."""
        return self.counts(np.arange(self.entities, dtype=np.int32), actions, since, until)

    def first_seen(self, rows: Int32[np.ndarray, "n"]) -> Int64[np.ndarray, "n"]:
        """Time of the first event per row, microseconds UTC; :data:`NEVER` without one and for row -1.

        A reader at ``as_of`` treats a value at or after ``as_of`` as not seen yet.
        """
        if self.entities == 0:
            return np.full(rows.shape[0], NEVER, dtype=np.int64)
        return np.where(rows >= 0, self.first[rows], NEVER)

    def trending(self, as_of: int, half_life_hours: int | float = 24.0) -> Float32[np.ndarray, "entity"]:
        """How much people act on each item lately, for its exposure.

        With ``d(t) = 2^(-(as_of - t) / half_life)``, ``P = sum d`` over positive events and ``I = sum d`` over
        impressions, the score is ``P / sqrt(1 + I)``: with ``P = rate * I`` it grows as ``rate * sqrt(I)``, so it
        rewards volume without letting what we chose to show decide. Without impressions it is ``P``.

        Args:
            as_of: events at or after it are not used; microseconds UTC.
            half_life_hours: age at which an event counts half, above 0.

        Raises:
            InputError: the half-life is not above 0.

        Cost: O(events).
        """
        return trending_scores(*self.decayed(as_of, half_life_hours))

    def decayed(
        self, as_of: int, half_life_hours: int | float
    ) -> tuple[Float64[np.ndarray, "entity"], Float64[np.ndarray, "entity"]]:
        """Positive events and impressions of every row, each weighing half as much per half-life of age.

        Raises:
            InputError: the half-life is not above 0.
        """
        if not half_life_hours > 0:
            raise InputError(f"trending: half_life_hours = {half_life_hours}; expected more than 0")
        positives = np.zeros(self.entities, dtype=np.float64)
        for action in POSITIVE_ACTIONS:
            positives += self._decayed(action, as_of, half_life_hours)
        return positives, self._decayed("impression", as_of, half_life_hours)

    def _decayed(self, action: str, as_of: int, half_life_hours: int | float) -> np.ndarray:
        rows, ranks = np.divmod(self._keys(action), self.instants.shape[0] + 1)
        past = ranks < np.searchsorted(self.instants, as_of, side="left")
        age_hours = (as_of - self.instants[ranks[past]]) / HOUR_US
        weights = np.exp2(-age_hours / half_life_hours)
        # of no event at all bincount gives whole numbers
        return np.bincount(rows[past], weights, minlength=self.entities).astype(np.float64)

    def _keys(self, action: str) -> np.ndarray:
        if action not in ACTION_CODE:
            raise InputError(f"counts: unknown action {action!r}; {did_you_mean(action, ACTIONS)}")
        return self.keys.get(action, _NO_KEYS)


def trending_scores(
    positives: Float64[np.ndarray, "entity"], shown: Float64[np.ndarray, "entity"]
) -> Float32[np.ndarray, "entity"]:
    """``P / sqrt(1 + I)`` of decayed positive events and impressions; see :meth:`EventCounts.trending`."""
    return (positives / np.sqrt(1.0 + shown)).astype(np.float32)


_NO_KEYS = np.empty(0, dtype=np.int64)


def _counted(rows: Int32[np.ndarray, "n"], events: Events, entities: int) -> EventCounts:
    return _of_steps(rows.astype(np.int64), events.at, events.action_codes, entities)


def _of_steps(
    rows: Int64[np.ndarray, "n"], at: Int64[np.ndarray, "n"], codes: np.ndarray, entities: int
) -> EventCounts:
    known = rows >= 0
    rows, at, codes = rows[known], at[known], codes[known]
    instants, ranks = np.unique(at, return_inverse=True)
    keys = rows * (instants.shape[0] + 1) + ranks
    first = np.full(entities, NEVER, dtype=np.int64)
    np.minimum.at(first, rows, at)
    by_action = {ACTIONS[code]: np.sort(keys[codes == code]) for code in np.unique(codes).tolist()}
    return EventCounts(entities, instants.astype(np.int64, copy=False), by_action, first)
