"""UserKNN: what the people nearest to a history took; cosine, shrunk where evidence is thin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from jaxtyping import Float32
from pydantic import Field
from scipy import sparse

from bowerbird.arrays import top_k_rows
from bowerbird.config import Settings
from bowerbird.recommenders.interactions import Interactions
from bowerbird.recommenders.recommender import Histories

__all__ = ["FittedUserKnn", "UserKnn", "UserKnnSettings", "plugin"]

BLOCK_SIMILARITIES = 8_000_000
"""Similarities held at once: 32 MB of float32."""


class UserKnnSettings(Settings):
    """How many neighbours, and how similarity is shrunk."""

    neighbours: int = Field(default=200, ge=1)
    """People whose items are added up."""
    shrink: float = Field(default=10.0, ge=0.0)
    """Added to the cosine's denominator: people who share few items count for less."""


@dataclass(frozen=True)
class FittedUserKnn:
    """Everybody's items; the neighbours of a history are found when it is asked for."""

    matrix: sparse.csr_array
    """Users by items, 1 where met."""
    settings: UserKnnSettings

    def scores(self, histories: Histories) -> Float32[np.ndarray, "user item"]:
        """``score_j = sum over the nearest people v who met j of sim(history, v)``."""
        met = histories.weights()
        found = np.empty(met.shape, dtype=np.float32)
        size = max(1, BLOCK_SIMILARITIES // max(1, self.matrix.shape[0]))
        for first in range(0, met.shape[0], size):
            found[first : first + size] = (self._nearest(met[first : first + size]) @ self.matrix).toarray()
        return found

    def _nearest(self, met: sparse.csr_array) -> sparse.csr_array:
        norm = np.sqrt(met.sum(axis=1))[:, None] * np.sqrt(self.matrix.sum(axis=1))[None, :]
        shared = (met @ self.matrix.T).toarray()
        similarity = (shared / np.maximum(norm + self.settings.shrink, 1e-12)).astype(np.float32)
        best = top_k_rows(similarity, self.settings.neighbours)
        rows = np.repeat(np.arange(best.shape[0]), best.shape[1])
        values = np.take_along_axis(similarity, best, axis=1).ravel()
        return sparse.coo_array((values, (rows, best.ravel())), shape=similarity.shape).tocsr()


class UserKnn:
    """``sim(u, v) = #(items of u and v) / (sqrt(c_u c_v) + shrink)``.

    A person of train is their own nearest neighbour; what they met is out of the ranking anyway.

    Source: Herlocker et al., SIGIR 1999; the shrinkage is Bell & Koren's, ICDM 2007.
    """

    summary = "UserKNN: the items of the 200 people nearest to a history, shrunk cosine"
    uses_seed = False

    def __init__(self, settings: UserKnnSettings | None = None) -> None:
        self.settings = settings or UserKnnSettings()

    def variants(self) -> Sequence[UserKnn]:
        """Three numbers of neighbours and two amounts of shrinkage."""
        return [
            UserKnn(UserKnnSettings(neighbours=neighbours, shrink=shrink))
            for neighbours, shrink in product((50, 200, 800), (0.0, 10.0))
        ]

    def fit(self, train: Interactions, seed: int) -> FittedUserKnn:
        """Keep everybody's items."""
        return FittedUserKnn(train.matrix(), self.settings)


def plugin() -> UserKnn:
    """The plugin ``userknn``."""
    return UserKnn()
