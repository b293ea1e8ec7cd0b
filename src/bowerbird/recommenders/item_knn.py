"""ItemKNN: items are alike when the same people met them; cosine, shrunk where evidence is thin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32
from pydantic import Field
from scipy import sparse

from bowerbird.config import Settings
from bowerbird.recommenders.interactions import Interactions
from bowerbird.recommenders.memory import require_pairs
from bowerbird.recommenders.recommender import Histories

__all__ = ["FittedItemKnn", "ItemKnn", "ItemKnnSettings", "bag", "compact", "recency"]


class ItemKnnSettings(Settings):
    """How similarity is shrunk and the history weighted."""

    shrink: float = Field(default=10.0, ge=0.0)
    """Added to the cosine's denominator: pairs seen together few times count for less."""
    history_decay: float = Field(default=1.0, gt=0.0, le=1.0)
    """A history event of age ``a`` weighs ``history_decay**a``; 1 is a bag of items."""


@dataclass(frozen=True)
class FittedItemKnn:
    """Item-to-item similarities and how a history reads them."""

    similarity: sparse.csr_array | Float32[np.ndarray, "item item"]
    """Sparse or dense, see :func:`compact`."""
    history_decay: float

    def scores(self, histories: Histories) -> Float32[np.ndarray, "user item"]:
        """``score_j = sum_a history_decay**a * sim(item of age a, j)``."""
        found = histories.weights(self.history_decay) @ self.similarity
        return np.asarray(found.toarray() if sparse.issparse(found) else found, dtype=np.float32)


class ItemKnn:
    """``sim_ij = #(users with i and j) / (sqrt(c_i c_j) + shrink)``, ``sim_ii = 0``; all neighbours kept.

    Source: Sarwar et al., WWW 2001; the shrinkage is Bell & Koren's, ICDM 2007.
    """

    uses_seed = False

    def __init__(self, settings: ItemKnnSettings | None = None) -> None:
        self.settings = settings or ItemKnnSettings()

    @property
    def summary(self) -> str:
        """One line for ``--models list``."""
        decay = self.settings.history_decay
        history = "a bag of items" if decay == 1.0 else f"{decay:g}^age"
        return f"ItemKNN: shrunk cosine between items over the users who met them; history {history}"

    def variants(self) -> Sequence[ItemKnn]:
        """Four amounts of shrinkage."""
        return [
            ItemKnn(self.settings.model_copy(update={"shrink": shrink}))
            for shrink in (0.0, 10.0, 30.0, 100.0)
        ]

    def fit(self, train: Interactions, seed: int) -> FittedItemKnn:
        """Count the pairs. Memory: the distinct pairs of items that share a user.

        Raises:
            TooLargeError: they would not fit into memory.
        """
        matrix = train.matrix()
        require_pairs("ItemKNN", matrix, 32)  # rows and columns of each pair, too
        pairs = sparse.coo_array(matrix.T @ matrix)
        norm = np.sqrt(matrix.sum(axis=0))
        values = pairs.data / (norm[pairs.row] * norm[pairs.col] + self.settings.shrink)
        values[pairs.row == pairs.col] = 0.0
        similarity = sparse.csr_array((values.astype(np.float32), (pairs.row, pairs.col)), shape=pairs.shape)
        return FittedItemKnn(compact(similarity), self.settings.history_decay)


def compact(pairs: sparse.csr_array) -> sparse.csr_array | Float32[np.ndarray, "item item"]:
    """The same pairs, dense where more than half are filled: then dense is smaller and faster."""
    return pairs.toarray() if pairs.nnz > pairs.shape[0] * pairs.shape[1] / 2 else pairs


def bag() -> ItemKnn:
    """The plugin ``itemknn``."""
    return ItemKnn()


def recency() -> ItemKnn:
    """The plugin ``itemknn-recency``."""
    return ItemKnn(ItemKnnSettings(history_decay=0.7))
