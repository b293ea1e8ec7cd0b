"""Soft spacing: two items of one category may stand together, at a price that fades with distance.

A hard rule ("never two of a kind within three") empties a slate whose candidates are all of a kind; a
price only reorders it.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from bowerbird.errors import InputError
from bowerbird.slate.reordering import Picks, Reordering, relevance_of

__all__ = ["spaced"]


def spaced(
    relevance: Float[np.ndarray, "item"],
    categories: Int[np.ndarray, "row"],
    n: int,
    strength: float,
    window: int,
) -> Reordering:
    """Greedy soft spacing by category.

    ``term_j = r_j - strength * sum over earlier picks i of the same category, d positions above and
    d <= window, of (1 - (d - 1) / window)``: the neighbour costs ``strength``, the last position of the
    window ``strength / window``, anything further nothing.

    Args:
        relevance: one value per candidate, larger is better.
        categories: one number per candidate, e.g. a category, creator or near-duplicate group; negative
            for none, which never repeats.
        n: slate length; all candidates if there are fewer.
        strength: price of an adjacent repeat, on the scale of relevance; >= 0.
        window: positions over which the price fades; >= 1.

    Returns:
        The order, with ``r`` and the (negative) price as the parts of each term.

    Raises:
        InputError: lengths differ, a relevance is not finite, strength is negative, or window is below 1.

    Cost: O(n * (item + window)).

    Source: the soft-spacing penalty of Pinterest's home feed (multi-objective optimisation blog, April
    2026): quality pays for proximity instead of a hard filter. The linear fade is ours.

    Example:
        >>> spaced(np.array([0.9, 0.8, 0.7]), np.array([1, 1, 2]), n=3, strength=0.5, window=2).order.tolist()
        [0, 2, 1]
    """
    if not strength >= 0.0:
        raise InputError(f"spaced: strength = {strength}; expected 0 or more")
    if window < 1:
        raise InputError(f"spaced: window = {window}; expected at least 1")
    picks = Picks(relevance_of("spaced", relevance, categories.shape[0], n), n)
    # categories as dense numbers, so that the price of each is one entry of a small table
    known, dense = np.unique(categories, return_inverse=True)
    price = np.zeros(known.shape[0])
    recent: list[int] = []
    while picks.made < picks.n:
        price[:] = 0.0
        for distance, category in enumerate(reversed(recent), start=1):
            if known[category] >= 0:
                price[category] -= strength * (1.0 - (distance - 1) / window)
        pick = picks.take(price[dense])
        recent = [*recent[-(window - 1) :], int(dense[pick])] if window > 1 else [int(dense[pick])]
    return picks.reordering()
