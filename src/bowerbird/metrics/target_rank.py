"""Accuracy with one target per user, from its 1-based rank in the full ranking.

Ties matter: a model that gives every item the same score must not look perfect. Two rules, both
honest, and never the optimistic one that lets a constant score win:

- :func:`pessimistic_ranks`: equal scores stand before the target;
- :func:`expected_ranks`: the mean rank over random orders of the tied items.

Every metric returns one value per user; the caller takes the mean and its standard error.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float64, Int

from bowerbird.errors import InputError

__all__ = ["expected_ranks", "hit_rate", "ndcg", "pessimistic_ranks", "reciprocal_rank"]


def pessimistic_ranks(
    scores: Float[np.ndarray, "user item"], target: Int[np.ndarray, " user"]
) -> Float64[np.ndarray, " user"]:
    """Rank of each user's target when every tied item stands before it.

    ``rank = #{i : score_i >= score_target}``, the target itself included.

    Args:
        scores: one score per item; ``-inf`` marks items out of the ranking.
        target: item row of each user's target.

    Raises:
        InputError: a score is NaN.

    Example:
        >>> pessimistic_ranks(np.array([[0.9, 0.5, 0.5]]), np.array([1])).tolist()
        [3.0]
    """
    own = _target_scores(scores, target)
    return np.count_nonzero(scores >= own[:, None], axis=1).astype(np.float64)


def expected_ranks(
    scores: Float[np.ndarray, "user item"], target: Int[np.ndarray, " user"]
) -> Float64[np.ndarray, " user"]:
    """Mean rank of each user's target over random orders of the items tied with it.

    ``rank = 1 + #{i : score_i > score_target} + #{i != target : score_i = score_target} / 2``

    Args:
        scores: one score per item; ``-inf`` marks items out of the ranking.
        target: item row of each user's target.

    Raises:
        InputError: a score is NaN.

    Example:
        >>> expected_ranks(np.array([[0.9, 0.5, 0.5]]), np.array([1])).tolist()
        [2.5]
    """
    own = _target_scores(scores, target)[:, None]
    above = np.count_nonzero(scores > own, axis=1)
    tied = np.count_nonzero(scores == own, axis=1) - 1
    return 1.0 + above + tied / 2.0


def hit_rate(ranks: Float[np.ndarray, " user"], k: int) -> Float64[np.ndarray, " user"]:
    """1 where the target is among the first ``k``: ``hr@k = [rank <= k]``; with one target also recall@k.

    Example:
        >>> hit_rate(np.array([1.0, 10.0, 11.0]), 10).tolist()
        [1.0, 1.0, 0.0]
    """
    return (ranks <= k).astype(np.float64)


def ndcg(ranks: Float[np.ndarray, " user"], k: int) -> Float64[np.ndarray, " user"]:
    """Discounted gain of the one target: ``ndcg@k = [rank <= k] / log2(1 + rank)``; the ideal is 1.

    Source: Järvelin & Kekäläinen, TOIS 2002, with one relevant item.

    Example:
        >>> ndcg(np.array([1.0, 3.0, 11.0]), 10).tolist()
        [1.0, 0.5, 0.0]
    """
    return np.where(ranks <= k, 1.0 / np.log2(1.0 + ranks), 0.0)


def reciprocal_rank(ranks: Float[np.ndarray, " user"], k: int) -> Float64[np.ndarray, " user"]:
    """Reciprocal rank of the target: ``mrr@k = [rank <= k] / rank``.

    Example:
        >>> reciprocal_rank(np.array([1.0, 4.0, 11.0]), 10).tolist()
        [1.0, 0.25, 0.0]
    """
    return np.where(ranks <= k, 1.0 / ranks, 0.0)


def _target_scores(
    scores: Float[np.ndarray, "user item"], target: Int[np.ndarray, " user"]
) -> Float[np.ndarray, " user"]:
    # a NaN compares false with everything, which would make any target look like rank 0
    if np.isnan(scores).any():
        where = np.argwhere(np.isnan(scores))[0]
        raise InputError(
            f"scores[{where[0]}, {where[1]}] is NaN ({int(np.isnan(scores).sum())} in all); "
            "expected numbers, with -inf for items out of the ranking"
        )
    return scores[np.arange(scores.shape[0]), target]
