"""EASE: the linear item-to-item model with a closed form. One inverse, no epochs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32
from pydantic import Field
from scipy import sparse
from scipy.linalg import lapack

from bowerbird.config import Settings
from bowerbird.errors import InputError
from bowerbird.recommenders.interactions import Interactions
from bowerbird.recommenders.recommender import Histories
from bowerbird.telemetry import require_memory

__all__ = ["Ease", "EaseSettings", "FittedEase", "bag", "inverse_of_gram", "recency"]


class EaseSettings(Settings):
    """The one dial of the model, and how the history enters."""

    regularisation: float = Field(default=100.0, gt=0.0)
    """Added to the diagonal of the item-item Gram matrix (lambda of the paper)."""
    history_decay: float = Field(default=1.0, gt=0.0, le=1.0)
    """A history event of age ``a`` weighs ``history_decay**a``; 1 is the paper's bag of items."""


@dataclass(frozen=True)
class FittedEase:
    """The item-to-item weights and how a history reads them."""

    weights: Float32[np.ndarray, "item item"]
    history_decay: float

    def scores(self, histories: Histories) -> Float32[np.ndarray, "user item"]:
        """``score = w B`` with ``w_i = history_decay**age``."""
        found = histories.weights(self.history_decay) @ self.weights
        return np.asarray(found, dtype=np.float32)


def inverse_of_gram(matrix: sparse.csr_array, regularisation: float) -> Float32[np.ndarray, "item item"]:
    """``(X'X + lambda I)^-1`` in place, float32: one Cholesky factor and its inverse, one n x n buffer.

    A general inverse (LU) does twice the work and needs a second buffer; solving against the identity
    does more than twice. Only the lower triangle is computed and then mirrored.

    Args:
        matrix: users by items.
        regularisation: lambda, above 0; it makes the matrix positive definite.

    Raises:
        InputError: float32 lost positive definiteness, lambda is too small for these counts.

    Cost: items^3 multiply-adds (1/3 for the factor, 2/3 for the inverse); 4 items^2 bytes.

    Example:
        >>> inverse = inverse_of_gram(sparse.csr_array(np.array([[1.0, 1.0]])), 1.0)
        >>> (3 * inverse).round().astype(int).tolist()
        [[2, -1], [-1, 2]]
    """
    pairs = sparse.coo_array(matrix.T @ matrix)
    gram = np.zeros(pairs.shape, dtype=np.float32, order="F")
    gram[pairs.row, pairs.col] = pairs.data
    del pairs
    gram[np.diag_indices_from(gram)] += regularisation
    factor, failed = lapack.spotrf(gram, lower=1, clean=0, overwrite_a=1)
    if not failed:
        factor, failed = lapack.spotri(factor, lower=1, overwrite_c=1)
    if failed:
        raise InputError(
            f"EASE: the Gram matrix of {gram.shape[0]:,} items with regularisation {regularisation:g} is not "
            "positive definite in float32; expected a larger regularisation, 100 to 500 is usual"
        )
    _mirror_lower(factor)
    return factor


def _mirror_lower(square: Float32[np.ndarray, "n n"], block: int = 1024) -> None:
    # in blocks, so that no second n x n array is made
    for start in range(0, square.shape[0], block):
        stop = start + block
        corner = square[start:stop, start:stop]
        corner[...] = np.tril(corner) + np.tril(corner, -1).T
        square[start:stop, stop:] = square[stop:, start:stop].T


class Ease:
    """``B = I - P / diag(P)`` with ``P = (X'X + lambda I)^-1``; the diagonal of ``B`` is 0.

    Source: Steck, Embarrassingly Shallow Autoencoders for Sparse Data, WWW 2019, eq. 8. The recency-weighted
    input is ours: the fit is the paper's, only the history that is multiplied in decays with age.
    """

    uses_seed = False

    def __init__(
        self, settings: EaseSettings | None = None, available: Callable[[], int] | None = None
    ) -> None:
        self.settings = settings or EaseSettings()
        self._available = available

    @property
    def summary(self) -> str:
        """One line for ``--models list``."""
        decay = self.settings.history_decay
        history = "a bag of items" if decay == 1.0 else f"{decay:g}^age"
        return f"EASE: closed-form linear item-to-item weights, items^2 memory; history {history}"

    def variants(self) -> Sequence[Ease]:
        """Three regularisations; with a decayed history also two decays."""
        decays = (1.0,) if self.settings.history_decay == 1.0 else (0.7, 0.9)
        return [
            Ease(EaseSettings(regularisation=regularisation, history_decay=decay), self._available)
            for regularisation in (100.0, 200.0, 400.0)
            for decay in decays
        ]

    def fit(self, train: Interactions, seed: int) -> FittedEase:
        """Invert the item-item matrix.

        Raises:
            TooLargeError: the matrix does not fit into memory.
        """
        fewer = f"leave ease out of --models, or keep fewer items ({train.items_total:,})"
        require_memory("EASE", {"items x items": (4 * train.items_total**2, fewer)}, self._available)
        # P is symmetric: its transpose is P with contiguous rows, which the products with histories want
        inverse = inverse_of_gram(train.matrix(), self.settings.regularisation).T
        inverse /= -np.diag(inverse).copy()
        np.fill_diagonal(inverse, 0.0)
        return FittedEase(inverse, self.settings.history_decay)


def bag() -> Ease:
    """The plugin ``ease``."""
    return Ease()


def recency() -> Ease:
    """The plugin ``ease-recency``."""
    return Ease(EaseSettings(history_decay=0.7))
