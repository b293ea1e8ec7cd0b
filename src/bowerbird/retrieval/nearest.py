"""Sources that look for items near a vector: an interest, a person, an item, words or a picture."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Int32

from bowerbird.records.candidates import Found
from bowerbird.records.request import Context
from bowerbird.records.signal import Vectors
from bowerbird.retrieval.index import VectorIndex
from bowerbird.retrieval.long_term import LongTermHoldings
from bowerbird.retrieval.source import Holdings, Source

MAX_INTERESTS = 5
"""Interests searched per request; more cost latency and bring little (PinnerSage serves three)."""


def merged(
    source: str,
    rows: Int32[np.ndarray, "q n"],
    similarities: np.ndarray,
    evidence: list[int],
    weights: list[float],
) -> Found:
    """Several searches as one list: each item keeps its best weighted similarity and what led to it."""
    weighted = similarities * np.asarray(weights, dtype=np.float32)[:, None]
    flat_rows, flat = rows.ravel(), weighted.ravel()
    because = np.repeat(np.asarray(evidence, dtype=np.int32), rows.shape[1])
    known = flat_rows >= 0
    flat_rows, flat, because = flat_rows[known], flat[known], because[known]
    order = np.argsort(-flat, kind="stable")
    first = np.unique(flat_rows[order], return_index=True)[1]
    keep = order[np.sort(first)]
    return Found.of(source, flat_rows[keep], flat[keep], because[keep])


class NearestToInterests:
    """Items near each of a person's interests, each interest with a share of the quota.

    Averages of unlike interests land between them; searching per medoid does not.

    Source: PinnerSage, arXiv 2007.03634, section 5 (medoids sampled by importance; we take the
    most important ones and split the quota by importance, which is deterministic).
    """

    name = "interests"

    def __init__(self, index: VectorIndex, vectors: Vectors) -> None:
        self._index = index
        self._vectors = vectors

    def find(self, context: Context, n: int, allowed: Bool[np.ndarray, "item"]) -> Found:
        """Items near the medoids; evidence is the medoid."""
        interests = [one for one in context.interests[:MAX_INTERESTS] if self._vectors.present[one.medoid]]
        if not interests:
            return Found.nothing(self.name)
        medoids = np.array([one.medoid for one in interests], dtype=np.int32)
        rows, similarities = self._index.search(self._vectors.take(medoids), n, allowed)
        total = sum(one.importance for one in interests)
        for place, one in enumerate(interests):
            share = max(4, round(n * one.importance / total))
            rows[place, share:] = -1
        found = merged(
            self.name, rows, similarities, [one.medoid for one in interests], [1.0] * len(interests)
        )
        return found.first(n)


class NearestToPerson:
    """Items near a person's long-term vector: the trained one, else the decayed mean of what they engaged with.

    The mean stands in for who came after the build, for a time before it, where no vector could be trained, and for
    who refused an interest: their trained vector was made of everything they did and can't be told without it. Where
    items have no content there is neither: a vector trained on bare ids was measured to find too little (see the log).

    Source: Pancha et al., "PinnerFormer", arXiv:2205.04507, section 4 (a vector a person, made in a daily batch).

    Args:
        index: over the fused space, where the mean lives.
        trained: everybody's trained vector; None where there is none.
    """

    name = "long_term"

    def __init__(self, index: VectorIndex, trained: LongTermHoldings | None) -> None:
        self._index, self._trained = index, trained

    def find(self, context: Context, n: int, allowed: Bool[np.ndarray, "item"]) -> Found:
        """Items near the person's vector; no single action is their evidence."""
        index, vector = self._index, context.user_vectors
        if self._trained is not None and context.refused is None:
            trained = self._trained.of(context.user_row, context.as_of)
            if trained is not None:
                index, vector = self._trained.index, trained
        if vector is None or not vector.present[0]:
            return Found.nothing(self.name)
        rows, similarities = index.search(vector, n, allowed)
        return merged(self.name, rows, similarities, [-1], [1.0])


class NearestToItem:
    """Items near the one the request is about."""

    def __init__(self, name: str, index: VectorIndex, vectors: Vectors) -> None:
        self._name = name
        self._index = index
        self._vectors = vectors

    @property
    def name(self) -> str:
        """The source's name."""
        return self._name

    def find(self, context: Context, n: int, allowed: Bool[np.ndarray, "item"]) -> Found:
        """Items near the anchor; evidence is the anchor."""
        anchor = context.anchor_row
        if anchor < 0 or not self._vectors.present[anchor]:
            return Found.nothing(self.name)
        rows, similarities = self._index.search(self._vectors.take(np.array([anchor], np.int32)), n, allowed)
        return merged(self.name, rows, similarities, [anchor], [1.0])


class NearestToQuery:
    """Items near the request's words, its picture, or both, in one space."""

    def __init__(self, name: str, space: str, index: VectorIndex) -> None:
        self._name = name
        self._space = space
        self._index = index

    @property
    def name(self) -> str:
        """The source's name."""
        return self._name

    def find(self, context: Context, n: int, allowed: Bool[np.ndarray, "item"]) -> Found:
        """Items near the query vector of this space."""
        query = context.query_vectors.get(self._space)
        if query is None or not query.present[0]:
            return Found.nothing(self.name)
        rows, similarities = self._index.search(query, n, allowed)
        return merged(self.name, rows, similarities, [-1], [1.0])


class Silent:
    """A source whose signal was not built: it finds nothing, and the trace says so."""

    def __init__(self, name: str) -> None:
        self._name = name

    @property
    def name(self) -> str:
        """The source's name."""
        return self._name

    def find(self, context: Context, n: int, allowed: Bool[np.ndarray, "item"]) -> Found:
        """Nothing."""
        return Found.nothing(self.name)


def interests(holdings: Holdings) -> Source:
    """Plugin ``interests``."""
    if "item" not in holdings.indexes:
        return Silent("interests")
    return NearestToInterests(holdings.indexes["item"], holdings.vectors["item"])


def long_term(holdings: Holdings) -> Source:
    """Plugin ``long_term``."""
    if "item" not in holdings.indexes:
        return Silent("long_term")
    return NearestToPerson(holdings.indexes["item"], holdings.long_term)


def similar(holdings: Holdings) -> Source:
    """Plugin ``similar``: near the anchor in the fused space."""
    if "item" not in holdings.indexes:
        return Silent("similar")
    return NearestToItem("similar", holdings.indexes["item"], holdings.vectors["item"])


def look_alike(holdings: Holdings) -> Source:
    """Plugin ``look_alike``: near the anchor by picture alone."""
    if "image" not in holdings.indexes:
        return Silent("look_alike")
    return NearestToItem("look_alike", holdings.indexes["image"], holdings.vectors["image"])


def kept_together(holdings: Holdings) -> Source:
    """Plugin ``kept_together``: near the anchor by content and by who keeps what."""
    if "graph" not in holdings.indexes:
        return Silent("kept_together")
    return NearestToItem("kept_together", holdings.indexes["graph"], holdings.vectors["graph"])


def by_text(holdings: Holdings) -> Source:
    """Plugin ``by_text``: near the request's words."""
    return (
        NearestToQuery("by_text", "text", holdings.indexes["text"])
        if "text" in holdings.indexes
        else Silent("by_text")
    )


def by_picture(holdings: Holdings) -> Source:
    """Plugin ``by_picture``: near the request's picture."""
    if "image" not in holdings.indexes:
        return Silent("by_picture")
    return NearestToQuery("by_picture", "image", holdings.indexes["image"])


def composed(holdings: Holdings) -> Source:
    """Plugin ``composed``: near the request's words and picture together, in the fused space."""
    return (
        NearestToQuery("composed", "item", holdings.indexes["item"])
        if "item" in holdings.indexes
        else Silent("composed")
    )
