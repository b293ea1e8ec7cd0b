"""Texts that look for pictures and pictures that look for texts: the rank of the best right answer.

A picture may have several texts and a text may describe several pictures, so both ways the best of the
right answers counts; equal texts are the same text. Ties stand before it: a constant score wins nothing.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32, Int64

from bowerbird.errors import InputError

__all__ = ["best_ranks"]

_BLOCK = 1024


def best_ranks(
    asking: Float32[np.ndarray, "query dim"],
    answers: Float32[np.ndarray, "answer dim"],
    right: Int64[np.ndarray, "pair 2"],
) -> Int64[np.ndarray, "query"]:
    """Rank, from 1, of the best right answer of each query: one more than the wrong ones that score no less.

    Args:
        asking: vectors of queries.
        answers: vectors of everything that may be answered.
        right: rows (query, answer) that belong together; every query in at least one.

    Raises:
        InputError: a query has no right answer.

    Cost: O(query * answer * dim), in blocks of queries.

    Example:
        >>> eye = np.eye(3, dtype=np.float32)
        >>> best_ranks(eye[:2], eye, np.array([[0, 0], [1, 2]])).tolist()
        [1, 3]
    """
    order = np.argsort(right[:, 0], kind="stable")
    right = right[order]
    missing = np.setdiff1d(np.arange(len(asking)), right[:, 0])
    if missing.size:
        raise InputError(f"best_ranks: query {missing[0]} and {missing.size - 1} others have no right answer")
    ranks = np.zeros(len(asking), dtype=np.int64)
    for start in range(0, len(asking), _BLOCK):
        scores = asking[start : start + _BLOCK] @ answers.T
        low, high = np.searchsorted(right[:, 0], [start, start + len(scores)])
        rows, columns = right[low:high, 0] - start, right[low:high, 1]
        best = np.full(len(scores), -np.inf, dtype=np.float32)
        np.maximum.at(best, rows, scores[rows, columns])
        scores[rows, columns] = -np.inf
        ranks[start : start + len(scores)] = 1 + (scores >= best[:, None]).sum(axis=1)
    return ranks
