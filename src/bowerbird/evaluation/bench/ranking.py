"""Full ranking in batches: every item of the catalogue is scored for every history, none is sampled.

Sampling negatives can reverse the order of models (Krichene & Rendle, KDD 2020), so no code here does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int, Int32, Int64

from bowerbird.arrays import bounded_slices, group_offsets, top_k_rows
from bowerbird.metrics import target_rank
from bowerbird.randomness import generator
from bowerbird.recommenders.guidance import MOST_EVENTS
from bowerbird.recommenders.interactions import Interactions
from bowerbird.recommenders.recommender import FittedRecommender, Histories

__all__ = ["Cases", "ranked_lists", "target_ranks"]

BATCH_SCORES = 4_000_000
"""Scores held at once: 16 MB of float32, measured faster than larger batches."""


@dataclass(frozen=True)
class Cases:
    """Histories to rank for. Case ``c`` reads the first ``lengths[c]`` events of user ``users[c]``."""

    events: Interactions
    """Where the histories are, in order of time."""
    users: Int32[np.ndarray, " case"]
    """User row of each case."""
    lengths: Int64[np.ndarray, " case"]
    """How many of the user's events the model may see."""
    seen_out: bool
    """Whether items of the history leave the ranking."""
    asked_at: Int64[np.ndarray, " case"] | None = None
    """When each case is asked; None: right after its last event, or the data has no times."""

    def __len__(self) -> int:
        return int(self.users.size)

    def batches(self) -> Iterator[tuple[slice, Histories]]:
        """The cases in batches whose scores and histories fit into bounded memory."""
        items_total = self.events.items_total
        order = np.argsort(self.events.users, kind="stable")
        items = self.events.items[order]
        at = None if self.events.at is None else self.events.at[order]
        starts = group_offsets(self.events.users[order], self.events.users_total)
        size = max(1, BATCH_SCORES // max(1, items_total))
        for part in bounded_slices(self.lengths, size, MOST_EVENTS):
            lengths = self.lengths[part]
            local = np.repeat(np.arange(lengths.size, dtype=np.int32), lengths)
            offset = np.arange(local.size) - (np.cumsum(lengths) - lengths)[local]
            places = starts[self.users[part]][local] + offset
            yield (
                part,
                Histories(
                    local,
                    items[places],
                    int(lengths.size),
                    items_total,
                    None if at is None else at[places],
                    None if self.asked_at is None else self.asked_at[part],
                ),
            )

    def scored(self, fitted: FittedRecommender) -> Iterator[tuple[slice, Float32[np.ndarray, "case item"]]]:
        """Scores of each batch, ``-inf`` for items out of the ranking."""
        for part, histories in self.batches():
            scores = fitted.scores(histories)
            if self.seen_out:
                scores[histories.users, histories.items] = -np.inf
            yield part, scores


def target_ranks(
    fitted: FittedRecommender, cases: Cases, target: Int[np.ndarray, " case"], k: int
) -> tuple[Float64[np.ndarray, " case"], Int64[np.ndarray, "case k"]]:
    """Pessimistic rank of each case's target among all items, and each case's first ``k`` items.

    A target that is out of the ranking (seen before, and seen items are out) ranks last.

    Args:
        fitted: the model.
        cases: what to rank for.
        target: item row of each case's target.
        k: length of the lists.
    """
    ranks = np.empty(len(cases), dtype=np.float64)
    lists = np.empty((len(cases), min(k, cases.events.items_total)), dtype=np.int64)
    for part, scores in cases.scored(fitted):
        ranks[part] = target_rank.pessimistic_ranks(scores, target[part])
        lists[part] = _best(scores, k)
    return ranks, lists


def ranked_lists(
    fitted: FittedRecommender, cases: Cases, k: int, seed: int = 0
) -> Int64[np.ndarray, "case k"]:
    """Each case's first ``k`` items, best first, -1 where fewer are in the ranking.

    Ties are broken by one random order of the items, so that neither the file's order nor popularity
    decides them.

    Args:
        fitted: the model.
        cases: what to rank for.
        k: length of the lists.
        seed: decides the order of ties.
    """
    order = generator(seed, "ties").permutation(cases.events.items_total)
    lists = np.empty((len(cases), min(k, cases.events.items_total)), dtype=np.int64)
    for part, scores in cases.scored(fitted):
        found = _best(scores[:, order], k)
        lists[part] = np.where(found >= 0, order[found], -1)
    return lists


def _best(scores: Float32[np.ndarray, "case item"], k: int) -> Int64[np.ndarray, "case k"]:
    found = top_k_rows(scores, k)
    outside = np.take_along_axis(scores, found, axis=1) == -np.inf
    return np.where(outside, -1, found)
