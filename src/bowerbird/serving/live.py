"""The live workspace: one release at a time, with the events that arrived since it was loaded.

Events reach requests the way everything does: through the log. An event is appended to it, made
durable, and only then read back into the histories; so several servers on one log see the same, and
a restart changes nothing.
"""

from __future__ import annotations

import secrets
import threading
import time
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from bowerbird import clock
from bowerbird.errors import InputError
from bowerbird.pipeline.release import Release
from bowerbird.records.event import Events
from bowerbird.records.request import Request
from bowerbird.records.signal import SignalCard
from bowerbird.records.slate import NotificationPlan, Slate
from bowerbird.serving.ingest import FUTURE_US, Clerk
from bowerbird.serving.replies import ItemCards
from bowerbird.serving.wire import EventsReply, Question, Rejection, moment
from bowerbird.signals.sequences import OnlineSequence
from bowerbird.stores.protocol import EventLog
from bowerbird.surfaces.answers import Answers
from bowerbird.workspace.facade import Workspace
from bowerbird.workspace.loading import loaded_release

FOLLOW_S = 1.0
"""Events that others appended to the log are looked for this often."""
_NEWEST_SEQUENCE = 2**62


@dataclass(frozen=True)
class Edition:
    """What requests read, swapped whole: a release whose sequences take new events."""

    release: Release
    online: OnlineSequence
    answers: Answers
    cards: ItemCards

    @staticmethod
    def of(workspace: Workspace, release: Release, online: OnlineSequence) -> Edition:
        """The edition of a release with its stream."""
        streaming = replace(release, sequences=online)
        answers = Answers(streaming, workspace.settings.surfaces, workspace.ledger)
        return Edition(streaming, online, answers, ItemCards(streaming))


class LiveWorkspace:
    """A workspace that answers and takes events. Safe to call from many threads.

    Args:
        workspace: what is served.
        wall_clock: the time requests are asked at: False for just after the newest event, True for the
            wall clock.

    Raises:
        NotReadyError: nothing was built yet.
    """

    def __init__(self, workspace: Workspace, *, wall_clock: bool = False) -> None:
        self.workspace = workspace
        self._wall_clock = wall_clock
        self._guard = threading.Lock()
        self._followed_s = time.monotonic()
        self.edition: Edition
        """What answers now."""
        self.reload()

    def reload(self) -> str:
        """Load the newest build whole and swap it in; returns its version.

        Raises:
            NotReadyError: nothing was built yet.
        """
        bench = self.workspace.workbench()
        start = bench.log.read_since(_NEWEST_SEQUENCE)[1]
        release = loaded_release(bench)
        online = OnlineSequence(release.sequences.whole())
        edition = Edition.of(self.workspace, release, online)
        loaded = bench.events.table.column("event_id")
        with self._guard:
            self._log: EventLog = bench.log
            self.media = bench.media
            self.users = bench.catalogue.users()
            self._sequence = start
            self._newest = release.as_of
            self.edition = edition
            self._follow(already=loaded)  # what arrived while the release was read
        return release.version

    @property
    def now(self) -> int:
        """The time requests are asked at, microseconds UTC."""
        return clock.now() if self._wall_clock else self._newest

    def ask(self, surface: str, question: Question, image: bytes | None = None) -> tuple[Slate, ItemCards]:
        """The slate for a question, with the cards of its items.

        Raises:
            NotFoundError: the surface or the item is not known.
            InputError: the question lacks what the surface needs, or its picture cannot be read.
        """
        self._follow_now_and_then()
        edition = self.edition
        pipeline = edition.answers.pipeline(surface)
        if surface == "ads" and question.as_of is not None:
            raise InputError("ads: as_of may not be given, because showing ads reserves money now")
        # a question at a standing time is the same question; one at a moving time is a new one
        fresh = secrets.token_hex(8) if self._wall_clock else ""
        slate = edition.answers.answer(
            Request(
                surface=surface,
                as_of=self.now if question.as_of is None else moment(question.as_of),
                user_id=question.user,
                item_id=question.item,
                query=question.query,
                image=image if image is not None else question.picture(),
                n=question.n or pipeline.settings.n,
                seed=question.seed,
                exclude=tuple(question.exclude),
                explain=question.explain,
                request_id=question.request_id or fresh,
            )
        )
        return slate, edition.cards

    def cards(self) -> list[SignalCard]:
        """Every live signal, then every live model."""
        bench = self.workspace.workbench()
        return [*bench.signals.cards(), *bench.models.cards()]

    def plan(self, budget: int, as_of: str | None) -> NotificationPlan:
        """Whom to notify.

        Raises:
            InputError: the time is not understood.
        """
        self._follow_now_and_then()
        return self.edition.answers.growth.plan(budget, self.now if as_of is None else moment(as_of))

    def take(self, rows: list) -> EventsReply:
        """Append events to the log, then to the histories; clicks on ads are charged.

        Returns:
            When it returns, what was accepted is on the disk.

        Raises:
            StorageError: the disk refused; nothing was taken.
        """
        edition, now = self.edition, self.now
        # from the build's time, not from the newest event's: or each batch could move the server a day ahead
        latest = max(clock.now(), edition.release.as_of) + FUTURE_US
        clerk = Clerk(edition.release.row_of, now, latest)
        arrivals = clerk.checked(rows)
        accepted = self._log.append(arrivals.events)
        with self._guard:
            self._follow()
        charged = self._charged(arrivals.events, edition.release)
        rejected: list[Rejection] = list(arrivals.rejected)
        duplicates = len(rows) - len(rejected) - accepted
        return EventsReply(accepted=accepted, duplicates=duplicates, rejected=rejected, charged=charged)

    def _charged(self, events: Events, release: Release) -> float:
        clicks = events.table.filter(
            pc.and_(
                pc.equal(events.table.column("action"), "click"),
                pc.is_valid(events.table.column("request_id")),
            )
        )
        columns = [clicks.column(name).to_pylist() for name in ("request_id", "item_id", "at")]
        ledger = self.workspace.ledger
        return sum(
            ledger.click(request_id, item_id, at)
            for request_id, item_id, at in zip(*columns, strict=True)
            if release.is_ad[release.row_of[item_id]]
        )

    def _follow_now_and_then(self) -> None:
        if time.monotonic() - self._followed_s < FOLLOW_S or not self._guard.acquire(blocking=False):
            return
        try:
            self._follow()
        finally:
            self._guard.release()

    def _follow(self, already: pa.ChunkedArray | None = None) -> None:
        """Take what the log has since the last time. The caller holds the guard."""
        events, self._sequence = self._log.read_since(self._sequence)
        self._followed_s = time.monotonic()
        if already is not None and len(events):
            table = events.table
            events = Events(
                table.filter(
                    pc.invert(pc.is_in(table.column("event_id"), value_set=already.combine_chunks()))
                )
            )
        if not len(events):
            return
        known = self.edition.release.people
        new = tuple(
            name for name in pc.unique(events.table.column("user_id")).to_pylist() if name not in known
        )
        if new:
            online = self.edition.online.with_users(new)
            release = replace(self.edition.release, people=online.users)
            self.edition = Edition.of(self.workspace, release, online)
        self.edition.online.add(events)
        self._newest = max(self._newest, int(events.at[-1]) + 1)
