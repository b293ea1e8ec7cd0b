"""Online state: what a stream has made known of people and items since the last build.

A projection of the event stream, kept by whoever consumes it and read by every server: each person's newest
steps in order of event time, and how often each item was acted on per hour. It can be made again from the
stream at any time, and comes out the same whatever the order, repetition or grouping of arrivals: steps are
ordered by time and then by event id, never by arrival.
"""

from __future__ import annotations

from collections import Counter
from typing import Protocol, runtime_checkable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bowerbird.clock import HOUR_US
from bowerbird.records import EVENT_SCHEMA, Events
from bowerbird.stores.event_rows import canonical
from bowerbird.stores.row_hash import digest, table_lanes
from bowerbird.stores.segments import lane_sums

KEPT = ("event_id", "at", "user_id", "item_id", "action", "query")
"""Columns of an event that the state keeps; the log has the rest."""

LATENESS_US = 2 * HOUR_US
"""How late an event may come and still be expected: see :func:`watermark`."""

TALLIES = pa.schema(
    [("item_id", pa.string()), ("hour", pa.int64()), ("action", pa.string()), ("events", pa.int64())]
)
"""How often each item was acted on: ``hour`` is hours since 1970."""


@runtime_checkable
class OnlineState(Protocol):
    """What the stream says beyond the build. Every event counts once, by its id."""

    @property
    def position(self) -> str:
        """How far the stream was consumed; empty at the beginning."""
        ...

    @property
    def newest(self) -> int:
        """Time of the newest event, microseconds UTC; 0 without any."""
        ...

    def apply(self, events: Events, position: str) -> int:
        """Take events whose id is new and move the position, in one stroke; returns how many were new.

        An empty position leaves it where it is: a server that has just put events on the stream makes them
        known at once, and the consumer meets them again.
        """
        ...

    def person(self, user_id: str) -> Events:
        """A person's steps, by time and then event id; columns beyond :data:`KEPT` are null."""
        ...

    def tallies(self) -> pa.Table:
        """Events per item, hour and action (:data:`TALLIES`), sorted by all three."""
        ...

    def steps(self) -> Events:
        """Everybody's steps: for checks and exports, not for requests."""
        ...

    def trim(self, before: int) -> int:
        """Forget what lies before a time, because a build has it; returns the number of steps gone.

        From then on events before it are left to the next build: the log has them.
        """
        ...

    def forget(self, *, user_id: str | None = None, item_id: str | None = None) -> int:
        """Remove a person or an item; returns the number of steps gone."""
        ...


def watermark(state: OnlineState, lateness_us: int = LATENESS_US) -> int:
    """Events before this time are final but for repairs: later arrivals are still placed, and a build counts them.

    The newest time seen less the lateness that is expected.
    """
    return max(0, state.newest - lateness_us)


def state_fingerprint(state: OnlineState) -> str:
    """A hash of everything requests can read: equal fingerprints mean equal answers."""
    steps, tallies = canonical(state.steps().table), state.tallies()
    order = pc.sort_indices(steps, [("user_id", "ascending"), ("at", "ascending"), ("event_id", "ascending")])
    lanes = table_lanes(steps.take(order)).view(np.int64)
    rows = pa.table({"hash_a": lanes[0], "hash_b": lanes[1]})
    more = table_lanes(tallies).view(np.int64)
    counted = pa.table({"hash_a": more[0], "hash_b": more[1]})
    return digest(len(steps), lane_sums(rows)) + digest(len(tallies), lane_sums(counted))


def kept_columns(events: Events, floor: int) -> pa.Table:
    """What the state keeps of events, each id once, those before the floor left out."""
    table = canonical(events.table).select(list(KEPT))
    return table.filter(pc.greater_equal(table.column("at"), floor))


def as_events(rows: list[tuple]) -> Events:
    """Rows of :data:`KEPT` as events, by time and then event id."""
    ordered = sorted(rows, key=lambda row: (row[1], row[0]))
    table = pa.Table.from_pylist([dict(zip(KEPT, row, strict=True)) for row in ordered], schema=EVENT_SCHEMA)
    return Events(table)


def tallied(rows: list[tuple]) -> Counter[tuple[str, int, str]]:
    """Events per item, hour and action among rows of :data:`KEPT`."""
    return Counter((row[3], row[1] // HOUR_US, row[4]) for row in rows if row[3] is not None)


def tally_table(counts: dict[tuple[str, int, str], int]) -> pa.Table:
    """Counts as a table of the schema :data:`TALLIES`, sorted; zeros are not there."""
    rows = sorted((*key, count) for key, count in counts.items() if count > 0)
    columns = zip(*rows, strict=True) if rows else [()] * len(TALLIES)
    return pa.table(
        [pa.array(values, field.type) for field, values in zip(TALLIES, columns, strict=True)], schema=TALLIES
    )


class MemoryOnlineState:
    """The slow, obvious twin: a dict of rows, everything else computed from it."""

    def __init__(self) -> None:
        self._rows: dict[str, tuple] = {}
        self._position = ""
        self._floor = 0
        self._newest = 0

    @property
    def position(self) -> str:
        """How far the stream was consumed."""
        return self._position

    @property
    def newest(self) -> int:
        """Time of the newest event."""
        return self._newest

    def apply(self, events: Events, position: str) -> int:
        """Take events whose id is new."""
        before = len(self._rows)
        for row in zip(
            *(kept_columns(events, self._floor).column(name).to_pylist() for name in KEPT), strict=True
        ):
            self._rows.setdefault(row[0], row)
        self._position = position or self._position
        self._newest = max(self._newest, int(events.at[-1]) if len(events) else 0)
        return len(self._rows) - before

    def person(self, user_id: str) -> Events:
        """A person's steps."""
        return as_events([row for row in self._rows.values() if row[2] == user_id])

    def tallies(self) -> pa.Table:
        """Events per item, hour and action."""
        return tally_table(tallied(list(self._rows.values())))

    def steps(self) -> Events:
        """Everybody's steps."""
        return as_events(list(self._rows.values()))

    def trim(self, before: int) -> int:
        """Forget what lies before a time."""
        self._floor = max(self._floor, before)
        return self._without(lambda row: row[1] < before)

    def forget(self, *, user_id: str | None = None, item_id: str | None = None) -> int:
        """Remove a person or an item."""
        return self._without(
            lambda row: (
                (user_id is not None and row[2] == user_id) or (item_id is not None and row[3] == item_id)
            )
        )

    def _without(self, gone) -> int:
        before = len(self._rows)
        self._rows = {name: row for name, row in self._rows.items() if not gone(row)}
        return before - len(self._rows)
