"""Sliding spectrum decomposition: a slate as a trajectory whose last few items should span much volume.

People see a few items at once and forget earlier ones; so diversity counts inside a window that slides
down the feed, and what left the window may come again.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float, Float64

from bowerbird.errors import InputError
from bowerbird.slate.reordering import Picks, Reordering, relevance_of

__all__ = ["ssd"]


def ssd(
    relevance: Float[np.ndarray, "item"],
    vectors: Float[np.ndarray, "row dim"],
    n: int,
    gamma: float,
    window: int,
) -> Reordering:
    """Greedy sliding spectrum decomposition.

    Each pick maximises ``r_j + gamma * |v_j_perp| * product of the window's residual lengths``, the volume
    that the window spans with ``j``. After a pick every vector loses its component along it,
    ``v_j -= <v_j, v_i> / <v_i, v_i> * v_i``; when the window slides, the component along the item that
    leaves is added back. Until the first item leaves, the volume is exactly ``sqrt(det(V V^T))``.

    The vectors themselves are never changed. With residual directions ``q_k`` (orthonormal inside the
    window) the component of ``v_j`` along pick ``k`` is ``c_kj = (<v_i, v_j> - sum over window of
    c_li c_lj) / |v_i_perp|``, and ``|v_j_perp|^2 = |v_j|^2 - sum over window of c_kj^2``: one matrix-vector
    product per pick, and the add-back is an addition of ``c^2``.

    Args:
        relevance: one value per candidate, larger is better.
        vectors: one row per candidate; unit length makes a volume a share in [0, 1]. A zero row (an item
            without a vector) earns no volume, and takes no room in the window.
        n: slate length; all candidates if there are fewer.
        gamma: weight of the volume against relevance, >= 0; 0 is the order of relevance.
        window: how many neighbouring positions a volume spans, the new pick included; >= 1.

    Returns:
        The order, with ``r`` and ``gamma * volume`` as the parts of each term.

    Raises:
        InputError: lengths differ, a relevance is not finite, gamma is negative, or window is below 1.

    Cost: O(n * item * (dim + window)).

    Source: Huang et al., "Sliding Spectrum Decomposition for Diversified Recommendation", KDD 2021,
    algorithm 1. Ours keeps coefficients instead of rewriting the vectors; the picks are the same.

    Example:
        >>> twins_and_other = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
        >>> slate = ssd(np.array([0.9, 0.8, 0.5]), twins_and_other, n=3, gamma=0.5, window=2)
        >>> slate.order.tolist(), slate.diversity.tolist()
        ([0, 2, 1], [0.5, 0.5, 0.5])
    """
    if not gamma >= 0.0:
        raise InputError(f"ssd: gamma = {gamma}; expected 0 or more")
    if window < 1:
        raise InputError(f"ssd: window = {window}; expected at least 1, the new pick itself")
    picks = Picks(relevance_of("ssd", relevance, vectors.shape[0], n), n)
    past = _Window(vectors, size=min(window - 1, picks.n))
    while picks.made < picks.n:
        past.slide(picks.take(past.volume_with(gamma)))
    return picks.reordering()


class _Window:
    """The last ``size`` picks as orthonormal directions, and what is left of every candidate beside them."""

    def __init__(self, vectors: Float[np.ndarray, "item dim"], size: int) -> None:
        self._vectors = vectors
        self._size = size
        self._seen = 0
        self._left = np.einsum("id,id->i", vectors, vectors).astype(np.float64)
        # a squared residual below this is rounding of the dot products: the pick repeats the window
        self._noise = self._left * (16.0 * float(np.finfo(vectors.dtype).eps))
        # a ring: pick t sits in row t % size until pick t + size takes its place
        self._components = np.zeros((size, vectors.shape[0]), dtype=vectors.dtype)
        self._squares = np.zeros((size, vectors.shape[0]))
        self._lengths = [1.0] * size

    def volume_with(self, weight: float) -> Float64[np.ndarray, "item"]:
        """The volume the window spans together with each candidate, times a weight."""
        volume = np.maximum(self._left, 0.0)
        np.sqrt(volume, out=volume)
        volume *= weight * math.prod(self._lengths)
        return volume

    def slide(self, pick: int) -> None:
        """Forget the oldest pick, if the window is full, and remember this one."""
        if self._size == 0:
            return
        row = self._seen % self._size
        component, square = self._components[row], self._squares[row]
        if self._seen >= self._size:
            self._left += square  # the add-back
        self._seen += 1
        left, noise = float(self._left[pick]), float(self._noise[pick])
        if left <= noise:
            # no vector at all takes no room; a repeat leaves no volume until it is out of the window
            self._lengths[row] = 1.0 if noise == 0.0 else 0.0
            component[:] = 0.0
            square[:] = 0.0
            return
        shared = self._components[:, pick].copy()
        shared[row] = 0.0  # this row still holds the pick that just left
        np.subtract(self._vectors @ self._vectors[pick], shared @ self._components, out=component)
        component /= math.sqrt(left)
        np.square(component, out=square, dtype=np.float64)
        self._left -= square
        self._lengths[row] = math.sqrt(left)
