"""RP3beta: three steps of a random walk from a person, damped by the popularity of where it ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from jaxtyping import Float32
from pydantic import Field
from scipy import sparse

from bowerbird.config import Settings
from bowerbird.recommenders.interactions import Interactions
from bowerbird.recommenders.item_knn import compact
from bowerbird.recommenders.memory import require_pairs
from bowerbird.recommenders.recommender import Histories

__all__ = ["FittedRandomWalk", "RandomWalk", "RandomWalkSettings", "plugin"]


class RandomWalkSettings(Settings):
    """The two dials of the model, in the paper's letters."""

    alpha: float = Field(default=1.0, gt=0.0, le=3.0)
    """Power of each step's probability."""
    beta: float = Field(default=0.6, ge=0.0, le=2.0)
    """An item met by ``c`` people is divided by ``c**beta``: 0 is the walk itself."""


@dataclass(frozen=True)
class FittedRandomWalk:
    """Item to person to item, as weights."""

    weights: sparse.csr_array | Float32[np.ndarray, "item item"]

    def scores(self, histories: Histories) -> Float32[np.ndarray, "user item"]:
        """The walk's third step from a uniform choice of the history's items."""
        found = histories.weights() @ self.weights
        return np.asarray(found.toarray() if sparse.issparse(found) else found, dtype=np.float32)


class RandomWalk:
    """``w_ij = sum_u p(u | i)**alpha p(j | u)**alpha / c_j**beta``; all neighbours kept.

    Source: Paudel et al., Updatable, Accurate, Diverse, and Scalable Recommendations for Interactive
    Applications, ACM TiiS 2016 (RP3beta); the power alpha is P3alpha's (Cooper et al., WWW 2014).
    """

    summary = "RP3beta: a random walk of three steps, damped by popularity; all neighbours kept"
    uses_seed = False

    def __init__(self, settings: RandomWalkSettings | None = None) -> None:
        self.settings = settings or RandomWalkSettings()

    def variants(self) -> Sequence[RandomWalk]:
        """Two powers and four dampings."""
        return [
            RandomWalk(RandomWalkSettings(alpha=alpha, beta=beta))
            for alpha, beta in product((0.7, 1.0), (0.2, 0.4, 0.6, 0.8))
        ]

    def fit(self, train: Interactions, seed: int) -> FittedRandomWalk:
        """Multiply the two steps. Memory: the distinct pairs of items that share a user.

        Raises:
            TooLargeError: they would not fit into memory.
        """
        matrix = train.matrix()
        require_pairs("RP3beta", matrix)
        people = np.maximum(matrix.sum(axis=1), 1.0)
        items = np.maximum(matrix.sum(axis=0), 1.0)
        alpha = self.settings.alpha
        there = sparse.diags_array(items**-alpha) @ matrix.T
        back = sparse.diags_array(people**-alpha) @ matrix @ sparse.diags_array(items**-self.settings.beta)
        weights = sparse.csr_array(there @ back, dtype=np.float32)
        weights.setdiag(0.0)
        weights.eliminate_zeros()
        return FittedRandomWalk(compact(weights))


def plugin() -> RandomWalk:
    """The plugin ``rp3beta``."""
    return RandomWalk()
