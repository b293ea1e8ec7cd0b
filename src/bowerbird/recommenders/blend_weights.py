"""Weights of a blend: coordinate search on NDCG over the items any part puts near the top."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from jaxtyping import Bool, Float32, Int64
from scipy import sparse

from bowerbird.arrays import group_offsets, top_k_rows
from bowerbird.metrics import accuracy
from bowerbird.randomness import generator
from bowerbird.recommenders.interactions import Interactions
from bowerbird.recommenders.recommender import Histories

__all__ = ["JudgedUsers", "best_weights", "searched_weights"]

K = 20
"""NDCG is cut here."""
NEAR_TOP = 100
"""Only items among so many first ones of some part can reach a blend's first K; the others are not added up."""
STEPS = (0.0, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.0)
"""Weights tried for one part while the others stand still."""
ROUNDS = 3


@dataclass(frozen=True, eq=False)
class JudgedUsers:
    """People with events held back: what the models may see of them, and what they should find."""

    train: Interactions
    """What models are fitted on."""
    histories: Histories
    relevant: sparse.csr_array
    """Users by items, non-zero where held back."""
    counts: Int64[np.ndarray, " user"]

    @classmethod
    def of(cls, train: Interactions, held_back: Interactions, users_most: int, seed: int) -> JudgedUsers:
        """A random choice of the people with something new to find.

        Args:
            train: what models see.
            held_back: other events of the same vocabularies.
            users_most: the most people to judge.
            seed: decides which.
        """
        met, wanted = train.matrix(), held_back.matrix()
        fresh = sparse.csr_array(wanted - met.multiply(wanted))
        fresh.eliminate_zeros()
        # without a history every model shows the same list to everybody
        users = np.flatnonzero((np.diff(fresh.indptr) > 0) & (np.diff(met.indptr) > 0))
        if users.size > users_most:
            users = np.sort(generator(seed, "judged users").choice(users, users_most, replace=False))
        order = np.argsort(train.users, kind="stable")
        starts = group_offsets(train.users[order], train.users_total)
        lengths = starts[users + 1] - starts[users]
        local = np.repeat(np.arange(users.size, dtype=np.int32), lengths)
        places = np.arange(local.size) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        items = train.items[order][np.repeat(starts[users], lengths) + places]
        relevant = sparse.csr_array(fresh[users])
        return cls(
            train,
            Histories(local, items, int(users.size), train.items_total),
            relevant,
            np.diff(relevant.indptr).astype(np.int64),
        )

    def __len__(self) -> int:
        return self.histories.users_total

    def ndcg(self, scores: Float32[np.ndarray, "user item"]) -> float:
        """Mean NDCG@20 of full rankings, seen items out."""
        hits = accuracy.hits_of(top_k_rows(self.unseen(scores), K), self.relevant)
        return float(accuracy.ndcg(hits, self.counts, K).mean())

    def unseen(self, scores: Float32[np.ndarray, "user item"]) -> Float32[np.ndarray, "user item"]:
        """A copy of the scores with ``-inf`` for what each person met before."""
        scores = scores.copy()
        scores[self.histories.users, self.histories.items] = -np.inf
        return scores


def best_weights(
    scores: Mapping[str, Float32[np.ndarray, "user item"]], judged: JudgedUsers
) -> dict[str, float]:
    """Weights that do best on the held-back events, found one part at a time.

    The search starts from the best single part and tries a few weights for each in turn; a weight moves
    only when NDCG rises, so a part that adds nothing keeps 0.

    Args:
        scores: standardised scores of each part for the people judged.
        judged: what they should find.

    Cost: ``parts * steps * rounds`` rankings of a few hundred items for each person.
    """
    near = _near_top(list(scores.values()), judged)
    weights = searched_weights(near.ndcg, len(scores))
    return dict(zip(scores, (weights / weights.sum()).tolist(), strict=True))


def searched_weights(
    value_of: Callable[[Float32[np.ndarray, " part"]], float], parts: int
) -> Float32[np.ndarray, " part"]:
    """Weights by coordinate search, from the best single part on; a weight moves only when the value rises.

    Args:
        value_of: what a vector of weights is worth.
        parts: how many weights.

    Example:
        >>> searched_weights(lambda w: -abs(w[0] - 1.0) - abs(w[1] - 0.5), 2).tolist()
        [1.0, 0.5]
    """
    singles = [value_of(weights) for weights in np.eye(parts, dtype=np.float32)]
    weights, best = np.eye(parts, dtype=np.float32)[int(np.argmax(singles))], max(singles)
    for _ in range(ROUNDS):
        before = best
        for part, step in product(range(parts), STEPS):
            tried = weights.copy()
            tried[part] = step
            value = value_of(tried) if tried.any() else -np.inf
            if value > best:
                weights, best = tried, value
        if best == before:
            break
    return weights


@dataclass(frozen=True, eq=False)
class _NearTop:
    """The items near some part's top: as many places for each person, some of them out."""

    scores: Float32[np.ndarray, "part user place"]
    out: Bool[np.ndarray, "user place"]
    """Repeated items, and items met before."""
    wanted: Bool[np.ndarray, "user place"]
    counts: Int64[np.ndarray, " user"]

    def ndcg(self, weights: Float32[np.ndarray, " part"]) -> float:
        """Mean NDCG@20 of the weighted sum."""
        total = np.tensordot(weights, self.scores, axes=1)
        total[self.out] = -np.inf
        top = top_k_rows(total, K)
        return float(accuracy.ndcg(np.take_along_axis(self.wanted, top, axis=1), self.counts, K).mean())


def _near_top(scores: Sequence[Float32[np.ndarray, "user item"]], judged: JudgedUsers) -> _NearTop:
    near = np.concatenate([top_k_rows(judged.unseen(part), NEAR_TOP) for part in scores], axis=1)
    near.sort(axis=1)
    out = np.zeros(near.shape, dtype=bool)
    out[:, 1:] = near[:, 1:] == near[:, :-1]
    out |= np.take_along_axis(judged.unseen(scores[0]), near, axis=1) == -np.inf
    wanted = accuracy.hits_of(near, judged.relevant) & ~out
    taken = np.stack([np.take_along_axis(part, near, axis=1) for part in scores])
    return _NearTop(taken, out, wanted, judged.counts)
