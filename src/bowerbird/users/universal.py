"""The universal vector: one frozen vector per person for any task a company may think of.

It holds what windowed counts hold (how alive a person is), what they like (their decayed history in a basis of items
and kinds, and the factors that explain what they took), and what a network trained on many earlier moments expects of
their future. Reading it needs no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32
from pydantic import Field
from scipy.special import erf

from bowerbird.config import Settings
from bowerbird.users.behaviour import Behaviour
from bowerbird.users.interaction_factors import FactorVectors, IalsSettings
from bowerbird.users.interaction_svd import ItemBasis
from bowerbird.users.windowed_counts import activity_counts

ALWAYS_DAYS = 10_000.0
"""A half-life at which nothing is forgotten."""
COUNTS = 58
"""Columns of the activity counts, which come first."""
HISTORY_WEIGHT = np.float32(0.15)
FUTURES_WEIGHT = np.float32(4.0)
"""Many columns say little each, a few say much: readers that learn from few examples see the latter first."""


class UniversalSettings(Settings):
    """The dials of the universal vector."""

    basis_dim: int = Field(default=96, ge=2, le=256)
    """Directions of items kept of a history, for each half-life."""
    kinds_dim: int = Field(default=48, ge=2, le=128)
    """Directions of categories kept."""
    tastes: IalsSettings = IalsSettings()
    """Factors of who took what."""
    half_lives_days: tuple[float, ...] = (30.0, ALWAYS_DAYS)
    """Half-lives a history is read with."""
    learnt_dim: int = Field(default=64, ge=8, le=256)
    """Width of what the network adds."""
    future_days: int = Field(default=28, ge=1, le=365)
    """Days after a moment the network is trained to foresee."""
    most_moments: int = Field(default=8, ge=2, le=60)
    """Earlier moments it is trained at."""


@dataclass(frozen=True, eq=False)
class UniversalEncoder:
    """A fitted universal vector. Made by :func:`bowerbird.training.universal.fit_universal`.

    Args:
        settings: how it was made.
        items: basis of items.
        kinds: basis of categories; no rows without categories.
        tastes: factors of who took what.
        mean: of each input at the moments it was trained at.
        scale: standard deviation of each input.
        layers: weights of the network: ``w0``, ``b0``, ``w1``, ``b1``.
        futures: weights of each foreseen future on the counts.
        spread: standard deviation of what the network and the futures say; divides it.
    """

    settings: UniversalSettings
    items: ItemBasis
    kinds: ItemBasis
    tastes: FactorVectors
    mean: Float32[np.ndarray, "input"]
    scale: Float32[np.ndarray, "input"]
    layers: Mapping[str, Float32[np.ndarray, "..."]]
    futures: Float32[np.ndarray, "future count"]
    spread: Float32[np.ndarray, "said"]

    @property
    def dim(self) -> int:
        """Width of the vectors."""
        return len(self.mean) + len(self.spread) + self.settings.tastes.dim

    def vectors(self, behaviour: Behaviour, as_of: int) -> Float32[np.ndarray, "user dim"]:
        """Everybody's vector of the steps strictly before a time.

        What is counted, the history in its bases, what is learnt, what is foreseen, the factors.

        Cost: O(steps * (basis + factors^2) + people * network).
        """
        read = self.inputs(behaviour, as_of)
        said = self.said(read) / self.spread
        said[:, -len(self.futures) :] *= FUTURES_WEIGHT
        size = self.scale[
            COUNTS:
        ]  # leading directions are larger for a reason: given back, relative to each other
        history = read[:, COUNTS:] * (HISTORY_WEIGHT * size / np.sqrt(np.mean(size**2)))
        return np.concatenate(
            [read[:, :COUNTS], history, said, self.tastes.vectors(behaviour, as_of)], axis=1
        )

    def inputs(self, behaviour: Behaviour, as_of: int) -> Float32[np.ndarray, "user input"]:
        """What is counted and projected, standardised."""
        read = raw_inputs(behaviour, as_of, self.items, self.kinds, self.settings)
        return (read - self.mean) / self.scale

    def said(self, inputs: Float32[np.ndarray, "user input"]) -> Float32[np.ndarray, "user said"]:
        """What the network says, then what the counts foresee."""
        hidden = gelu(inputs @ self.layers["w0"].T + self.layers["b0"])
        learnt = hidden @ self.layers["w1"].T + self.layers["b1"]
        return np.concatenate([learnt, inputs[:, :COUNTS] @ self.futures.T], axis=1).astype(np.float32)


def gelu(x: Float32[np.ndarray, "*shape"]) -> Float32[np.ndarray, "*shape"]:
    """``x * Phi(x)``, Phi the normal distribution function.

    Source: Hendrycks and Gimpel, arXiv:1606.08415, section 2.
    """
    return (0.5 * x * (1.0 + erf(x / np.sqrt(2.0)))).astype(np.float32)


def raw_inputs(
    behaviour: Behaviour, as_of: int, items: ItemBasis, kinds: ItemBasis, settings: UniversalSettings
) -> Float32[np.ndarray, "user input"]:
    """Counts, then the history in the basis of items and of kinds at each half-life, not yet standardised."""
    past = behaviour.before(as_of)
    blocks = [activity_counts(past, as_of)]
    blocks += [items.projected(past, as_of, half_life) for half_life in settings.half_lives_days]
    by_kind = as_kinds(past)
    if by_kind is not None and len(kinds.damping):
        blocks += [kinds.projected(by_kind, as_of, half_life) for half_life in settings.half_lives_days]
    return np.concatenate(blocks, axis=1)


def as_kinds(behaviour: Behaviour) -> Behaviour | None:
    """The same steps with categories in place of items; None when no item has one."""
    if behaviour.categories is None or not behaviour.categories_total:
        return None
    known = behaviour.where(behaviour.categories[behaviour.items] >= 0)
    kinds = behaviour.categories[known.items]
    return Behaviour(
        known.users,
        kinds,
        known.at,
        known.amounts,
        None,
        behaviour.users_total,
        behaviour.categories_total,
    )
