"""Accuracy with many relevant items per user, from the hits of a ranked list.

Letters: ``hits[u, r]`` is true when the item at rank ``r + 1`` of user ``u``'s list is relevant;
``relevant[u]`` is how many relevant items the user has in all, in the list or not; ``k`` cuts the
list. Every metric returns one value per user; the caller takes the mean and its standard error.
A user without relevant items has no accuracy and must be left out (and counted) before.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float64, Int
from scipy import sparse

from bowerbird.errors import InputError

__all__ = ["average_precision", "hit_rate", "hits_of", "ndcg", "precision", "recall", "reciprocal_rank"]


def hits_of(
    slates: Int[np.ndarray, "user n"], relevant: sparse.csr_matrix | sparse.csr_array
) -> Bool[np.ndarray, "user n"]:
    """Which places of each user's list hold a relevant item.

    Args:
        slates: item rows, best first; -1 fills a list that is too short.
        relevant: users by items, non-zero where relevant; row ``u`` belongs to ``slates[u]``.

    Raises:
        InputError: the numbers of users differ.

    Example:
        >>> relevant = sparse.csr_array(np.array([[0, 1, 0, 1]]))
        >>> hits_of(np.array([[3, 0, -1]]), relevant).tolist()
        [[True, False, False]]
    """
    if slates.shape[0] != relevant.shape[0]:
        raise InputError(
            f"hits_of: found {slates.shape[0]} lists and {relevant.shape[0]} rows of relevant items; "
            "expected one row per list"
        )
    # keys user * items + item turn the join of two ragged tables into one sorted lookup
    items = relevant.shape[1]
    rows = np.repeat(np.arange(relevant.shape[0], dtype=np.int64), np.diff(relevant.indptr))
    keys = np.unique(rows[relevant.data != 0] * items + relevant.indices[relevant.data != 0])
    wanted = np.arange(slates.shape[0], dtype=np.int64)[:, None] * items + slates
    if keys.size == 0:
        return np.zeros(slates.shape, dtype=bool)
    place = np.minimum(np.searchsorted(keys, wanted), keys.size - 1)
    return (keys[place] == wanted) & (slates >= 0)


def hit_rate(hits: Bool[np.ndarray, "user n"], k: int) -> Float64[np.ndarray, " user"]:
    """1 where any of the first ``k`` is relevant: ``hr@k = [sum_{r<=k} hit_r > 0]``.

    Example:
        >>> hit_rate(np.array([[False, True], [False, False]]), 2).tolist()
        [1.0, 0.0]
    """
    return np.asarray(hits[:, :k].any(axis=1), dtype=np.float64)


def precision(hits: Bool[np.ndarray, "user n"], k: int) -> Float64[np.ndarray, " user"]:
    """Share of the first ``k`` places that are relevant: ``precision@k = sum_{r<=k} hit_r / k``.

    A list shorter than ``k`` is not forgiven: its empty places count as misses.

    Example:
        >>> precision(np.array([[True, False, True, False]]), 4).tolist()
        [0.5]
    """
    return np.asarray(hits[:, :k].sum(axis=1) / k, dtype=np.float64)


def recall(
    hits: Bool[np.ndarray, "user n"], relevant: Int[np.ndarray, " user"], k: int
) -> Float64[np.ndarray, " user"]:
    """Share of the relevant items found in the first ``k``: ``recall@k = sum_{r<=k} hit_r / relevant``.

    Example:
        >>> recall(np.array([[True, False]]), np.array([4]), 2).tolist()
        [0.25]
    """
    return hits[:, :k].sum(axis=1) / _counted(relevant)


def ndcg(
    hits: Bool[np.ndarray, "user n"], relevant: Int[np.ndarray, " user"], k: int
) -> Float64[np.ndarray, " user"]:
    """Discounted gain over the best possible one.

    ``ndcg@k = sum_{r<=k} hit_r / log2(1 + r)  /  sum_{r<=min(k, relevant)} 1 / log2(1 + r)``

    Source: Järvelin & Kekäläinen, TOIS 2002, binary gains.

    Example:
        >>> ndcg(np.array([[False, False, True]]), np.array([1]), 3).tolist()
        [0.5]
    """
    counted = _counted(relevant)
    discount = 1.0 / np.log2(np.arange(2, k + 2))
    ideal = np.concatenate([[0.0], np.cumsum(discount)])
    gained = hits[:, :k] @ discount[: hits[:, :k].shape[1]]
    return gained / ideal[np.minimum(counted, k).astype(np.int64)]


def average_precision(
    hits: Bool[np.ndarray, "user n"], relevant: Int[np.ndarray, " user"], k: int
) -> Float64[np.ndarray, " user"]:
    """Precision at each hit, summed, over all relevant items; its mean over users is map@k.

    ``ap@k = sum_{r<=k} hit_r * precision@r / relevant``

    Divided by ``relevant`` as trec_eval and the Microsoft Recommenders board do; some libraries
    divide by ``min(k, relevant)``, which gives larger values.

    Example:
        >>> average_precision(np.array([[True, False, True]]), np.array([2]), 3).round(4).tolist()
        [0.8333]
    """
    cut = hits[:, :k]
    running = np.cumsum(cut, axis=1) / np.arange(1, cut.shape[1] + 1)
    return (running * cut).sum(axis=1) / _counted(relevant)


def reciprocal_rank(hits: Bool[np.ndarray, "user n"], k: int) -> Float64[np.ndarray, " user"]:
    """Reciprocal rank of the first hit, 0 without one; its mean over users is mrr@k.

    ``rr@k = 1 / min{r <= k : hit_r}``

    Example:
        >>> reciprocal_rank(np.array([[False, True, True], [False, False, False]]), 3).tolist()
        [0.5, 0.0]
    """
    cut = hits[:, :k]
    if cut.shape[1] == 0:
        return np.zeros(cut.shape[0])
    return np.where(cut.any(axis=1), 1.0 / (1.0 + cut.argmax(axis=1)), 0.0)


def _counted(relevant: Int[np.ndarray, " user"]) -> Float64[np.ndarray, " user"]:
    if (relevant <= 0).any():
        row = int(np.flatnonzero(relevant <= 0)[0])
        raise InputError(
            f"relevant[{row}] = {int(relevant[row])} ({int((relevant <= 0).sum())} such users); "
            "expected at least 1: leave users without relevant items out and count them"
        )
    return relevant.astype(np.float64)
