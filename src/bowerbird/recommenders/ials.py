"""iALS: implicit matrix factorisation by alternating least squares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32
from scipy import sparse
from threadpoolctl import threadpool_limits

from bowerbird.recommenders.interactions import Interactions
from bowerbird.recommenders.memory import require_factors
from bowerbird.recommenders.recommender import Histories
from bowerbird.users.interaction_factors import IalsSettings, InteractionFactors

__all__ = ["FittedIals", "Ials", "plugin"]


@dataclass(frozen=True)
class FittedIals:
    """Item vectors; a user's vector is solved for from the history, so new users work too."""

    factors: InteractionFactors

    def scores(self, histories: Histories) -> Float32[np.ndarray, "user item"]:
        """``score_j = x . y_j`` where ``x`` is the least-squares user vector of the history."""
        users = self.factors.people(sparse.csr_matrix(histories.weights()))
        with threadpool_limits(1, "blas"):
            return (users @ self.factors.items.T).astype(np.float32, copy=False)


class Ials:
    """A score per item from :class:`~bowerbird.users.interaction_factors.InteractionFactors`."""

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

    def fit(self, train: Interactions, seed: int) -> FittedIals:
        """Factorise the binary matrix of who met what.

        Raises:
            TooLargeError: the vectors would not fit into memory.
        """
        dials = self.settings
        require_factors("iALS", (train.users_total, train.items_total), dials.dim, 2, f"dim ({dials.dim})")
        met = sparse.csr_matrix(train.matrix())
        return FittedIals(InteractionFactors.fitted(met, dials, seed, len(train)))


def plugin() -> Ials:
    """The plugin ``ials``."""
    return Ials()
