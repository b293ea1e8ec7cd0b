"""How much memory models of item pairs and of factors will take, told before they are fitted."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from bowerbird.telemetry import memory_available, require_memory

__all__ = ["pairs_sharing_people", "require_factors", "require_pairs"]

PAIR_BYTES = 20
"""Of a pair while the table is made: the product and a copy of it; measured on two sets."""
SAMPLED_ITEMS = 256


def pairs_sharing_people(matrix: sparse.csr_array, limit: float = 0.0) -> float:
    """About how many pairs of items some person met both of: the filled cells of ``X'X``.

    ``min(items^2, sum_u c_u^2)`` is never too low. Where that is above the limit, the rows of items in steps of popularity are counted
    and stand for those between them.

    Args:
        matrix: people by items.
        limit: a bound below it is good enough.

    Example:
        >>> pairs_sharing_people(sparse.csr_array(np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])))
        5.0
    """
    items = matrix.shape[1]
    each = np.diff(matrix.indptr).astype(np.float64)
    bound = min(float(items) ** 2, float(each @ each))
    if bound <= limit or items == 0:
        return bound
    order = np.argsort(np.bincount(matrix.indices, minlength=items), kind="stable")
    step = max(1, items // SAMPLED_ITEMS)
    chosen = order[step // 2 :: step]
    filled = (sparse.csc_array(matrix)[:, chosen].T @ matrix).nnz
    return min(bound, filled * items / chosen.size)


def require_pairs(model: str, matrix: sparse.csr_array, pair_bytes: int = PAIR_BYTES) -> None:
    """Refuse a table of the pairs of items that share a person, should it not fit.

    Args:
        model: begins the message.
        matrix: people by items.
        pair_bytes: what a pair takes while the table is made.

    Raises:
        TooLargeError: it would not fit into memory.
    """
    pairs = pairs_sharing_people(matrix, memory_available() / pair_bytes)
    advice = f"leave it out of --models, keep fewer items ({matrix.shape[1]:,}), or only each person's newest events"
    require_memory(model, {f"{pairs:,.0f} pairs of items": (pair_bytes * pairs, advice)})


def require_factors(model: str, shape: tuple[int, int], width: int, copies: float, setting: str) -> None:
    """Refuse vectors of people and items, should they not fit.

    Args:
        model: begins the message.
        shape: people and items.
        width: of a vector.
        copies: how often they are held at once.
        setting: what to lower, with its value.

    Raises:
        TooLargeError: they would not fit into memory.
    """
    size = 4.0 * copies * width * sum(shape)
    require_memory(model, {"vectors of people and items": (size, f"lower {setting}")})
