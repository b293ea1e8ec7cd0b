"""Sources that follow behaviour: what came next for others, what rises, what is new."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float32, Int32, Int64

from bowerbird.arrays import top_k
from bowerbird.clock import DAY_US, HOUR_US
from bowerbird.records.candidates import Found
from bowerbird.records.request import Context
from bowerbird.retrieval.cooccurrence import SequentialCooccurrence
from bowerbird.retrieval.nearest import MAX_INTERESTS, Silent, merged
from bowerbird.retrieval.next_item import NextItemHoldings
from bowerbird.retrieval.source import Holdings, Source, best_allowed
from bowerbird.signals.joined import JoinedCounts

RECENT_STEPS = 20
"""Steps of a history the co-occurrence source reads; older ones weigh below a thousandth."""
TRENDING_HALF_LIFE_HOURS = 72.0
FRESH_DAYS = 14
MOST_FRESH = 5_000
"""So many of the newest items are compared with a person's taste; those before them are found by their vectors, or not at all."""


class CoVisitation:
    """Items that followed, for other people, what this person did last.

    Source: the sequential co-occurrence neighbours of :mod:`bowerbird.retrieval.cooccurrence`.
    """

    name = "covisitation"

    def __init__(self, cooccurrence: SequentialCooccurrence) -> None:
        self._cooccurrence = cooccurrence

    def find(self, context: Context, n: int, allowed: Bool[np.ndarray, "item"]) -> Found:
        """Neighbours of the anchor, else of the history; evidence is the step that gave most.

        Words or a picture without an anchor say what is wanted; what was done last does not.
        """
        steps = self._steps(context)
        if len(steps) == 0:
            return Found.nothing(self.name)
        scores, evidence = self._cooccurrence.scores_with_evidence(steps)
        rows = best_allowed(scores, n, allowed)
        return Found.of(self.name, rows, scores[rows], evidence[rows])

    def _steps(self, context: Context) -> Int32[np.ndarray, "step"]:
        if context.anchor_row >= 0:
            return np.array([context.anchor_row], dtype=np.int32)
        if context.request.query or context.request.image:
            return np.empty(0, dtype=np.int32)
        return context.history.rows[-RECENT_STEPS:]


class Complements:
    """Items of other categories that others chose around the anchor: what goes with it.

    Around an anchor without a category nothing can be told apart, so all that others chose goes with it.
    """

    name = "complements"

    def __init__(self, cooccurrence: SequentialCooccurrence, categories: Int32[np.ndarray, "item"]) -> None:
        self._cooccurrence = cooccurrence
        self._categories = categories

    def find(self, context: Context, n: int, allowed: Bool[np.ndarray, "item"]) -> Found:
        """Co-visited items whose category differs from the anchor's."""
        anchor = context.anchor_row
        if anchor < 0:
            return Found.nothing(self.name)
        scores, evidence = self._cooccurrence.scores_with_evidence(np.array([anchor], dtype=np.int32))
        own = self._categories[anchor]
        rows = best_allowed(scores, n, allowed & (self._categories != own) if own >= 0 else allowed)
        return Found.of(self.name, rows, scores[rows], evidence[rows])


class NextItem:
    """Items that the trained encoder expects next after a person's newest actions, as of the request."""

    name = "next_item"

    def __init__(self, held: NextItemHoldings) -> None:
        self._held = held

    def find(self, context: Context, n: int, allowed: Bool[np.ndarray, "item"]) -> Found:
        """The items with the largest logits; evidence is the newest action read."""
        question = self._held.reader.question(context.history, context.as_of)
        if not question.present[0]:
            return Found.nothing(self.name)
        rows, logits = self._held.index.search(question, n, allowed)
        known = rows[0] >= 0
        return Found.of(self.name, rows[0][known], logits[0][known], int(context.history.rows[-1]))


class NextInterests:
    """Items the trained encoder expects next within each topic a person engaged with, each topic with its share of places.

    Source: conditional retrieval, Pinterest (arXiv 2506.23060); shares of the budget as PinnerSage gives them.
    """

    name = "next_interests"

    def __init__(self, held: NextItemHoldings) -> None:
        self._held = held

    def find(self, context: Context, n: int, allowed: Bool[np.ndarray, "item"]) -> Found:
        """The items with the largest ``share / place``; evidence is the newest action of the topic."""
        asked = self._held.reader.topic_questions(context.history, context.as_of, MAX_INTERESTS)
        if not len(asked.vectors):
            return Found.nothing(self.name)
        rows, _ = self._held.index.search(asked.vectors, n, allowed)
        # by places, since the logits of one topic say nothing beside those of another
        nearness = 1.0 / np.arange(1, rows.shape[1] + 1, dtype=np.float32)
        worth = np.tile(nearness, (len(rows), 1))
        return merged(self.name, rows, worth, asked.newest.tolist(), asked.shares.tolist()).first(n)


class Trending:
    """Items that gather responses now, decayed with age; all-time popularity where times are only an order.

    Counted as of the last full hour, so that a live server makes one pass over the log per hour and not
    one per request.
    """

    name = "trending"

    def __init__(self, counts: JoinedCounts, logical_time: bool) -> None:
        self._counts = counts
        self._logical_time = logical_time
        self._cached: tuple[int, Float32[np.ndarray, "item"]] | None = None

    def find(self, context: Context, n: int, allowed: Bool[np.ndarray, "item"]) -> Found:
        """The most responded-to items as of the request."""
        scores = self._scores(context.as_of)
        rows = best_allowed(scores, n, allowed)
        return Found.of(self.name, rows, scores[rows])

    def _scores(self, as_of: int) -> Float32[np.ndarray, "item"]:
        as_of = as_of if self._logical_time else as_of - as_of % HOUR_US
        cached = self._cached
        if cached is not None and cached[0] == as_of:
            return cached[1]
        if self._logical_time:
            scores = self._counts.totals(("closeup", "click", "save", "purchase", "rate"), 0, as_of)
        else:
            scores = self._counts.trending(as_of, TRENDING_HALF_LIFE_HOURS)
        values = scores.astype(np.float32)
        self._cached = (as_of, values)
        return values


class Fresh:
    """Items created lately, near the person's taste first where one is known: they cannot wait for clicks.

    Cost: O(log(items) + what was created lately), and :data:`MOST_FRESH` products at most.
    """

    name = "fresh"

    def __init__(self, holdings: Holdings) -> None:
        known = np.flatnonzero(holdings.created_at > 0)
        order = known[np.argsort(holdings.created_at[known], kind="stable")]
        self._rows: Int32[np.ndarray, "dated"] = order.astype(np.int32)
        self._created_at: Int64[np.ndarray, "dated"] = holdings.created_at[order]
        self._vectors = holdings.vectors.get("item")

    def find(self, context: Context, n: int, allowed: Bool[np.ndarray, "item"]) -> Found:
        """Items at most two weeks old."""
        span = FRESH_DAYS * DAY_US
        first, end = np.searchsorted(self._created_at, [context.as_of - span, context.as_of])
        places = first + np.flatnonzero(allowed[self._rows[first:end]])[-MOST_FRESH:]
        if len(places) == 0:
            return Found.nothing(self.name)
        places = places[np.argsort(self._rows[places])]  # of equal ones the first row comes first
        rows = self._rows[places]
        newness = (1.0 - (context.as_of - self._created_at[places]) / span).astype(np.float32)
        person = context.user_vectors
        if person is not None and person.present[0] and self._vectors is not None:
            self._vectors.space.require(person.space, "fresh")
            newness = newness * 0.1 + self._vectors.matrix[rows] @ person.matrix[0]
        order = top_k(newness, n)
        return Found.of(self.name, rows[order], newness[order])


def covisitation(holdings: Holdings) -> Source:
    """Plugin ``covisitation``."""
    return (
        CoVisitation(holdings.cooccurrence) if holdings.cooccurrence is not None else Silent("covisitation")
    )


def complements(holdings: Holdings) -> Source:
    """Plugin ``complements``."""
    if holdings.cooccurrence is None:
        return Silent("complements")
    return Complements(holdings.cooccurrence, holdings.categories)


def next_interests(holdings: Holdings) -> Source:
    """Plugin ``next_interests``."""
    held = holdings.next_item
    return NextInterests(held) if held is not None else Silent("next_interests")


def trending(holdings: Holdings) -> Source:
    """Plugin ``trending``."""
    return Trending(holdings.joined_counts, holdings.logical_time)


def fresh(holdings: Holdings) -> Source:
    """Plugin ``fresh``."""
    return Fresh(holdings)


def next_item(holdings: Holdings) -> Source:
    """Plugin ``next_item``."""
    return NextItem(holdings.next_item) if holdings.next_item is not None else Silent("next_item")


__all__ = [
    "CoVisitation",
    "Complements",
    "Fresh",
    "NextInterests",
    "NextItem",
    "Trending",
    "complements",
    "covisitation",
    "fresh",
    "next_interests",
    "next_item",
    "trending",
]
