"""What a candidate source is, and what it may stand on.

A source is made by a factory from :class:`Holdings` and registered in the entry-point group
``bowerbird.sources``; ``bowerbird.toml`` then names it with a quota.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float32, Int32, Int64

from bowerbird.arrays import top_k
from bowerbird.content.scene_looks import SceneLooks
from bowerbird.records.candidates import Found
from bowerbird.records.request import Context
from bowerbird.records.signal import Vectors
from bowerbird.retrieval.cooccurrence import SequentialCooccurrence
from bowerbird.retrieval.index import VectorIndex
from bowerbird.retrieval.long_term import LongTermHoldings
from bowerbird.retrieval.next_item import NextItemHoldings
from bowerbird.retrieval.text_index import LexicalIndex
from bowerbird.signals.joined import JoinedCounts


@runtime_checkable
class Source(Protocol):
    """Finds items for a context. Never looks at another source's answer."""

    @property
    def name(self) -> str:
        """What ``bowerbird.toml`` and explanations call it."""
        ...

    def find(self, context: Context, n: int, allowed: Bool[np.ndarray, "item"]) -> Found:
        """At most ``n`` allowed items, best first; nothing when the context gives it no ground."""
        ...


@runtime_checkable
class Holdings(Protocol):
    """What a release holds for sources: signals of the live build, all aligned to item rows."""

    @property
    def vectors(self) -> Mapping[str, Vectors]:
        """Item vectors by space name: ``item`` (fused), ``image``, ``text``; only those that were built."""
        ...

    @property
    def indexes(self) -> Mapping[str, VectorIndex]:
        """A vector index for each of :attr:`vectors`."""
        ...

    @property
    def cooccurrence(self) -> SequentialCooccurrence | None:
        """Neighbours by behaviour; None when there are no events."""
        ...

    @property
    def lexical(self) -> LexicalIndex | None:
        """The text index; None when no item has words."""
        ...

    @property
    def next_item(self) -> NextItemHoldings | None:
        """The trained next-item model; None where it was not built."""
        ...

    @property
    def long_term(self) -> LongTermHoldings | None:
        """Everybody's long-term vector, and the items of its space; None where it was not built."""
        ...

    @property
    def looks(self) -> SceneLooks | None:
        """Which products fit a photographed scene; None where it was not learnt."""
        ...

    @property
    def joined_counts(self) -> JoinedCounts:
        """Exact counts of events per window, of each item and its copies together."""
        ...

    @property
    def created_at(self) -> Int64[np.ndarray, "item"]:
        """Creation times, microseconds UTC; the smallest int64 where unknown."""
        ...

    @property
    def categories(self) -> Int32[np.ndarray, "item"]:
        """A code per category path; -1 where an item has none."""
        ...

    @property
    def logical_time(self) -> bool:
        """True when event times are only an order, so windows of days mean nothing."""
        ...


def best_allowed(
    scores: Float32[np.ndarray, "item"], n: int, allowed: Bool[np.ndarray, "item"]
) -> Int64[np.ndarray, "n_found"]:
    """Rows of the ``n`` best allowed items with a score above zero, best first."""
    found = np.flatnonzero(allowed & (scores > 0))
    return found[top_k(scores[found], n)]
