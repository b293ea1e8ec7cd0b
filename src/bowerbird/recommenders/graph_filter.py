"""GF-CF: collaborative filtering as a low-pass filter on the graph of people and items; closed form, no epochs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from jaxtyping import Float32
from pydantic import Field
from scipy import sparse

from bowerbird.config import Settings
from bowerbird.randomness import generator
from bowerbird.recommenders.interactions import Interactions
from bowerbird.recommenders.item_knn import compact
from bowerbird.recommenders.memory import require_factors, require_pairs
from bowerbird.recommenders.recommender import Histories

__all__ = ["FittedGraphFilter", "GraphFilter", "GraphFilterSettings", "leading_vectors", "plugin"]

OVERSAMPLING = 32
POWER_ROUNDS = 4


class GraphFilterSettings(Settings):
    """The two dials of the model."""

    dim: int = Field(default=256, ge=1, le=4096)
    """Singular vectors the ideal low-pass filter keeps; half the shorter side of the data at most."""
    ideal_weight: float = Field(default=0.3, ge=0.0)
    """Weight of the ideal low-pass filter beside the linear one (alpha of the paper)."""


@dataclass(frozen=True)
class FittedGraphFilter:
    """The linear filter, and the factors of the ideal one."""

    linear: sparse.csr_array | Float32[np.ndarray, "item item"]
    """``R~'R~``."""
    into: Float32[np.ndarray, "item dim"]
    """``D^-1/2 V``."""
    out: Float32[np.ndarray, "dim item"]
    """``alpha V' D^1/2``."""

    def scores(self, histories: Histories) -> Float32[np.ndarray, "user item"]:
        """``score = r R~'R~ + alpha r D^-1/2 V V' D^1/2`` for each history ``r``, a bag of items."""
        met = histories.weights()
        linear = met @ self.linear
        dense = linear.toarray() if sparse.issparse(linear) else linear
        return np.asarray(dense + (met @ self.into) @ self.out, dtype=np.float32)


class GraphFilter:
    """A linear low-pass filter plus an ideal one on the normalised matrix ``R~ = D_U^-1/2 R D_I^-1/2``.

    ``D`` are the degrees of people and items, ``V`` the first right singular vectors of ``R~``. The
    formula is in :meth:`FittedGraphFilter.scores`.

    Source: Shen et al., How Powerful is Graph Convolution for Recommendation?, CIKM 2021, eq. 16 and 17.
    """

    summary = "GF-CF: linear and ideal low-pass filter on the graph of people and items, closed form"
    uses_seed = True

    def __init__(self, settings: GraphFilterSettings | None = None) -> None:
        self.settings = settings or GraphFilterSettings()

    def variants(self) -> Sequence[GraphFilter]:
        """Two widths and three weights of the ideal filter."""
        return [
            GraphFilter(GraphFilterSettings(dim=dim, ideal_weight=weight))
            for dim, weight in product((128, 256), (0.1, 0.3, 1.0))
        ]

    def fit(self, train: Interactions, seed: int) -> FittedGraphFilter:
        """Normalise, multiply, and find the singular vectors; the seed only starts their iteration.

        Memory: the distinct pairs of items that share a user, and ``2 items dim`` numbers.

        Raises:
            TooLargeError: they would not fit into memory.
        """
        matrix = train.matrix()
        require_pairs("GF-CF", matrix)
        width = f"dim ({self.settings.dim})"
        require_factors("GF-CF", matrix.shape, self.settings.dim + OVERSAMPLING, 3, width)
        people, items = matrix.sum(axis=1), matrix.sum(axis=0)
        normalised = sparse.csr_array(
            sparse.diags_array(np.maximum(people, 1.0) ** -0.5)
            @ matrix
            @ sparse.diags_array(np.maximum(items, 1.0) ** -0.5),
            dtype=np.float32,
        )
        root = np.sqrt(np.maximum(items, 1.0)).astype(np.float32)
        dim = min(self.settings.dim, min(normalised.shape) // 2)
        basis = leading_vectors(normalised, dim, seed)
        linear = compact(sparse.csr_array(normalised.T @ normalised, dtype=np.float32))
        into = np.ascontiguousarray(basis / root[:, None], dtype=np.float32)
        out = np.ascontiguousarray(self.settings.ideal_weight * basis.T * root, dtype=np.float32)
        return FittedGraphFilter(linear, into, out)


def leading_vectors(matrix: sparse.csr_array, dim: int, seed: int) -> Float32[np.ndarray, "item dim"]:
    """The first right singular vectors of a sparse matrix, by subspace iteration from a random start.

    Args:
        matrix: rows by items.
        dim: how many; the iteration carries 32 more, so that the last ones converge too.
        seed: decides the start, and with it the last digits.

    Cost: 4 rounds of ``2 nnz (dim + 32)`` multiply-adds and one QR of items by ``dim + 32``.

    Source: Halko, Martinsson & Tropp, SIAM Review 2011, algorithm 4.4.
    """
    width = min(dim + OVERSAMPLING, *matrix.shape)
    basis = generator(seed, "leading vectors").standard_normal((matrix.shape[1], width)).astype(np.float32)
    for _ in range(POWER_ROUNDS):
        basis, _ = np.linalg.qr(matrix.T @ (matrix @ basis))
    image = matrix @ basis
    _, turn = np.linalg.eigh(image.T @ image)
    return np.ascontiguousarray(basis @ turn[:, ::-1][:, :dim], dtype=np.float32)


def plugin() -> GraphFilter:
    """The plugin ``gfcf``."""
    return GraphFilter()
