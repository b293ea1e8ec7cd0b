"""What arrives after a release was loaded, brought into it: from the stream, or from a shared online state."""

from __future__ import annotations

import threading
import time
from contextlib import suppress

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import UInt64

from bowerbird.errors import StorageError
from bowerbird.pipeline.release import Release
from bowerbird.records.event import Events
from bowerbird.signals.online_counts import OnlineCounts
from bowerbird.signals.online_sequence import OnlineSequence
from bowerbird.stores.event_stream import EventStream, LogStream
from bowerbird.stores.id_runs import known_in, sorted_run
from bowerbird.stores.online_state import OnlineState
from bowerbird.stores.protocol import EventLog
from bowerbird.stores.recent_ids import RecentIds
from bowerbird.stores.row_hash import string_lanes

FOLLOW_S = 1.0
"""What others put on the stream is looked for this often."""
RECENT = 2**18
"""Of a stream other than the log, so many events at least are told from a second delivery of them."""
STATE_DOWN = "the online state cannot be read: this answer knows events up to the build, not later ones"


class Follower:
    """Keeps one release up to date. Safe to call from many threads.

    Args:
        stream: where events are put.
        state: what a consumer makes of them, where servers share it; None to follow the stream here.
        release: the release, whose sequences are ``online``.
        online: takes the events.
        position: the place in the stream from which the release may lack events.
        already: ids of events the release has.
        log: knows which events were forgotten; a stream may still have them.
    """

    def __init__(
        self,
        stream: EventStream,
        state: OnlineState | None,
        release: Release,
        online: OnlineSequence,
        position: str,
        already: pa.ChunkedArray,
        log: EventLog,
    ) -> None:
        self._stream = stream
        self._state = state
        self._release = release
        self._online = online
        self._position = position
        self._already: UInt64[np.ndarray, "2 known"] | None = sorted_run(string_lanes(already))
        self._recent = RecentIds(RECENT)
        self._log = log
        self._guard = threading.Lock()
        self._followed_s = time.monotonic()
        self._taken: dict[str, UInt64[np.ndarray, "2 taken"]] = {}
        self.newest = release.as_of
        """Just after the newest event known."""
        self.follow()
        if isinstance(
            stream, LogStream
        ):  # the log keeps each event once: what comes after the first look is new
            self._already = None

    def publish(self, events: Events) -> int:
        """Put events on the stream, then read it; returns how many were taken.

        Raises:
            StorageError: the stream refused; nothing was taken, and sending again is safe.
        """
        if not len(events):
            return 0
        taken = self._stream.publish(events)
        if self._state is not None:
            with suppress(StorageError):  # they are on the stream: the consumer brings them later
                self._state.apply(events, "")
        self.follow()
        return taken

    def follow(self) -> None:
        """Take everything the stream has since the last time."""
        with self._guard:
            self._follow()

    def follow_now_and_then(self) -> None:
        """:meth:`follow`, if it is time and nobody is at it."""
        if time.monotonic() - self._followed_s < FOLLOW_S or not self._guard.acquire(blocking=False):
            return
        try:
            self._follow()
        finally:
            self._guard.release()

    def catch_up(self, user_id: str | None) -> tuple[str, ...]:
        """Take what the shared state has of a person beyond the build; what cannot be read is said, not raised.

        Returns:
            Notes for the answer.
        """
        if self._state is None or user_id is None:
            return ()
        try:
            steps = self._state.person(user_id)
        except StorageError:
            return (STATE_DOWN,)
        with self._guard:
            ids = string_lanes(steps.table.column("event_id"))
            new = steps.at >= self._release.as_of
            if user_id in self._taken:
                new &= ~known_in(self._taken[user_id], ids)
            if new.any():
                self._take(Events(steps.table.filter(pa.array(new))))
            self._taken[user_id] = sorted_run(ids)  # what left the state does not come back
        return ()

    def _follow(self) -> None:
        self._followed_s = time.monotonic()
        if self._state is not None:
            self.newest = max(self.newest, self._newest_of(self._state))
            return
        while True:
            before = self._position
            events, self._position = self._stream.read(before)
            if self._position == before:
                return
            self._take(self._first_seen(events))

    def _first_seen(self, events: Events) -> Events:
        """Those that neither the release has nor the stream delivered lately."""
        if self._already is None:
            return events
        ids = events.table.column("event_id")
        known = known_in(self._already, string_lanes(ids)) | self._log.forgotten(ids)
        new = self._recent.first_met(ids) & ~known
        return Events(events.table.filter(pa.array(new)))

    def _newest_of(self, state: OnlineState) -> int:
        try:
            return state.newest + 1
        except StorageError:  # every answer says so, see catch_up
            return 0

    def _take(self, events: Events) -> None:
        if not len(events):
            return
        known = self._release.people
        acting = pc.unique(events.table.column("user_id")).to_pylist()
        new = tuple(name for name in acting if name not in known)
        if new:
            self._online.meet(new)
            self._release.meet(self._online.users)
        self._online.add(events)
        self.newest = max(self.newest, int(events.at[-1]) + 1)
        if isinstance(self._release.counts, OnlineCounts):
            self._release.counts.add(events, self.newest)
