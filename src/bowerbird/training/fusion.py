"""Learning the weights of search fusion from graded candidates; and grades from clicks.

Fusion is listwise: the softmax of a query's scores is brought to the shares of its gains::

    loss = -mean_q sum_i g_i / sum g  log softmax_i(w . x_i) + l / 2 |w - w_0|^2

Clicks are read through a position-based model, ``P(click) = examined_rank * attractive_(query, item)``, fitted by
expectation maximisation: an item low on the page was seen less, not liked less.

Source: ListNet, Cao et al., ICML 2007 (top-one form); PBM by EM, Richardson et al., WWW 2007, and Chuklin et al.,
Click Models for Web Search, 2015, section 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int
from scipy.optimize import minimize

from bowerbird.errors import InputError
from bowerbird.ranking.fusion import Fused

__all__ = ["attractiveness", "trained_fusion"]

PENALTY = 1e-3


def trained_fusion(
    features: Sequence[Float32[np.ndarray, "_ feature"]],
    gains: Sequence[Float32[np.ndarray, "_"]],
    penalty: float = PENALTY,
) -> Fused:
    """Weights fitted on queries with graded candidates.

    Args:
        features: of each query's candidates.
        gains: of the same candidates, at least 0; a query without gain teaches nothing.
        penalty: ``l``, the pull to the untaught weights.

    Raises:
        InputError: no query has a candidate with gain.
    """
    useful = [
        (x.astype(np.float64), g / g.sum()) for x, g in zip(features, gains, strict=True) if g.sum() > 0
    ]
    if not useful:
        raise InputError(f"trained_fusion: none of {len(features)} queries has a candidate with gain")
    start = Fused.untaught().weights.astype(np.float64)

    def loss(w: Float64[np.ndarray, " feature"]) -> tuple[float, Float64[np.ndarray, " feature"]]:
        value, slope = penalty / 2 * float(np.square(w - start).sum()), penalty * (w - start)
        for x, target in useful:
            scores = x @ w
            log_chance = scores - scores.max() - np.log(np.exp(scores - scores.max()).sum())
            value -= float(target @ log_chance) / len(useful)
            slope = slope + x.T @ (np.exp(log_chance) - target) / len(useful)
        return value, slope

    found: Any = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 200})
    return Fused(found.x.astype(np.float32))


def attractiveness(
    pairs: Int[np.ndarray, " shown"],
    ranks: Int[np.ndarray, " shown"],
    clicked: Bool[np.ndarray, " shown"],
    rounds: int = 30,
) -> Float64[np.ndarray, " pair"]:
    """How often each (query, item) pair is clicked when it is looked at.

    Args:
        pairs: number of the pair that was shown, each impression a row.
        ranks: place on the page, from 0.
        clicked: whether it was clicked.
        rounds: of expectation maximisation.

    Example:
        >>> pairs, ranks = np.array([0, 1] * 50), np.array([0, 9] * 50)
        >>> clicks = np.array(([True, False] * 10 + [False, False] * 40))
        >>> attractiveness(pairs, ranks, clicks).shape
        (2,)
    """
    ranks = np.minimum(ranks, 200)
    shown_at, shown = np.bincount(ranks), np.bincount(pairs)
    examined = 1.0 / (1.0 + np.arange(len(shown_at)))
    attractive = np.full(len(shown), 0.2)
    for _ in range(rounds):
        e, a = examined[ranks], attractive[pairs]
        neither = np.maximum(1.0 - e * a, 1e-12)
        looked = np.where(clicked, 1.0, e * (1.0 - a) / neither)
        liked = np.where(clicked, 1.0, a * (1.0 - e) / neither)
        examined = np.bincount(ranks, looked) / np.maximum(shown_at, 1)
        attractive = (np.bincount(pairs, liked) + 0.2) / (shown + 1.0)
        examined = examined / max(float(examined.max()), 1e-12)  # only the product is determined
    return attractive
