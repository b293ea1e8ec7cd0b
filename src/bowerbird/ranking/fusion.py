"""Learned fusion: one linear score over what several searches say of a candidate.

The features are each candidate's standing within its own query, so weights learnt on some queries hold for others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int64

from bowerbird.ranking.value import FUSION_K

__all__ = ["FEATURES", "Fused", "fusion_features"]

FEATURES = ("bm25", "bm25 rank", "cosine", "cosine rank", "title words", "all words in title", "popularity")
"""In the order of the weights."""
UNTAUGHT = (1.0, 0.0, 1.0, 0.0, 0.5, 0.25, 0.1)
"""Weights where there are no labelled queries."""


@dataclass(frozen=True)
class Fused:
    """A linear score: ``sum_f weight_f feature_f``."""

    weights: Float32[np.ndarray, " feature"]

    @staticmethod
    def untaught() -> Fused:
        """The weights for a catalogue without labelled queries."""
        return Fused(np.array(UNTAUGHT, dtype=np.float32))

    def scores(self, features: Float32[np.ndarray, "n feature"]) -> Float32[np.ndarray, " n"]:
        """One score a candidate; only comparable within a query."""
        return features @ self.weights


def fusion_features(
    lexical: Float32[np.ndarray, " n"],
    similarity: Float32[np.ndarray, " n"],
    title_share: Float32[np.ndarray, " n"],
    popularity: Float32[np.ndarray, " n"],
) -> Float32[np.ndarray, "n feature"]:
    """What the candidates of one query are judged by, in the order of :data:`FEATURES`.

    ``bm25`` is a share of the best; ``cosine`` is the distance to the best in deviations; ranks are reciprocal
    (``K / (K + rank)``); popularity is the logarithm of a count, centred.

    Args:
        lexical: BM25.
        similarity: cosine of words.
        title_share: share of the query's words that the title has.
        popularity: events or any count, at least 0.
    """
    top = max(float(lexical.max(initial=0.0)), 1e-9)
    spread = max(float(similarity.std()), 1e-6) if similarity.size else 1.0
    known = np.log1p(np.maximum(popularity, 0))
    columns = (
        lexical / top,
        _reciprocal_rank(lexical),
        (similarity - similarity.max(initial=-1.0)) / spread,
        _reciprocal_rank(similarity),
        title_share,
        title_share >= 1.0,
        known - known.mean() if known.size else known,
    )
    return np.stack([np.asarray(column, dtype=np.float32) for column in columns], axis=1)


def _reciprocal_rank(scores: Float32[np.ndarray, " n"]) -> Float32[np.ndarray, " n"]:
    order: Int64[np.ndarray, " n"] = np.argsort(-scores, kind="stable")
    rank = np.empty(len(scores), dtype=np.int64)
    rank[order] = np.arange(len(scores))
    return (FUSION_K / (FUSION_K + rank + 1)).astype(np.float32)
