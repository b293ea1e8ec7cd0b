"""How much of the truth an index finds."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int

from bowerbird.errors import InputError
from bowerbird.records.signal import Vectors
from bowerbird.retrieval.index.protocol import VectorIndex

__all__ = ["recall_at", "share_found"]


def share_found(found: Int[np.ndarray, "query n"], truth: Int[np.ndarray, "query k"]) -> float:
    """Share of the true rows that were found, over all queries; row -1 counts on neither side.

    Example:
        >>> share_found(np.array([[4, 2], [7, -1]]), np.array([[2, 9], [7, -1]]))  # 2 of 3
        0.6666666666666666
    """
    real = truth >= 0
    hit = (truth[:, :, None] == found[:, None, :]).any(axis=2) & real
    return float(hit.sum() / max(int(real.sum()), 1))


def recall_at(index: VectorIndex, exact: VectorIndex, queries: Vectors, k: int) -> float:
    """Recall@k of an index against the exact one over the same vectors.

    Args:
        index: the one under test.
        exact: the truth.
        queries: vectors of their space.
        k: rows per query.

    Returns:
        The share of the exact ``k`` nearest that the index finds among its ``k``, in [0, 1].

    Raises:
        InputError: the two indexes are over different numbers of rows.
        SpaceMismatchError: the spaces differ.
    """
    if len(index) != len(exact):
        raise InputError(f"recall_at: an index of {len(index)} rows against an exact one of {len(exact)}")
    return share_found(index.search(queries, k)[0], exact.search(queries, k)[0])
