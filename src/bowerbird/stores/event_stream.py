"""Event streams: where servers put events and consumers follow them.

The embedded stream is the workspace's event log. Redis streams (:mod:`bowerbird.stores.redis_store`) and
Kafka (:mod:`bowerbird.stores.kafka_log`) stand behind the same protocol when servers and builds live on
different machines; then :func:`advance` brings what they carry into the log, so builds read one place.

A stream may deliver an event twice (a producer retried, a consumer was killed); what reads it keeps each
event once, by its id.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import pyarrow as pa

from bowerbird.records import EVENT_SCHEMA, Events
from bowerbird.stores.online_state import OnlineState
from bowerbird.stores.protocol import EventLog

START = ""
"""The position before everything."""
_AFTER_ALL = 2**62


@dataclass(frozen=True)
class Forgotten:
    """What a stream did about somebody's events."""

    removed: int = 0
    remaining: int = 0
    """Events it cannot take out: they go with its retention."""


@runtime_checkable
class EventStream(Protocol):
    """Events in the order of their arrival, followed by position."""

    def publish(self, events: Events) -> int:
        """Add events, all or an error; returns how many were written. They are safe on return."""
        ...

    def read(self, position: str, most: int = 10_000) -> tuple[Events, str]:
        """Events that arrived after a position, oldest arrivals first, and the position to pass next.

        About ``most`` at a time; none when there is nothing new, and then the position is as it was.
        """
        ...

    def forget(self, *, user_id: str | None = None, item_id: str | None = None) -> Forgotten:
        """Remove a person's or an item's events as far as the stream can."""
        ...

    def trim(self, position: str, before: int) -> int:
        """Let go of events that were consumed up to a position and arrived before a time (microseconds UTC).

        Returns:
            How many went; 0 where the stream has a retention of its own.
        """
        ...


class LogStream:
    """The embedded stream: a workspace's event log, which also keeps each event once.

    Args:
        log: where events are kept.
    """

    def __init__(self, log: EventLog) -> None:
        self._log = log

    @property
    def end(self) -> str:
        """The position after everything there is."""
        return str(self._log.read_since(_AFTER_ALL)[1])

    def publish(self, events: Events) -> int:
        """Append to the log; returns how many were new."""
        return self._log.append(events)

    def read(self, position: str, most: int = 10_000) -> tuple[Events, str]:
        """What arrived after a position, whole: the log hands out no halves."""
        events, sequence = self._log.read_since(int(position or 0))
        return events, str(sequence) if len(events) or position else position

    def forget(self, *, user_id: str | None = None, item_id: str | None = None) -> Forgotten:
        """Nothing: forgetting removes them from the log itself."""
        return Forgotten()

    def trim(self, position: str, before: int) -> int:
        """Nothing: the log keeps everything."""
        return 0


class MemoryStream:
    """A stream that is gone when its process ends."""

    def __init__(self) -> None:
        self._rows: list[pa.Table] = []

    def publish(self, events: Events) -> int:
        """Add events."""
        self._rows.extend(events.table.slice(place, 1) for place in range(len(events)))
        return len(events)

    def read(self, position: str, most: int = 10_000) -> tuple[Events, str]:
        """What arrived after a position."""
        start = int(position or 0)
        rows = self._rows[start : start + most]
        if not rows:
            return Events(EVENT_SCHEMA.empty_table()), position
        return Events(pa.concat_tables(rows)), str(start + len(rows))

    def forget(self, *, user_id: str | None = None, item_id: str | None = None) -> Forgotten:
        """Make a person's or an item's rows empty; positions stay what they are."""
        gone = 0
        for place, row in enumerate(self._rows):
            one = row.to_pylist()[:1]
            if one and belongs(one[0], user_id, item_id):
                self._rows[place] = row.slice(0, 0)
                gone += 1
        return Forgotten(gone)

    def trim(self, position: str, before: int) -> int:
        """Make what was consumed empty; memory has no times of arrival."""
        done = [place for place in range(int(position or 0)) if len(self._rows[place])]
        for place in done:
            self._rows[place] = self._rows[place].slice(0, 0)
        return len(done)


def belongs(row: Mapping[str, Any], user_id: str | None, item_id: str | None) -> bool:
    """Whether an event is a person's, or about an item."""
    return (user_id is not None and row.get("user_id") == user_id) or (
        item_id is not None and row.get("item_id") == item_id
    )


def advance(
    stream: EventStream, state: OnlineState, archive: EventLog | None = None, most: int = 10_000
) -> int:
    """One step of a consumer: the next events of a stream into the online state; returns how many were read.

    The log comes first and the position moves with the state, in one stroke: killed anywhere, the next
    step does again what was half done, and by their ids events are kept once in both.

    Args:
        stream: what is followed.
        state: what requests read; it remembers how far it came.
        archive: the workspace's log, where the stream is not the log itself.
        most: events per step.
    """
    read, position = stream.read(state.position, most)
    if position == state.position:
        return 0
    events = read
    if archive is not None:
        archive.append(events)
        back = archive.forgotten(events.table.column("event_id"))  # the stream may keep what was forgotten
        events = Events(events.table.filter(pa.array(~back)))
    state.apply(events, position)
    return max(len(read), 1)
