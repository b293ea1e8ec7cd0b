"""iALS: implicit matrix factorisation by alternating least squares, through the ``implicit`` package."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float32
from pydantic import Field
from scipy import sparse

from bowerbird.config import Settings
from bowerbird.recommenders.interactions import Interactions
from bowerbird.recommenders.memory import require_factors
from bowerbird.recommenders.recommender import Histories

__all__ = ["FittedIals", "Ials", "IalsSettings", "plugin"]


class IalsSettings(Settings):
    """The dials, in the letters of Rendle et al. (2021)."""

    dim: int = Field(default=64, ge=1, le=4096)
    """Width of the vectors."""
    iterations: int = Field(default=15, ge=1, le=1000)
    """Sweeps over users and items."""
    unobserved_weight: float = Field(default=0.2, gt=0.0, le=1.0)
    """Weight of a pair nobody met beside one that was met."""
    regularisation: float = Field(default=0.13, ge=0.0)
    """L2 penalty per event of a vector; see :class:`Ials`."""


@dataclass(frozen=True)
class FittedIals:
    """Item vectors; a user's vector is solved for from the history, so new users work too."""

    model: Any
    """The fitted model of ``implicit``, which ships no types."""

    def scores(self, histories: Histories) -> Float32[np.ndarray, "user item"]:
        """``score_j = x . y_j`` where ``x`` is the least-squares user vector of the history."""
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1, "blas"):
            met = sparse.csr_matrix(histories.weights())
            users = self.model.recalculate_user(np.arange(histories.users_total), met)
            return (users @ self.model.item_factors.T).astype(np.float32, copy=False)


class Ials:
    """``min sum_met (1 - x.y)^2 + w0 sum_unmet (x.y)^2 + L (|x|^2 + |y|^2)``, solved one side at a time.

    The paper's penalty of a vector grows with its data; ``implicit`` has one penalty for all, so
    ``L = reg sqrt(events per user * events per item)``. Scaling with the unmet pairs too, as the paper
    does, made every vector vanish on sparse data (Amazon Beauty). ``implicit`` weighs unmet pairs 1 and met ones ``alpha``; dividing the loss by ``w0``
    gives ``alpha = 1 / w0`` and a penalty of ``L / w0``. It runs on one thread: on small sets more threads
    are slower, and one thread makes the seed decide.

    Source: Hu, Koren & Volinsky, ICDM 2008; settings after Rendle et al., arXiv 2110.14037.
    """

    summary = "iALS: implicit matrix factorisation, 64 dimensions, 15 sweeps (the package implicit)"
    uses_seed = True

    def __init__(self, settings: IalsSettings | None = None) -> None:
        self.settings = settings or IalsSettings()

    def variants(self) -> Sequence[Ials]:
        """Three weights of unmet pairs and three penalties."""
        return [
            Ials(self.settings.model_copy(update={"unobserved_weight": weight, "regularisation": penalty}))
            for weight in (0.02, 0.1, 0.2)
            for penalty in (0.03, 0.065, 0.13)
        ]

    def penalty(self, train: Interactions) -> float:
        """``L`` of the loss above."""
        return self.settings.regularisation * len(train) / math.sqrt(train.users_total * train.items_total)

    def fit(self, train: Interactions, seed: int) -> FittedIals:
        """Factorise the binary matrix of who met what.

        Raises:
            TooLargeError: the vectors would not fit into memory.
        """
        from implicit.cpu.als import AlternatingLeastSquares
        from threadpoolctl import threadpool_limits

        dials = self.settings
        require_factors("iALS", (train.users_total, train.items_total), dials.dim, 2, f"dim ({dials.dim})")
        with threadpool_limits(1, "blas"):
            model = AlternatingLeastSquares(
                factors=dials.dim,
                iterations=dials.iterations,
                alpha=1.0 / dials.unobserved_weight,
                regularization=self.penalty(train) / dials.unobserved_weight,
                num_threads=1,
                random_state=seed,
            )
            model.fit(sparse.csr_matrix(train.matrix()), show_progress=False)
        return FittedIals(model)


def plugin() -> Ials:
    """The plugin ``ials``."""
    return Ials()
