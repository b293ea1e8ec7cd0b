"""The workbench: a workspace's stores and settings, with what the steps of a build share read once."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import Literal

import numpy as np
import pyarrow.compute as pc
from jaxtyping import Int32

from bowerbird.content.taxonomy_edits import EditedTaxonomy
from bowerbird.records.event import Events
from bowerbird.records.item import Items
from bowerbird.records.signal import SignalCard, Space, Vectors
from bowerbird.records.vocabulary import Vocabulary
from bowerbird.signals.aggregates import EventCounts
from bowerbird.signals.sequences import Sequences
from bowerbird.stores.catalogue import LanceCatalogue
from bowerbird.stores.event_log import SqliteEventLog
from bowerbird.stores.layout import Layout
from bowerbird.stores.media import LocalMedia
from bowerbird.stores.models import LocalModels
from bowerbird.stores.protocol import EventLog
from bowerbird.stores.signals import LocalSignals
from bowerbird.telemetry import SILENT, Progress
from bowerbird.workspace.layers import LayeredModels, LayeredSignals
from bowerbird.workspace.settings import WorkspaceSettings
from bowerbird.workspace.taxonomy import read_taxonomy

_AFTER_ALL = 2**62
"""A point of the log after which nothing came."""


class Workbench:
    """What a build, a release and an evaluation read a workspace through.

    Args:
        layout: where the catalogue, the log and the pictures are.
        settings: the workspace's settings.
        as_of: events at or after this time are not used; None takes all there are.
        made_in: where signals and models of behaviour are written and read; the workspace itself when
            None. An evaluation passes a folder of its own, so that it never touches what is served;
            signals of content, which read no events, then come from the workspace.
        progress: shows long work.
        log: what is read instead of the workspace's log: one with events left out.
        draft: what is made is not live until the registry's draft is promoted.
    """

    def __init__(
        self,
        layout: Layout,
        settings: WorkspaceSettings,
        as_of: int | None = None,
        made_in: Layout | None = None,
        progress: Progress = SILENT,
        log: EventLog | None = None,
        *,
        draft: bool = False,
    ) -> None:
        self.layout = layout
        self.settings = settings
        self.progress = progress
        self.catalogue = LanceCatalogue(layout)
        self.log: EventLog = log if log is not None else SqliteEventLog(layout)
        self.media = LocalMedia(layout)
        signals, models = LocalSignals(layout, draft=draft), LocalModels(layout, draft=draft)
        self.made_in = layout if made_in is None else made_in
        self.redone: dict[str, tuple[int, int]] = {}
        """Per signal of people just made, how many people were redone, and of how many."""
        if made_in is None or made_in == layout:
            self.signals, self.models = signals, models
        else:
            self.signals = LayeredSignals(LocalSignals(made_in), signals)
            self.models = LayeredModels(LocalModels(made_in), models)
        self._as_of = as_of

    @cached_property
    def items(self) -> Items:
        """The live catalogue, categories where the taxonomy's edits lead them."""
        return self.taxonomy.applied(self.catalogue.items())

    @cached_property
    def taxonomy(self) -> EditedTaxonomy:
        """The tree people keep and its edits, read once: an edit that comes meanwhile is the next build's."""
        return read_taxonomy(self.layout)

    @cached_property
    def events(self) -> Events:
        """Every event before :attr:`as_of`."""
        return self.log.read(self._as_of)

    @cached_property
    def as_of(self) -> int:
        """The time the build stands at unless one was given: just after the newest event or item.

        Where events have only an order, the times of items have no place in it.
        """
        if self._as_of is not None:
            return self._as_of
        newest = int(self.events.at[-1]) + 1 if len(self.events) else 0
        if self.log.logical_time:
            return newest
        created = pc.max(self.items.table.column("created_at")).as_py()
        return max(newest, created + 1) if created is not None else newest

    @cached_property
    def people(self) -> Vocabulary:
        """Known users: the user table's, then others in the order they first act."""
        known = self.catalogue.users().vocabulary.ids
        acting = pc.unique(self.events.table.column("user_id")).to_pylist()
        named = set(known)
        return Vocabulary("user", (*known, *(name for name in acting if name not in named)))

    @cached_property
    def sequences(self) -> Sequences:
        """Everybody's sequence."""
        return Sequences.from_events(self.events, self.people, self.items.vocabulary, self.settings.sequence)

    @cached_property
    def counts(self) -> EventCounts:
        """Events per item."""
        return EventCounts.from_events(self.events, self.items.vocabulary)

    def canonical_rows(self) -> Int32[np.ndarray, "item"]:
        """Row of each item's canonical item; its own where nothing is known of near-duplicates."""
        rows = np.arange(len(self.items), dtype=np.int32)
        if self.signals.card("near_duplicates") is None:
            return rows
        table = self.signals.table("near_duplicates")
        own = self.items.vocabulary.rows(table.column("item_id").to_pylist())
        canonical = self.items.vocabulary.rows(table.column("canonical").to_pylist())
        known = (own >= 0) & (canonical >= 0)
        rows[own[known]] = canonical[known]
        return rows

    def item_vectors(self, name: str) -> Vectors:
        """A vector signal aligned to item rows."""
        return self.signals.vectors(name, self.items.vocabulary)

    def live_card(self, name: str) -> SignalCard | None:
        """The live card of a signal or model; None when it is not built."""
        return self.signals.card(name) or self.models.card(name)

    def has(self, name: str) -> bool:
        """Whether a signal or model is live."""
        return self.live_card(name) is not None

    def inputs(self) -> dict[str, str]:
        """Versions of what builds read: the catalogue, its size, and the events.

        Sizes are told to the next power of two, with how much was forgotten: what reads them is made again when there
        is twice as much to learn from, or less that may be learnt from.
        A time that was asked for counts too: the same events are older a month later, and states, decays
        and recency change with no new event.
        """
        events = self.log.fingerprint(self._as_of)
        if self._as_of is not None:
            events += f"@{self._as_of}"
        catalogue = "+".join(one for one in (self.catalogue.fingerprint(), self.taxonomy.version) if one)
        lists = hashlib.blake2b(digest_size=8)
        for name, audience in sorted(self.settings.audiences.items()):
            if audience.seeds is not None and (self.layout.root / audience.seeds).is_file():
                lists.update(name.encode() + (self.layout.root / audience.seeds).read_bytes())
        return {
            "catalogue": catalogue,
            "catalogue size": f"below {1 << len(self.items).bit_length():,}, {self.catalogue.forgotten_items} forgotten",
            "events": events,
            "events size": self._events_size(),
            "audience lists": lists.hexdigest(),
        }

    def _events_size(self) -> str:
        kept = self.log.count()
        forgotten = self.log.read_since(_AFTER_ALL)[1] - kept
        known = kept if self._as_of is None else len(self.events)
        return f"below {1 << known.bit_length():,}, {forgotten} forgotten"

    def card(
        self,
        name: str,
        what: tuple[
            Literal["item", "user", "query", "model"],
            Literal["vector", "label", "scalar", "group", "graph", "model"],
        ],
        version: str,
        producer: str,
        *,
        counted: tuple[int, int],
        inputs: tuple[str, ...] = (),
        space: Space | None = None,
        note: str = "",
    ) -> SignalCard:
        """The card of a signal just made.

        Args:
            name: the signal.
            what: whose it is, and of which kind.
            version: fingerprint of what it was made from.
            producer: what made it.
            counted: how many entities have a value, and of how many.
            inputs: names of what was read.
            space: where vectors live.
            note: one line for people.
        """
        entity, kind = what
        rows, of = counted
        return SignalCard(
            name=name,
            entity=entity,
            kind=kind,
            version=version,
            producer=producer,
            rows=rows,
            coverage=rows / of if of else 0.0,
            as_of=self.as_of,
            inputs=inputs,
            space=space,
            note=note,
        )
