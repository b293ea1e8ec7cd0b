"""An exploration slot: now and then one place goes to an item few have met, drawn with a known probability.

What nobody was shown nobody can like. So a place of the slate is sometimes given to a cold candidate, the likelier
the better it could be for all that is known. Every entry carries the probability of its place, so that the log
can be evaluated as if another policy had chosen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64

from bowerbird.errors import InputError

__all__ = ["Explored", "explored", "upper_bounds"]


@dataclass(frozen=True)
class Explored:
    """A slate with or without an item drawn into it.

    Args:
        order: candidates in their places.
        propensity: the probability with which the policy shows each of them at its place.
        drawn: the place that was drawn; -1 when nothing was.
    """

    order: Int64[np.ndarray, "pick"]
    propensity: Float64[np.ndarray, "pick"]
    drawn: int


def upper_bounds(
    value: Float[np.ndarray, "item"], impressions: Float[np.ndarray, "item"], strength: float
) -> Float64[np.ndarray, "item"]:
    """How good each candidate could be: ``v_j + strength * scale * sqrt(ln(1 + T) / (1 + n_j))``.

    ``n_j`` are its impressions, ``T`` all candidates' together, ``scale`` the mean size of a value.

    Source: UCB1 (Auer, Cesa-Bianchi, Fischer, Machine Learning 2002), the value of a model in place of a mean.

    Example:
        >>> bounds = upper_bounds(np.array([1.0, 1.0]), np.array([0.0, 99.0]), 1.0)
        >>> bool(bounds[0] > bounds[1])
        True
    """
    scale = float(np.mean(np.abs(value))) or 1.0
    return value + strength * scale * np.sqrt(np.log1p(impressions.sum()) / (1.0 + impressions))


def explored(
    order: Int64[np.ndarray, "ranked"],
    bounds: Float[np.ndarray, "item"],
    cold: Bool[np.ndarray, "item"],
    *,
    place: int,
    share: float,
    random: np.random.Generator,
) -> Explored:
    """An order whose ``place`` is given, in a share of requests, to a cold candidate from behind it.

    A cold candidate is drawn with ``q_j ~ exp(b_j / s)``, ``s`` the spread of their bounds, and moves up; those it
    passes move down by one. With ``Q_k`` the chance that the drawn one comes from behind place ``k``, the item that
    stands at ``k > place`` without a draw is there with ``1 - share Q_k`` if it may stay, and the one before it with
    the rest. Draws don't depend on how many places are shown, so a shorter slate is a prefix of a longer one.

    Args:
        order: candidates, best first, all that may be drawn among them.
        bounds: upper bound of each candidate.
        cold: who may be drawn.
        place: which place, 0 the top.
        share: of requests with a draw, in [0, 1).
        random: decides.

    Raises:
        InputError: the share is outside [0, 1), or the place is negative.
    """
    if not 0.0 <= share < 1.0 or place < 0:
        raise InputError(
            f"exploration: share = {share}, place = {place}; expected a share in [0, 1), a place from 0"
        )
    ranks = np.flatnonzero(cold[order])
    ranks = ranks[ranks > place]
    certain = np.ones(len(order))
    if share == 0.0 or len(ranks) == 0:
        return Explored(order, certain, -1)
    among = bounds[order[ranks]].astype(np.float64)
    weights = np.exp((among - among.max()) / (float(among.std()) or 1.0))
    chance = np.zeros(len(order))
    chance[ranks] = weights / weights.sum()
    behind = np.cumsum(chance[::-1])[::-1]  # behind[k]: the drawn one stands at k or later
    from_later = np.append(behind[1:], 0.0)
    # without a draw, or when the drawn one stood before it, an item keeps its place
    stays = np.where(np.arange(len(order)) < place, 1.0, 1.0 - share * behind)
    moves_down = share * from_later  # from k to k + 1, when the drawn one stood behind k
    draws = random.random() < share
    ranks = ranks[np.argsort(order[ranks])]  # drawn in an order of its own: what lies deep may be in any
    at = int(random.choice(ranks, p=chance[ranks]))
    if not draws:
        return Explored(order, stays, -1)
    moved = np.concatenate([order[:place], order[[at]], np.delete(order[place:], at - place)])
    propensity = stays.copy()
    propensity[place] = share * chance[at]
    propensity[place + 1 : at + 1] = moves_down[place:at]
    return Explored(moved, propensity, place)
