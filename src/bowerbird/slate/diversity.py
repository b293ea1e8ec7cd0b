"""Diversity by pairs and by determinant: maximal marginal relevance, and the greedy determinantal point process.

The third diversifier, sliding spectrum decomposition, has its own module: :mod:`bowerbird.slate.spectrum`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Float64

from bowerbird.errors import InputError
from bowerbird.slate.reordering import Picks, Reordering, relevance_of

__all__ = ["dpp", "mmr", "mmr_of_similarity"]

_SMALLEST_VOLUME = 1e-6
"""Squared residuals below this are noise of float32 dot products: such a candidate repeats the picks."""


def mmr(
    relevance: Float[np.ndarray, "item"],
    vectors: Float[np.ndarray, "row dim"],
    n: int,
    trade_off: float,
) -> Reordering:
    """Maximal marginal relevance: each pick pays for its likeness to the most similar earlier pick.

    ``term_j = trade_off * r_j - (1 - trade_off) * max over picked i of <v_i, v_j>``; the first pick pays
    nothing. Similarities are computed only for picked candidates, never the whole matrix.

    Args:
        relevance: one value per candidate, larger is better, on the scale of similarities.
        vectors: one row per candidate, unit length for cosine; a zero row is similar to nothing.
        n: slate length; all candidates if there are fewer.
        trade_off: in [0, 1]; 1 is the order of relevance, 0 looks only at likeness.

    Returns:
        The order, with ``trade_off * r`` and the likeness paid for as the parts of each term.

    Raises:
        InputError: lengths differ, a relevance is not finite, or trade_off is outside [0, 1].

    Cost: O(n * item * dim).

    Source: Carbonell and Goldstein, "The use of MMR", SIGIR 1998, section 2.

    Example:
        >>> twins_and_other = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
        >>> mmr(np.array([0.9, 0.8, 0.5]), twins_and_other, n=3, trade_off=0.5).order.tolist()
        [0, 2, 1]
    """
    checked = relevance_of("mmr", relevance, vectors.shape[0], n)
    return _mmr(checked, lambda pick: vectors @ vectors[pick], n, trade_off)


def mmr_of_similarity(
    relevance: Float[np.ndarray, "item"],
    similarity: Float[np.ndarray, "row row"],
    n: int,
    trade_off: float,
) -> Reordering:
    """Maximal marginal relevance over a given matrix: for likeness that is not a dot product.

    Args:
        relevance: one value per candidate, larger is better.
        similarity: likeness of every pair; row ``i`` is read when ``i`` is picked.
        n: slate length.
        trade_off: in [0, 1], as in :func:`mmr`.

    Raises:
        InputError: as :func:`mmr`.

    Example:
        >>> mmr_of_similarity(np.array([0.9, 0.8]), np.eye(2), n=2, trade_off=1.0).order.tolist()
        [0, 1]
    """
    checked = relevance_of("mmr_of_similarity", relevance, similarity.shape[0], n)
    return _mmr(checked, lambda pick: similarity[pick], n, trade_off)


def _mmr(
    relevance: Float64[np.ndarray, "item"],
    similarity_to: Callable[[int], Float[np.ndarray, "item"]],
    n: int,
    trade_off: float,
) -> Reordering:
    _require_share("mmr", trade_off)
    picks = Picks(trade_off * relevance, n)
    diversity = np.zeros(relevance.shape[0])
    nearest = np.full(relevance.shape[0], -np.inf)
    while picks.made < picks.n:
        pick = picks.take(diversity)
        np.maximum(nearest, similarity_to(pick), out=nearest)
        np.multiply(nearest, trade_off - 1.0, out=diversity)
    return picks.reordering()


def dpp(
    relevance: Float[np.ndarray, "item"],
    vectors: Float[np.ndarray, "row dim"],
    n: int,
    trade_off: float,
) -> Reordering:
    """Greedy determinantal point process: each pick adds the log of the volume it opens.

    The slate maximises ``trade_off * sum r + (1 - trade_off) * log det S`` with ``S_ij = <v_i, v_j>``.
    The determinant grows by ``d_j^2`` when ``j`` joins, which the Cholesky rows ``c`` give at once::

        e_j = (S_ij - <c_i, c_j>) / d_i        d_j^2 -= e_j^2        after each pick i

    The volume spans the whole slate; :func:`bowerbird.slate.spectrum.ssd` forgets beyond a window.
    Once the picks span the space no volume is left: ``d_j^2`` stops at 1e-6, so the rest follow by relevance.

    Args:
        relevance: one value per candidate, larger is better.
        vectors: one row per candidate, unit length for cosine.
        n: slate length; all candidates if there are fewer.
        trade_off: in [0, 1]; 1 is the order of relevance.

    Returns:
        The order, with ``trade_off * r`` and ``(1 - trade_off) * log d^2`` as the parts of each term.

    Raises:
        InputError: lengths differ, a relevance is not finite, or trade_off is outside [0, 1].

    Cost: O(n * item * (dim + n)); rows of S are computed when picked.

    Source: Chen, Zhang and Zhou, "Fast greedy MAP inference for DPP", NeurIPS 2018, algorithm 1 and
    equation 8. Ours keeps going at rank deficiency, where the paper stops.

    Example:
        >>> twins_and_other = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
        >>> dpp(np.array([0.9, 0.8, 0.5]), twins_and_other, n=2, trade_off=0.5).order.tolist()
        [0, 2]
    """
    _require_share("dpp", trade_off)
    picks = Picks(trade_off * relevance_of("dpp", relevance, vectors.shape[0], n), n)
    coefficients = np.zeros((picks.n, vectors.shape[0]), dtype=vectors.dtype)
    left = np.einsum("id,id->i", vectors, vectors).astype(np.float64)
    while picks.made < picks.n:
        made = picks.made
        volume = np.maximum(left, _SMALLEST_VOLUME)
        pick = picks.take((1.0 - trade_off) * np.log(volume))
        if left[pick] > _SMALLEST_VOLUME:
            known = coefficients[:made]
            row = coefficients[made]
            np.subtract(vectors @ vectors[pick], known[:, pick] @ known, out=row)
            row /= np.sqrt(left[pick])
            left -= np.square(row)
    return picks.reordering()


def _require_share(where: str, trade_off: float) -> None:
    if not 0.0 <= trade_off <= 1.0:
        raise InputError(
            f"{where}: trade_off = {trade_off}; expected 0 (only diversity) to 1 (only relevance)"
        )
