"""What lists do to the catalogue: how much of it is shown, how evenly, and how new it is.

Letters: ``slates[u, r]`` is the item row at place ``r`` of user ``u``'s list, -1 where the list is
short; ``counts[i]`` is how often item ``i`` was shown; ``popularity[i]`` is its number of training
events, and ``p_i = popularity_i / sum(popularity)``.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int, Int64

from bowerbird.errors import InputError

__all__ = [
    "average_popularity",
    "coverage",
    "entropy",
    "exposure_counts",
    "gini",
    "novelty",
    "tail_items",
    "tail_share",
]

Slates = Int[np.ndarray, "user n"]
Counts = Int[np.ndarray, " item"] | Float[np.ndarray, " item"]


def exposure_counts(slates: Slates, items: int) -> Int64[np.ndarray, " items"]:
    """How often each item is shown, over all lists.

    Args:
        slates: item rows, -1 for an empty place.
        items: size of the catalogue.

    Example:
        >>> exposure_counts(np.array([[0, 2], [2, -1]]), items=3).tolist()
        [1, 0, 2]
    """
    return np.bincount(slates[slates >= 0].ravel(), minlength=items).astype(np.int64)


def coverage(counts: Counts) -> float:
    """Share of the catalogue shown at least once: ``#{i : counts_i > 0} / items``.

    Example:
        >>> coverage(np.array([1, 0, 2, 0]))
        0.5
    """
    return float(np.count_nonzero(_shown(counts)) / counts.size)


def gini(counts: Counts) -> float:
    """Inequality of exposure: 0 when all items are shown equally, ``1 - 1/items`` when one takes all.

    ``gini = sum_j (2 j - items - 1) c_(j) / (items * sum(c))`` with ``c`` sorted up and ``j`` from 1.

    Raises:
        InputError: nothing was shown.

    Example:
        >>> gini(np.array([2, 2, 2, 2])), gini(np.array([0, 0, 0, 8]))
        (0.0, 0.75)
    """
    ordered = np.sort(_shown(counts)).astype(np.float64)
    weight = 2 * np.arange(1, ordered.size + 1) - ordered.size - 1
    return float((weight * ordered).sum() / (ordered.size * ordered.sum()))


def entropy(counts: Counts) -> float:
    """Shannon entropy of exposure, in bits: ``-sum_i q_i log2 q_i``, ``q = counts / sum(counts)``.

    Raises:
        InputError: nothing was shown.

    Example:
        >>> entropy(np.array([1, 1, 1, 1]))
        2.0
    """
    share = _shown(counts) / counts.sum()
    positive = share[share > 0]
    return float(-(positive * np.log2(positive)).sum())


def average_popularity(slates: Slates, popularity: Counts) -> float:
    """Mean over users of the mean training popularity in their list (ARP); empty lists are left out.

    ``arp = mean_u mean_{i in slate_u} popularity_i``

    Source: Yin et al., Challenging the Long Tail Recommendation, VLDB 2012.

    Example:
        >>> average_popularity(np.array([[0, 1], [1, -1]]), np.array([10, 4]))
        5.5
    """
    return _mean_over_lists(slates, popularity.astype(np.float64))


def tail_items(popularity: Counts, head: float = 0.2) -> Bool[np.ndarray, " item"]:
    """True for items outside the most popular share ``head`` of the catalogue.

    The head holds ``ceil(head * items)`` items; equally popular items enter it in row order.

    Example:
        >>> tail_items(np.array([1, 9, 2, 3, 4])).tolist()
        [True, False, True, True, True]
    """
    if not 0 < head < 1:
        raise InputError(f"head = {head}; expected a share in (0, 1), 0.2 is usual")
    tail = np.ones(popularity.size, dtype=bool)
    tail[np.argsort(-popularity, kind="stable")[: int(np.ceil(head * popularity.size))]] = False
    return tail


def tail_share(slates: Slates, popularity: Counts, head: float = 0.2) -> float:
    """Mean share of long-tail items in a list (APLT): ``mean_u #{i in slate_u : i in tail} / |slate_u|``.

    Source: Abdollahpouri et al., RecSys 2017.

    Example:
        >>> tail_share(np.array([[1, 0], [2, 3]]), np.array([1, 9, 2, 3, 4]))
        0.75
    """
    return _mean_over_lists(slates, tail_items(popularity, head).astype(np.float64))


def novelty(slates: Slates, popularity: Counts) -> float:
    """Mean self-information of what is shown, in bits: ``mean_u mean_{i in slate_u} -log2 p_i``.

    An item without training events would be infinitely new; it counts as one event.

    Source: Vargas & Castells, RecSys 2011 (EFD without rank discount).

    Example:
        >>> novelty(np.array([[0, 1]]), np.array([4, 4]))
        1.0
    """
    events = np.maximum(popularity.astype(np.float64), 1.0)
    return _mean_over_lists(slates, -np.log2(events / events.sum()))


def _mean_over_lists(slates: Slates, value: Float[np.ndarray, " item"]) -> float:
    filled = slates >= 0
    length = filled.sum(axis=1)
    if not (length > 0).any():
        raise InputError(f"found {slates.shape[0]} lists, all empty; expected at least one item shown")
    total = np.where(filled, value[np.where(filled, slates, 0)], 0.0).sum(axis=1)
    return float((total[length > 0] / length[length > 0]).mean())


def _shown(counts: Counts) -> Counts:
    if counts.size == 0 or counts.sum() <= 0:
        raise InputError(f"found {counts.size} items shown 0 times in all; expected at least one item shown")
    return counts
