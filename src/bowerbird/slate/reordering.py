"""What a diversifier returns: an order of picks, and for each pick the two terms its score is made of.

Every diversifier of this folder is a greedy loop: pick the candidate of the largest term, where a
term is a relevance part plus a diversity part that depends on what was picked before. So a shorter
slate is always a prefix of a longer one, and a slate's terms add up to its score.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Int64

from bowerbird.errors import InputError

__all__ = ["Picks", "Reordering", "relevance_of"]


@dataclass(frozen=True)
class Reordering:
    """Candidates in the order they were picked, with the terms of each pick.

    Args:
        order: positions in the candidates, the first pick first, no repeats.
        relevance: the part of each pick's term that the candidate has by itself.
        diversity: the part that depends on the picks before it.

    Example:
        >>> first = Reordering(np.array([2, 0]), np.array([0.9, 0.5]), np.array([0.0, -0.25]))
        >>> first.terms.tolist(), first.score
        ([0.9, 0.25], 1.15)
    """

    order: Int64[np.ndarray, "pick"]
    relevance: Float64[np.ndarray, "pick"]
    diversity: Float64[np.ndarray, "pick"]

    def __len__(self) -> int:
        return self.order.shape[0]

    @property
    def terms(self) -> Float64[np.ndarray, "pick"]:
        """Each pick's term: relevance part plus diversity part."""
        return self.relevance + self.diversity

    @property
    def score(self) -> float:
        """The slate's score: the sum of its terms."""
        return float(self.terms.sum())


class Picks:
    """The growing slate of a greedy loop: which candidates are left, and the terms so far.

    Args:
        relevance: the relevance part per candidate; the loop only adds a diversity part.
        n: how many to pick; all candidates if there are fewer.
    """

    def __init__(self, relevance: Float64[np.ndarray, "item"], n: int) -> None:
        self.n = min(n, relevance.shape[0])
        self.made = 0
        self._relevance = relevance
        self._order = np.empty(self.n, dtype=np.int64)
        self._diversity = np.empty(self.n)
        self._gone = np.zeros(relevance.shape[0], dtype=bool)

    def take(self, diversity: Float64[np.ndarray, "item"]) -> int:
        """Pick the candidate of the largest term; equal terms go to the earlier candidate."""
        term = self._relevance + diversity
        term[self._gone] = -np.inf
        best = int(np.argmax(term))
        self._order[self.made] = best
        self._diversity[self.made] = diversity[best]
        self._gone[best] = True
        self.made += 1
        return best

    def reordering(self) -> Reordering:
        """What was picked."""
        return Reordering(self._order, self._relevance[self._order], self._diversity)


def relevance_of(
    where: str,
    relevance: Float[np.ndarray, "item"],
    companions: int,
    n: int,
) -> Float64[np.ndarray, "item"]:
    """Checked relevance in float64: finite, one value per candidate, a slate length that makes sense.

    Args:
        where: the diversifier's name, for messages.
        relevance: one value per candidate, larger is better.
        companions: rows of what comes with it (vectors, categories).
        n: slate length asked for.

    Raises:
        InputError: lengths differ, a value is not finite, or n is negative.
    """
    if relevance.shape[0] != companions:
        raise InputError(
            f"{where}: {relevance.shape[0]} relevance values for {companions} candidates; expected one each"
        )
    if n < 0:
        raise InputError(f"{where}: n = {n}; expected a slate length of 0 or more")
    if not np.isfinite(relevance).all():
        bad = int(np.flatnonzero(~np.isfinite(relevance))[0])
        raise InputError(
            f"{where}: relevance of candidate {bad} is {relevance[bad]}; expected finite values, "
            "drop such candidates with a reason before diversifying"
        )
    return relevance.astype(np.float64)
