"""Value: what a candidate is worth, as an editable weighted sum of its score columns."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float32

from bowerbird.errors import SettingsError, did_you_mean
from bowerbird.records.candidates import Candidates

FUSION_K = 60
"""Reciprocal rank fusion's damping; the value of the original paper."""


def reciprocal_rank_fusion(candidates: Candidates, weights: Mapping[str, float]) -> Float32[np.ndarray, "n"]:
    """One retrieval score from several sources' ranks, in (0, 1].

    ``score(i) = sum_s w_s (K + 1) / (K + rank_s(i)) / sum_s w_s`` over the sources that found the item,
    ranks from 1. Scores of different sources need not be comparable, only their orders.

    Args:
        candidates: with each source's scores.
        weights: weight per source name; 1 where not named.

    Source: Cormack, Clarke, Büttcher, "Reciprocal Rank Fusion", SIGIR 2009.
    """
    total = np.zeros(len(candidates), dtype=np.float32)
    weight_sum = 0.0
    for name, scores in zip(candidates.sources, candidates.source_scores, strict=True):
        weight = weights.get(name, 1.0)
        found = np.flatnonzero(~np.isnan(scores))
        if len(found) == 0 or weight == 0:
            continue
        rank = np.empty(len(found), dtype=np.float32)
        rank[np.argsort(-scores[found], kind="stable")] = np.arange(1, len(found) + 1)
        total[found] += np.float32(weight * (FUSION_K + 1)) / (FUSION_K + rank)
        weight_sum += weight
    return total / np.float32(weight_sum) if weight_sum else total


def value_terms(candidates: Candidates, weights: Mapping[str, float]) -> dict[str, Float32[np.ndarray, "n"]]:
    """Each weighted score column; their sum is the candidate's value.

    Args:
        candidates: with a column for every weight.
        weights: weight per column, e.g. ``{"save": 1.0, "hide": -3.0}``.

    Raises:
        SettingsError: a weight names a column no stage gave.
    """
    terms = {}
    for name, weight in weights.items():
        if name not in candidates.scores:
            raise SettingsError(
                f"value weight {name!r} has no score column of that name; {did_you_mean(name, candidates.scores)}"
            )
        terms[name] = np.float32(weight) * candidates.scores[name]
    return terms
