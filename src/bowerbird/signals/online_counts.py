"""Counts of events that grow while serving, exact at every full hour."""

from __future__ import annotations

import threading

import numpy as np
import pyarrow as pa
from jaxtyping import Float32, Float64, Int32, Int64

from bowerbird.clock import HOUR_US
from bowerbird.records.event import Events
from bowerbird.records.vocabulary import Vocabulary
from bowerbird.signals.aggregates import EventCounts
from bowerbird.signals.arrivals import Arrivals


class OnlineCounts:
    """The counts of a build with what arrived since. Reads like :class:`EventCounts`.

    Who reads counts reads them as of a full hour (trending) or a midnight (response rates), so arrivals
    wait and are counted together when an hour has passed, the late ones among them too: one pass over
    the log per hour, not one per event.

    Args:
        batch: the counts of the build.
        items: the catalogue the counts are aligned to.
        hour: hours since 1970 up to which the batch counts.
    """

    def __init__(self, batch: EventCounts, items: Vocabulary, hour: int) -> None:
        self._counted = batch
        self._items = items
        self._hour = hour
        self._arrived: Arrivals[Events] = Arrivals(_joined)
        self._guard = threading.Lock()

    def add(self, events: Events, now: int) -> None:
        """Take arrivals; they count once an hour has ended since the last ones were counted.

        Args:
            events: what arrived, late ones too.
            now: the time of serving, microseconds UTC.
        """
        with self._guard:
            self._arrived.add(events)
            if now // HOUR_US > self._hour:
                arrived = self._arrived.taken()
                if arrived is not None:
                    self._counted = self._counted.appended(arrived, self._items)
                self._hour = now // HOUR_US

    @property
    def entities(self) -> int:
        """Number of items."""
        return self._counted.entities

    def counts(
        self,
        rows: Int32[np.ndarray, "n"],
        actions: tuple[str, ...],
        since: int | Int64[np.ndarray, "n"],
        until: int | Int64[np.ndarray, "n"],
    ) -> Int64[np.ndarray, "n"]:
        """See :meth:`EventCounts.counts`."""
        return self._counted.counts(rows, actions, since, until)

    def totals(self, actions: tuple[str, ...], since: int, until: int) -> Int64[np.ndarray, "entity"]:
        """See :meth:`EventCounts.totals`."""
        return self._counted.totals(actions, since, until)

    def first_seen(self, rows: Int32[np.ndarray, "n"]) -> Int64[np.ndarray, "n"]:
        """See :meth:`EventCounts.first_seen`."""
        return self._counted.first_seen(rows)

    def trending(self, as_of: int, half_life_hours: int | float = 24.0) -> Float32[np.ndarray, "entity"]:
        """See :meth:`EventCounts.trending`."""
        return self._counted.trending(as_of, half_life_hours)

    def decayed(
        self, as_of: int, half_life_hours: int | float
    ) -> tuple[Float64[np.ndarray, "entity"], Float64[np.ndarray, "entity"]]:
        """See :meth:`EventCounts.decayed`."""
        return self._counted.decayed(as_of, half_life_hours)


def _joined(pieces: list[Events]) -> Events:
    return Events(pa.concat_tables([one.table for one in pieces]).combine_chunks())
