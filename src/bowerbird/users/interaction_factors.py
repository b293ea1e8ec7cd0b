"""Factors of items from who met what: iALS, matrix factorisation by alternating least squares (package ``implicit``)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float32
from pydantic import Field
from scipy import sparse
from threadpoolctl import threadpool_limits

from bowerbird.config import Settings
from bowerbird.users.behaviour import Behaviour

__all__ = ["FactorVectors", "IalsSettings", "InteractionFactors"]


class IalsSettings(Settings):
    """The dials, in the letters of Rendle et al. (2021)."""

    dim: int = Field(default=64, ge=1, le=4096)
    """Width of the vectors."""
    iterations: int = Field(default=15, ge=1, le=1000)
    """Sweeps over users and items."""
    unobserved_weight: float = Field(default=0.2, gt=0.0, le=1.0)
    """Weight of a pair nobody met beside one that was met."""
    regularisation: float = Field(default=0.13, ge=0.0)
    """L2 penalty per event of a vector; see :class:`InteractionFactors`."""

    def penalty(self, events: int, shape: tuple[int, int]) -> float:
        """``L`` of :class:`InteractionFactors` for so many events of people and items."""
        return self.regularisation * events / math.sqrt(shape[0] * shape[1])


@dataclass(frozen=True)
class InteractionFactors:
    """``min sum_met (1 - x.y)^2 + w0 sum_unmet (x.y)^2 + L (|x|^2 + |y|^2)``, solved one side at a time.

    Items have vectors ``y``; a person's ``x`` is solved for from what they met, so new people and later moments work
    too. The paper's penalty of a vector grows with its data; ``implicit`` has one penalty for all, so
    ``L = reg sqrt(events per user * events per item)``. Scaling with the unmet pairs too, as the paper
    does, made every vector vanish on sparse data (Amazon Beauty). ``implicit`` weighs unmet pairs 1 and met ones ``alpha``; dividing the loss by ``w0``
    gives ``alpha = 1 / w0`` and a penalty of ``L / w0``. It runs on one thread: on small sets more threads
    are slower, and one thread makes the seed decide.

    Source: Hu, Koren & Volinsky, ICDM 2008; settings after Rendle et al., arXiv 2110.14037.
    """

    model: Any
    """The fitted model of ``implicit``, which ships no types."""

    @staticmethod
    def fitted(
        met: sparse.csr_matrix, settings: IalsSettings, seed: int, events: int | None = None
    ) -> InteractionFactors:
        """Factorise the binary matrix of who met what.

        Args:
            met: people by items; ones.
            settings: the dials.
            seed: of the vectors at the start.
            events: how many events stand behind the pairs, repeats counted; the pairs when absent.
        """
        from implicit.cpu.als import AlternatingLeastSquares

        penalty = settings.penalty(met.nnz if events is None else events, met.shape)
        with threadpool_limits(1, "blas"):
            model = AlternatingLeastSquares(
                factors=settings.dim,
                iterations=settings.iterations,
                alpha=1.0 / settings.unobserved_weight,
                regularization=penalty / settings.unobserved_weight,
                num_threads=1,
                random_state=seed,
            )
            model.fit(met, show_progress=False)
        return InteractionFactors(model)

    @property
    def items(self) -> Float32[np.ndarray, "item dim"]:
        """The vectors of items."""
        return self.model.item_factors

    def people(self, met: sparse.csr_matrix) -> Float32[np.ndarray, "user dim"]:
        """The least-squares vectors of people; zeros for who met nothing.

        Args:
            met: people by items, weights of what they met.
        """
        with threadpool_limits(1, "blas"):
            return self.model.recalculate_user(np.arange(met.shape[0]), met).astype(np.float32)


@dataclass(frozen=True)
class FactorVectors:
    """Factors of people at any moment, scaled to a mean square of 1 at the time of the fit."""

    factors: InteractionFactors
    scale: float

    @staticmethod
    def fitted(past: Behaviour, settings: IalsSettings, seed: int) -> FactorVectors:
        """Item factors from who met what in the past; see :meth:`InteractionFactors.fitted`."""
        met = past.met()
        factors = InteractionFactors.fitted(met, settings, seed, len(past))
        return FactorVectors(factors, float(np.sqrt(np.mean(factors.people(met) ** 2))) or 1.0)

    def vectors(self, behaviour: Behaviour, as_of: int) -> Float32[np.ndarray, "user dim"]:
        """Of the steps strictly before a time."""
        return self.factors.people(behaviour.before(as_of).met()) / np.float32(self.scale)
