"""What a benchmark asks of a model: fit on interactions, then score all items for histories.

Models are plugins of the group ``bowerbird.recommenders``: an entry point names a function without
arguments that returns a :class:`Recommender`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, Int32, Int64
from scipy import sparse

from bowerbird import plugins
from bowerbird.config import Settings
from bowerbird.recommenders.interactions import Interactions
from bowerbird.retrieval.cooccurrence import decayed_histories

__all__ = ["FittedRecommender", "Histories", "Recommender", "recommender", "recommender_names"]


@dataclass(frozen=True)
class Histories:
    """A batch of histories to score: what each user did before, in order of time.

    Histories, not user rows: a model may be asked about events it was not fitted on (the validation
    item stands in the history of the test) and about users it never met.
    """

    users: Int32[np.ndarray, " event"]
    """Which history an event belongs to, ``0..users_total - 1``, rising; each history in order of time."""
    items: Int32[np.ndarray, " event"]
    """Item row of each event."""
    users_total: int
    """Number of histories; one without events is allowed."""
    items_total: int
    """Size of the catalogue."""
    at: Int64[np.ndarray, " event"] | None = None
    """Time of each event, microseconds UTC, when the data has times."""
    asked_at: Int64[np.ndarray, " user"] | None = None
    """When each history is asked about; None: right after its last event. Never the time of the answer."""

    def part(self, start: int, stop: int) -> Histories:
        """Histories ``start`` to ``stop``, numbered from 0."""
        first, end = np.searchsorted(self.users, [start, stop])
        return Histories(
            self.users[first:end] - np.int32(start),
            self.items[first:end],
            stop - start,
            self.items_total,
            None if self.at is None else self.at[first:end],
            None if self.asked_at is None else self.asked_at[start:stop],
        )

    def weights(self, decay: float = 1.0) -> sparse.csr_array:
        """Histories by items, float32: ``decay**age`` with age 0 the latest; 1 each when decay is 1."""
        table = decayed_histories(self.users, self.items, (self.users_total, self.items_total), decay)
        if decay == 1.0:
            table.data.fill(1.0)  # a bag of items: meeting one twice does not make it two
        return table


@runtime_checkable
class FittedRecommender(Protocol):
    """A fitted model."""

    def scores(self, histories: Histories) -> Float32[np.ndarray, "user item"]:
        """A score per history and item, larger is better. Seen items are the caller's business."""
        ...


@runtime_checkable
class Recommender(Protocol):
    """A model with its hyper-parameters, not fitted yet."""

    uses_seed: bool
    """False when every seed gives the same model; the bench then fits it once."""

    @property
    def summary(self) -> str:
        """One line for ``--models list``: what the model is."""
        ...

    @property
    def settings(self) -> Settings:
        """The hyper-parameters; they are printed in the report."""
        ...

    def variants(self) -> Sequence[Recommender]:
        """The small declared grid that ``--tune`` chooses from, on validation only."""
        ...

    def fit(self, train: Interactions, seed: int) -> FittedRecommender:
        """The model fitted on these events and nothing else."""
        ...


def recommender_names() -> list[str]:
    """The installed recommenders, built-in and other people's."""
    return plugins.names("recommenders")


def recommender(name: str) -> Recommender:
    """The recommender of a name, with its default settings.

    Raises:
        NotFoundError: no installed package offers it.
    """
    return plugins.load("recommenders", name)()
