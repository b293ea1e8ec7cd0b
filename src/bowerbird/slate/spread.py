"""Ordering a slate by value and diversity together, with the part each played."""

from __future__ import annotations

from typing import Literal

import numpy as np
from jaxtyping import Float, Float32, Int64

from bowerbird.arrays import top_k
from bowerbird.slate.diversity import mmr
from bowerbird.slate.reordering import Reordering
from bowerbird.slate.spectrum import ssd

POOL = 250
"""Diversity chooses among this many of the best by value; what lies deeper follows in order of value."""
SCALE_BEST = 25
"""Values are measured in the mean of this many of the largest, whatever the slate's length."""


def spread(
    value: Float[np.ndarray, "item"],
    vectors: Float[np.ndarray, "row dim"],
    n: int,
    method: Literal["none", "mmr", "ssd"],
    strength: float,
    window: int,
) -> tuple[Int64[np.ndarray, "pick"], Float32[np.ndarray, "pick"]]:
    """Positions of a slate in order, and what diversity added to each one's value.

    Values are divided by the mean of the :data:`SCALE_BEST` largest before diversity is weighed, and
    the added part is multiplied back, so one strength means the same for every surface and
    ``value + added`` is what the greedy choice maximised. Neither the scale nor the :data:`POOL` depends
    on the slate's length, so a shorter slate is a prefix of a longer one.

    Args:
        value: what each candidate is worth.
        vectors: one unit row per candidate.
        n: slate length.
        method: which diversifier; ``none`` orders by value.
        strength: weight of diversity; 0 orders by value.
        window: positions that must differ from one another (``ssd``).

    Example:
        >>> twins_and_other = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]], dtype=np.float32)
        >>> spread(np.array([0.9, 0.8, 0.7], dtype=np.float32), twins_and_other, 2, "mmr", 1.0, 8)[0].tolist()
        [0, 2]
    """
    if method == "none" or strength == 0 or len(value) <= 1:
        order = top_k(value, n)
        return order, np.zeros(len(order), dtype=np.float32)
    ordered = top_k(value, max(n, POOL))
    pool, rest = ordered[:POOL], ordered[POOL:n]
    picks, scale = _picked(value[pool], vectors[pool], n, method, strength, window)
    order = np.concatenate([pool[picks.order], rest])
    added = np.zeros(len(order), dtype=np.float32)
    added[: len(picks)] = picks.diversity * scale
    return order, added


def _picked(
    value: Float[np.ndarray, "item"],
    vectors: Float[np.ndarray, "item dim"],
    n: int,
    method: Literal["mmr", "ssd"],
    strength: float,
    window: int,
) -> tuple[Reordering, float]:
    """The picks of a diversifier among candidates ordered by value, and what one unit of it is worth."""
    scale = float(np.mean(np.abs(value[:SCALE_BEST]))) or 1.0
    if method == "ssd":
        return ssd(value / scale, vectors, n, strength, window), scale
    trade_off = 1.0 / (1.0 + strength)
    return mmr(value / scale, vectors, n, trade_off), scale / trade_off
