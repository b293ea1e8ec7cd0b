"""What is graded by the user probe beside our vector: counts, means of item vectors, user factors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, Int64
from scipy import sparse

from bowerbird.arrays import normalise
from bowerbird.clock import DAY_US
from bowerbird.users.behaviour import Behaviour
from bowerbird.users.interaction_factors import FactorVectors, IalsSettings
from bowerbird.users.interaction_svd import ItemBasis
from bowerbird.users.windowed_counts import activity_counts, most_frequent, top_counts

__all__ = ["CountVectors", "MeanVectors", "PersonVectors", "VectorMaker", "factor_vectors", "raw_counts"]

TOP = 10
"""Most frequent items and categories that windowed counts count, as the challenge's own baseline does."""


@runtime_checkable
class PersonVectors(Protocol):
    """Something fitted on the past that gives everybody a vector at any later time."""

    def vectors(self, behaviour: Behaviour, as_of: int) -> Float32[np.ndarray, "user dim"]:
        """One frozen vector a person, of the steps strictly before a time."""
        ...


VectorMaker = Callable[[Behaviour, int, int], PersonVectors]
"""``maker(past, as_of, seed)``: fitted on the steps before ``as_of`` and nothing else."""


@dataclass(frozen=True)
class CountVectors:
    """Windowed counts, standardised by what they were at the time of the fit."""

    top_items: Int64[np.ndarray, "top"]
    top_categories: Int64[np.ndarray, "kind"]
    mean: Float32[np.ndarray, "column"]
    scale: Float32[np.ndarray, "column"]

    @staticmethod
    def fitted(past: Behaviour, as_of: int, seed: int) -> CountVectors:  # noqa: ARG004 - a VectorMaker
        """The most frequent values and the scales before a time."""
        kinds = np.empty(0, np.int64)
        if past.categories is not None:
            kinds = most_frequent(past.categories[past.items], past.categories_total, TOP)
        items = most_frequent(past.items, past.items_total, TOP)
        raw = raw_counts(past, as_of, items, kinds)[past.counts() > 0]
        scale = raw.std(axis=0)
        return CountVectors(items, kinds, raw.mean(axis=0), np.where(scale > 1e-6, scale, np.float32(1)))

    def vectors(self, behaviour: Behaviour, as_of: int) -> Float32[np.ndarray, "user dim"]:
        """Standardised counts."""
        return (raw_counts(behaviour, as_of, self.top_items, self.top_categories) - self.mean) / self.scale


def raw_counts(
    behaviour: Behaviour, as_of: int, items: Int64[np.ndarray, "top"], kinds: Int64[np.ndarray, "kind"]
) -> Float32[np.ndarray, "user column"]:
    """Activity and the most frequent values, side by side."""
    parts = [activity_counts(behaviour, as_of), top_counts(behaviour, as_of, items, kinds)]
    return np.concatenate(parts, axis=1)


@dataclass(frozen=True)
class MeanVectors:
    """The decayed mean of the vectors of a person's items: what most services begin with."""

    items: Float32[np.ndarray, "item dim"]
    half_life_days: float = 30.0

    @staticmethod
    def fitted(past: Behaviour, as_of: int, seed: int) -> MeanVectors:  # noqa: ARG004 - a VectorMaker
        """Item vectors from who met what before a time."""
        return MeanVectors(normalise(ItemBasis.fitted(past, 64, seed).basis))

    def vectors(self, behaviour: Behaviour, as_of: int) -> Float32[np.ndarray, "user dim"]:
        """Unit vectors scaled to a mean square of 1 a dimension."""
        past = behaviour.before(as_of)
        weights = np.exp2(-((as_of - past.at) / DAY_US) / self.half_life_days)
        table = sparse.csr_array(
            (weights, (past.users, past.items)), shape=(past.users_total, past.items_total)
        )
        return normalise(np.asarray(table @ self.items)) * np.float32(np.sqrt(self.items.shape[1]))


def factor_vectors(past: Behaviour, as_of: int, seed: int) -> FactorVectors:
    """Factors of iALS with its default settings."""
    return FactorVectors.fitted(past, IalsSettings(), seed)
