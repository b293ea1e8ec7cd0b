"""A release: everything one build produced, loaded whole, aligned to one item vocabulary.

Serving holds one release at a time and swaps it whole, so no answer mixes two builds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Int32, Int64

from bowerbird.content.eligibility import Eligibility
from bowerbird.content.interests import ItemInterests
from bowerbird.content.scene_looks import SceneLooks
from bowerbird.content.taxonomy_edits import UNEDITED, EditedTaxonomy
from bowerbird.errors import NotFoundError, did_you_mean
from bowerbird.pipeline.conditions import Facets
from bowerbird.pipeline.person_memory import PersonMemory
from bowerbird.pipeline.queries import QueryEncoder
from bowerbird.ranking.scorer import Scorer
from bowerbird.records.campaign import Campaign
from bowerbird.records.item import Items
from bowerbird.records.signal import Vectors
from bowerbird.records.vocabulary import Vocabulary
from bowerbird.retrieval.cooccurrence import SequentialCooccurrence
from bowerbird.retrieval.index import VectorIndex
from bowerbird.retrieval.long_term import LongTermHoldings
from bowerbird.retrieval.next_item import NextItemHoldings
from bowerbird.retrieval.text_index import LexicalIndex
from bowerbird.signals.aggregates import EventCounts
from bowerbird.signals.joined import JoinedCounts, JoinedItems
from bowerbird.signals.online_counts import OnlineCounts
from bowerbird.signals.online_sequence import OnlineSequence
from bowerbird.signals.sequences import Sequences
from bowerbird.stores.preferences import Preferences

UNKNOWN_TIME = np.iinfo(np.int64).min
LEAST_ABOUT = 0.5
"""Score from which an item without category counts as being about an interest."""


@dataclass(frozen=True)
class Release:
    """What a build left for requests to read. Satisfies ``retrieval.source.Holdings``."""

    version: str
    """Fingerprint of everything in it."""
    as_of: int
    """Events at or after this time are not in it; microseconds UTC."""
    items: Items
    people: Vocabulary
    sequences: Sequences | OnlineSequence
    """What people did; the stream's side of it while serving."""
    counts: EventCounts | OnlineCounts
    vectors: Mapping[str, Vectors]
    indexes: Mapping[str, VectorIndex]
    cooccurrence: SequentialCooccurrence | None
    lexical: LexicalIndex | None
    duplicate_of: Int32[np.ndarray, "item"]
    interests: ItemInterests | None
    queries: QueryEncoder
    scorer: Scorer | None = None
    next_item: NextItemHoldings | None = None
    """The trained next-item model; None where it was not built."""
    long_term: LongTermHoldings | None = None
    """Everybody's long-term vector, and the items of its space; None where it was not built."""
    looks: SceneLooks | None = None
    """Which products fit a photographed scene; None where it was not learnt."""
    campaigns: Mapping[str, Campaign] = field(default_factory=dict)
    audiences: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Declared audiences: who is in each, and how alike; only those that were built."""
    messages: tuple[Int32[np.ndarray, "message"], Int64[np.ndarray, "message"]] = field(
        default_factory=lambda: (np.empty(0, np.int32), np.empty(0, np.int64))
    )
    """Who was sent a notification, and when: impressions on the ``growth`` surface."""
    logical_time: bool = False
    preferences: Preferences | None = None
    """What people said about their own interests; None where nobody can say anything."""
    taxonomy: EditedTaxonomy = UNEDITED
    """Where categories that were renamed or merged lead."""
    eligibility: Eligibility | None = None
    """What the policy lets each surface show; None before it was decided."""
    facets: Facets = field(default_factory=dict)
    """What was read off items and a search may ask for: name, then value, to the rows it is true of."""
    lacks: Mapping[str, str] = field(default_factory=dict)
    """Signals this workspace cannot have, and why: ``events`` -> "no events were imported"."""
    memory: PersonMemory = field(default_factory=PersonMemory, repr=False, compare=False)
    """What was worked out for people already."""

    def meet(self, people: Vocabulary) -> None:
        """Know people who came while serving.

        The one thing of a release that changes: rows of those already known stay, so nothing a request
        holds becomes wrong, and a newcomer does not cost a release loaded again.
        """
        object.__setattr__(self, "people", people)

    def with_scorer(self, scorer: Scorer) -> Release:
        """The same release, ranked by a scorer."""
        return replace(self, scorer=scorer)

    @cached_property
    def joined_counts(self) -> JoinedCounts:
        """What was done with each item or a copy of it: what popularity and response rates are read from."""
        return JoinedCounts(self.counts, JoinedItems(self.duplicate_of))

    @cached_property
    def row_of(self) -> dict[str, int]:
        """Item id to row."""
        return {name: row for row, name in enumerate(self.items.vocabulary.ids)}

    @cached_property
    def created_at(self) -> Int64[np.ndarray, "item"]:
        """Creation times; the smallest int64 where unknown, and everywhere if events have only an order."""
        if self.logical_time:
            return np.full(len(self.items), UNKNOWN_TIME, dtype=np.int64)
        values = self.items.table.column("created_at").fill_null(int(UNKNOWN_TIME))
        return values.to_numpy().astype(np.int64)

    @cached_property
    def category_paths(self) -> tuple[str, ...]:
        """The distinct category paths, in code order."""
        return tuple(sorted({path for path in self.items.column("category") if path}))

    @cached_property
    def categories(self) -> Int32[np.ndarray, "item"]:
        """Code of each item's category path; -1 where it has none."""
        code = {path: number for number, path in enumerate(self.category_paths)}
        return np.array([code.get(path, -1) for path in self.items.column("category")], dtype=np.int32)

    @cached_property
    def groups(self) -> Int32[np.ndarray, "item"]:
        """Code of the first part of each item's category path; -1 where it has none."""
        heads = [path.split("/")[0] for path in self.category_paths]
        code = {head: number for number, head in enumerate(sorted(set(heads)))}
        of_path = np.array([*(code[head] for head in heads), -1], dtype=np.int32)
        return of_path[self.categories]

    @cached_property
    def creators(self) -> Int32[np.ndarray, "item"]:
        """A code for who made each item; -1 where nobody is named."""
        names = self.items.column("creator_id")
        code = {name: number for number, name in enumerate(sorted({name for name in names if name}))}
        return np.array([code.get(name, -1) for name in names], dtype=np.int32)

    @cached_property
    def is_ad(self) -> Bool[np.ndarray, "item"]:
        """Which items are advertisements."""
        return self.items.table.column("is_ad").fill_null(False).to_numpy().astype(bool)

    @cached_property
    def price(self) -> np.ndarray:
        """Prices; NaN where an item has none."""
        return self.items.table.column("price").to_numpy().astype(np.float64)

    def under(self, interest: str) -> Bool[np.ndarray, "item"]:
        """Items under an interest: their category is the path or below it, or they are thought to be about it.

        Nothing is under a path nobody knows. One that was renamed or merged leads where its items are now.
        """
        interest = self.taxonomy.current(interest) or interest
        mask = self._under.get(interest)
        if mask is None:
            paths = self.category_paths
            below = [code for code, path in enumerate(paths) if f"{path}/".startswith(f"{interest}/")]
            mask = np.isin(self.categories, below)
            if self.interests is not None and interest in self.interests.node_paths:
                node = self.interests.node_paths.index(interest)
                own = (self.interests.nodes == node) & (self.interests.scores >= LEAST_ABOUT)
                mask[self.interests.rows[own]] = True
            self._under[interest] = mask
        return mask

    @cached_property
    def _under(self) -> dict[str, Bool[np.ndarray, "item"]]:
        return {}

    def item_row(self, item_id: str) -> int:
        """Row of an item.

        Raises:
            NotFoundError: the item is not in the catalogue.
        """
        row = self.row_of.get(item_id)
        if row is None:
            near = [name for name in self.row_of if name.startswith(item_id[:2])][:2000]
            hint = did_you_mean(item_id, near) if near else ""
            hint = hint if hint.startswith("did") else f"{len(self.row_of):,} items are known"
            raise NotFoundError(f"item {item_id!r} is not in the catalogue; {hint}")
        return row

    def having_all(self, text: str) -> Bool[np.ndarray, "item"]:
        """Items whose words hold all of a text's; none where no item has words."""
        if self.lexical is None:
            return np.zeros(len(self.items), dtype=bool)
        return self.lexical.having_all(text)

    @cached_property
    def _newest_created(self) -> int:
        return int(self.created_at.max()) if len(self.created_at) else 0

    @cached_property
    def _products(self) -> Bool[np.ndarray, "item"]:
        """What is sold: items with a price; where none has one, items with a picture.

        A catalogue of photos without prices can still answer what looks like a photo. What is in it but
        not on sale (a room the products stand in) says so in its attributes: ``for_sale: no``.
        """
        if self.priced:
            return ~np.isnan(self.price) & ~self.is_ad
        pictured = self.items.table.column("image").is_valid().to_numpy()
        refused = [("for_sale", "no") in (pairs or ()) for pairs in self.items.column("attributes")]
        return pictured & ~self.is_ad & ~np.array(refused, dtype=bool)

    @property
    def priced(self) -> bool:
        """Whether any item has a price."""
        return not np.isnan(self.price).all()

    @cached_property
    def _kinds(self) -> dict[str, Bool[np.ndarray, "item"]]:
        return {
            "organic": ~self.is_ad,
            "products": self._products,
            "ads": self.is_ad,
            "all": np.ones(len(self.items), dtype=bool),
        }

    def offered(self, surface: str, kind: str, as_of: int) -> Bool[np.ndarray, "item"]:
        """Items of a kind that existed at a time and that the policy does not keep off a surface."""
        mask = self.eligible(kind, as_of)
        dropped = self.eligibility.dropped(surface) if self.eligibility is not None else None
        return mask if dropped is None else mask & ~dropped

    def limited(self, surface: str) -> Bool[np.ndarray, "item"]:
        """Items of which the policy lets a surface show a few."""
        found = self.eligibility.limited(surface) if self.eligibility is not None else None
        return np.zeros(len(self.items), dtype=bool) if found is None else found

    def eligible(self, kind: str, as_of: int) -> Bool[np.ndarray, "item"]:
        """Items of a kind that existed at a time: ``organic``, ``products``, ``ads`` or ``all``."""
        mask = self._kinds[kind]
        return mask if as_of > self._newest_created else mask & (self.created_at < as_of)
