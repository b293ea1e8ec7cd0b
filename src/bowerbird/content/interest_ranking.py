"""Interests of items without category: candidates by neighbours and by words, ranked by a calibrated probability.

The ranker learns from items that have a category, asked as if they had none: their own vote is left out, and their
vectors are made without the words of their category. So its probabilities hold for items that truly have none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int32, Int64
from scipy import sparse

from bowerbird.arrays import normalise, top_k_rows
from bowerbird.records.signal import Vectors

__all__ = ["AskedItems", "InterestRanker", "Neighbours", "Voters", "fitted_ranker", "node_features"]

BY_WORDS = 10
"""Nodes whose name is nearest to an item's words that come into question beside those of its neighbours."""
FEATURES = 5
_RIDGE = 1.0
_NEWTON_STEPS = 30


@dataclass(frozen=True)
class AskedItems:
    """Items asked about, with vectors that know nothing of their category.

    Args:
        rows: their item rows.
        vectors: where they are among items, a row each.
        texts: their words' vectors, a row each; None where words are not compared.
    """

    rows: Int64[np.ndarray, "asked"]
    vectors: Vectors
    texts: Vectors | None = None


@dataclass(frozen=True)
class Voters:
    """Items with a category.

    Args:
        rows: their item rows.
        matrix: their vectors, of unit length.
        chains: which nodes each is about: its category and all above.
        names: vectors of the nodes' names; None where words are not compared.
        frequency: share of voters under each node.
    """

    rows: Int64[np.ndarray, "voter"]
    matrix: Float32[np.ndarray, "voter dim"]
    chains: sparse.csr_array
    names: Vectors | None
    frequency: Float64[np.ndarray, "node"]


@dataclass(frozen=True)
class Neighbours:
    """The nearest voters of some items, nearest first."""

    voters: Int64[np.ndarray, "asked k"]
    weights: Float32[np.ndarray, "asked k"]
    """Parts of a vote, each row sums to 1; 0 where similarity is not above 0."""
    similarity: Float32[np.ndarray, "asked k"]

    @staticmethod
    def of(asked: AskedItems, voters: Voters, k: int, sharpness: float) -> Neighbours:
        """The ``k`` nearest voters of each item, itself left out."""
        similarity = normalise(asked.vectors.matrix) @ voters.matrix.T
        similarity[asked.rows[:, None] == voters.rows[None, :]] = -1.0
        nearest = top_k_rows(similarity, min(k, len(voters.rows))).astype(np.int64)
        near = np.take_along_axis(similarity, nearest, axis=1)
        weight = np.maximum(near, 0) ** np.float32(sharpness)
        total = weight.sum(axis=1, keepdims=True)
        return Neighbours(nearest, weight / np.where(total > 0, total, 1), near)

    def shares(self, chains: sparse.csr_array) -> Float32[np.ndarray, "asked node"]:
        """Share of the votes under each node."""
        asked, k = self.voters.shape
        places = (self.weights.ravel(), self.voters.ravel(), np.arange(0, asked * k + 1, k))
        votes = sparse.csr_array(places, shape=(asked, int(chains.shape[0])))
        return np.asarray((votes @ chains).toarray(), dtype=np.float32)


@dataclass(frozen=True)
class InterestRanker:
    """A logistic model of what is known of an item and a node."""

    weights: Float64[np.ndarray, "feature"]

    def probabilities(self, features: Float64[np.ndarray, "n feature"]) -> Float32[np.ndarray, "n"]:
        """How likely each item is about its node."""
        return (1 / (1 + np.exp(-np.clip(features @ self.weights, -30, 30)))).astype(np.float32)


def node_features(
    asked: AskedItems, voters: Voters, shares: Float32[np.ndarray, "asked node"]
) -> tuple[Int32[np.ndarray, "n"], Int32[np.ndarray, "n"], Float64[np.ndarray, "n feature"]]:
    """Candidates (place among the asked, node) and what is known of each: a constant, the neighbours' share and its
    logarithm, how near the item's words are to the node's name, and how common the node is.
    """
    wanted = shares > 0
    near = np.zeros_like(shares)
    if asked.texts is not None and voters.names is not None:
        near = asked.texts.similarity(voters.names)
        best = top_k_rows(near, min(BY_WORDS, near.shape[1]))
        by_words = np.zeros_like(wanted)
        np.put_along_axis(by_words, best, values=True, axis=1)
        wanted |= by_words & asked.texts.present[:, None]
    places, nodes = np.nonzero(wanted)
    share = shares[places, nodes].astype(np.float64)
    columns = [
        np.ones(len(places)),
        share,
        np.log(share + 0.01),
        near[places, nodes].astype(np.float64),
        np.log(voters.frequency[nodes] + 1e-4),
    ]
    return places.astype(np.int32), nodes.astype(np.int32), np.stack(columns, axis=1)


def fitted_ranker(features: Float64[np.ndarray, "n feature"], true: Bool[np.ndarray, "n"]) -> InterestRanker:
    """The ranker of candidates with known outcomes: penalised maximum likelihood by Newton's method.

    Its mean probability equals the share of true candidates, which is what calibration asks first.
    """
    weights = np.zeros(features.shape[1])
    penalty = _RIDGE * np.eye(features.shape[1])
    penalty[0, 0] = 1e-9  # the constant is free, so that means agree
    for _ in range(_NEWTON_STEPS):
        chance = 1 / (1 + np.exp(-np.clip(features @ weights, -30, 30)))
        gradient = features.T @ (chance - true) + penalty @ weights
        curvature = (features * (chance * (1 - chance))[:, None]).T @ features + penalty
        step = np.linalg.solve(curvature, gradient)
        weights -= step
        if np.abs(step).max() < 1e-8:
            break
    return InterestRanker(weights)
