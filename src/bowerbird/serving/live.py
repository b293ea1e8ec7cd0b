"""The live workspace: one release at a time, with the events that arrived since it was loaded.

Events reach requests the way everything does: through the stream, which is the log unless the settings
name another. An event is put there, made durable, and only then read back into the histories; so several
servers on one stream see the same, and a restart changes nothing.
"""

from __future__ import annotations

import logging
import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from bowerbird import clock
from bowerbird.errors import BowerbirdError, InputError
from bowerbird.pipeline.release import Release
from bowerbird.pipeline.why_not import WhyNot, why_not
from bowerbird.records.event import EVENT_SCHEMA, Events
from bowerbird.records.request import Request, boosts_of
from bowerbird.records.signal import SignalCard
from bowerbird.records.slate import NotificationPlan, Slate
from bowerbird.records.user import Users
from bowerbird.serving.follower import Follower
from bowerbird.serving.ingest import FUTURE_US, Clerk
from bowerbird.serving.release_check import CheckReport, checked
from bowerbird.serving.replies import ItemCards
from bowerbird.serving.wire import EventsReply, Question, Rejection, moment
from bowerbird.signals.online_sequence import OnlineSequence
from bowerbird.stores.event_stream import START, LogStream
from bowerbird.stores.protocol import MediaStore
from bowerbird.surfaces.answers import Answers
from bowerbird.workspace.facade import Workspace
from bowerbird.workspace.forgetting import ForgetReport
from bowerbird.workspace.loading import loaded_release
from bowerbird.workspace.realtime import opened_state, opened_stream

log = logging.getLogger(__name__)

REPLAYED = 32
"""Newest requests a new release is checked with."""


@dataclass(frozen=True)
class Edition:
    """What requests read, swapped whole: a release whose sequences take new events."""

    release: Release
    follower: Follower
    answers: Answers
    cards: ItemCards
    media: MediaStore
    users: Users

    @staticmethod
    def loaded(workspace: Workspace) -> Edition:
        """The newest build, read whole, with everything that has arrived.

        Raises:
            NotReadyError: nothing was built yet.
        """
        bench = workspace.workbench()
        stream = opened_stream(workspace.settings.realtime, bench.log)
        state = opened_state(workspace.settings.realtime, workspace.layout)
        start = (
            stream.end if isinstance(stream, LogStream) else START
        )  # what arrives while the release is read
        release = loaded_release(bench, shared=True)
        online = OnlineSequence(release.sequences.whole())
        streaming = replace(release, sequences=online)
        already = bench.events.table.column("event_id")
        follower = Follower(stream, state, streaming, online, start, already, bench.log)
        answers = Answers(streaming, workspace.settings.surfaces, workspace.ledger)
        return Edition(
            streaming, follower, answers, ItemCards(streaming), bench.media, bench.catalogue.users()
        )


class LiveWorkspace:
    """A workspace that answers and takes events. Safe to call from many threads.

    Args:
        workspace: what is served.
        wall_clock: the time requests are asked at: False for just after the newest event, True for the
            wall clock.
        record: note every slate for a known person as shown.

    Raises:
        NotReadyError: nothing was built yet.
    """

    def __init__(self, workspace: Workspace, *, wall_clock: bool = False, record: bool = False) -> None:
        self.workspace = workspace
        self._wall_clock = wall_clock
        self._record_all = record
        self.told_degraded: Callable[[], object] = lambda: None
        """Called for every answer that lacks the online state."""
        self.edition = Edition.loaded(workspace)
        """What answers now."""
        self._warm()
        self._asked: deque[Request] = deque(maxlen=REPLAYED)

    def _warm(self) -> None:
        """Answer one request, so that the first one of a caller finds everything read."""
        people = self.edition.release.people.ids
        try:
            self.ask("homefeed", Question(user=people[0] if people else None, record=False), warming=True)
        except BowerbirdError as error:  # a workspace may lack what homefeed needs; its other surfaces answer
            log.warning("homefeed cannot be asked", extra={"why": type(error).__name__})

    @property
    def degraded(self) -> list[str]:
        """What answers lack now, as their notes say it."""
        return list(self.edition.follower.catch_up(""))

    def reload(self, *, unchecked: bool = False) -> CheckReport | None:
        """Load the newest build whole beside the one that answers, check it on the newest requests, swap it in.

        Requests being answered end on the release they began with.

        Args:
            unchecked: swap without looking.

        Raises:
            NotReadyError: nothing was built yet, or the build is not fit to answer; the old one answers on.
        """
        edition = Edition.loaded(self.workspace)
        report = None if unchecked else checked(self.edition.answers, edition.answers, tuple(self._asked))
        self.edition = edition
        return report

    def forget(self, user_id: str) -> ForgetReport:
        """Remove a person from the workspace and from what answers now.

        Raises:
            NotFoundError: nobody has that id.
            BusyError: another process holds the workspace.
        """
        report = self.workspace.forget(user=user_id)
        self.reload(unchecked=True)  # what was forgotten must not answer on, whatever a check says
        return report

    @property
    def now(self) -> int:
        """The time requests are asked at, microseconds UTC."""
        return clock.now() if self._wall_clock else self.edition.follower.newest

    def ask(
        self, surface: str, question: Question, image: bytes | None = None, *, warming: bool = False
    ) -> tuple[Slate, ItemCards]:
        """The slate for a question, with the cards of its items.

        Args:
            surface: which.
            question: what is asked.
            image: a picture's bytes.
            warming: nobody sees the answer: it is neither noted nor replayed.

        Raises:
            NotFoundError: the surface or the item is not known.
            InputError: the question lacks what the surface needs, or its picture cannot be read.
        """
        edition = self.edition
        edition.follower.follow_now_and_then()
        degraded = edition.follower.catch_up(question.user)
        if surface == "ads" and question.as_of is not None:
            raise InputError("ads: as_of may not be given, because showing ads reserves money now")
        request = self._request(surface, question, image)
        slate = edition.answers.answer(request)
        if warming:
            return slate, edition.cards
        if surface != "ads" and request.image is None:  # replaying an ad would reserve money
            self._asked.append(request)
        if question.record or (self._record_all and question.user is not None and question.as_of is None):
            self._record(edition, slate, question.user)
        if degraded:
            self.told_degraded()
            slate = replace(slate, notes=(*slate.notes, *degraded))
        return slate, edition.cards

    def _request(self, surface: str, question: Question, image: bytes | None) -> Request:
        # a question at a standing time is the same question; one at a moving time is a new one
        fresh = secrets.token_hex(8) if self._wall_clock else ""
        return Request(
            surface=surface,
            as_of=self.now if question.as_of is None else moment(question.as_of),
            user_id=question.user,
            item_id=question.item,
            query=question.query,
            image=image if image is not None else question.picture(),
            without=question.without,
            only=tuple(question.only),
            n=question.n or self.edition.answers.pipeline(surface).settings.n,
            seed=question.seed,
            exclude=tuple(question.exclude),
            boosts=boosts_of(question.boost),
            explain=question.explain,
            request_id=question.request_id or fresh,
        )

    def _record(self, edition: Edition, slate: Slate, user_id: str | None) -> None:
        """Put a slate on the stream as impressions, with positions and propensities; a retry is the same events."""
        if user_id is None:
            raise InputError("record: impressions are somebody's; name the user")
        rows = [
            {
                "event_id": f"{slate.request_id}/{entry.position}",
                "at": slate.as_of,
                "user_id": user_id,
                "item_id": entry.item_id,
                "action": "impression",
                "surface": slate.surface,
                "position": entry.position,
                "request_id": slate.request_id,
                # without a draw the policy shows it here for certain
                "propensity": 1.0 if entry.propensity is None else entry.propensity,
            }
            for entry in slate.entries
        ]
        edition.follower.publish(Events(pa.Table.from_pylist(rows, schema=EVENT_SCHEMA)))

    def why_not(self, surface: str, question: Question, item_id: str) -> WhyNot:
        """Why an item is not in the slate of a question.

        Raises:
            NotFoundError: the surface or an item is not known.
            InputError: the question lacks what the surface needs, or the surface is ads: money decides there.
        """
        edition = self.edition
        edition.follower.follow_now_and_then()
        edition.follower.catch_up(question.user)
        if surface == "ads":
            raise InputError("ads: an auction decides there; ask with explain to see who was dropped and why")
        pipeline = edition.answers.pipeline(surface)
        return why_not(pipeline, self._request(surface, question, None), item_id)

    def cards(self) -> list[SignalCard]:
        """Every live signal, then every live model."""
        bench = self.workspace.workbench()
        return [*bench.signals.cards(), *bench.models.cards()]

    def plan(self, budget: int, as_of: str | None) -> NotificationPlan:
        """Whom to notify.

        Raises:
            InputError: the time is not understood.
        """
        self.edition.follower.follow_now_and_then()
        return self.edition.answers.growth.plan(budget, self.now if as_of is None else moment(as_of))

    def take(self, rows: list) -> EventsReply:
        """Put events on the stream, then into the histories; clicks on ads are charged.

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
        accepted = edition.follower.publish(arrivals.events)
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
