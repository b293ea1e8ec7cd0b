"""Popularity: everybody gets what most people took. The floor of every board."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32
from pydantic import Field

from bowerbird.clock import DAY_US
from bowerbird.config import Settings
from bowerbird.errors import InputError
from bowerbird.recommenders.interactions import Interactions
from bowerbird.recommenders.recommender import Histories

__all__ = ["FittedPopularity", "Popularity", "PopularitySettings", "all_time", "last_30_days"]


class PopularitySettings(Settings):
    """Which events count."""

    days: float | None = Field(default=None, gt=0)
    """Only events of this many days before the end of train; all when None."""


@dataclass(frozen=True)
class FittedPopularity:
    """Events per item."""

    counts: Float32[np.ndarray, " item"]

    def scores(self, histories: Histories) -> Float32[np.ndarray, "user item"]:
        """The same scores for everybody."""
        return np.tile(self.counts, (histories.users_total, 1))


class Popularity:
    """``score_j = #events of j`` in train, or in its last days.

    Example:
        >>> import pyarrow as pa
        >>> train = Interactions.from_table(pa.table({"user_id": [1, 2, 2], "item_id": ["a", "a", "b"]}))
        >>> Popularity().fit(train, seed=0).counts.tolist()
        [2.0, 1.0]
    """

    uses_seed = False

    def __init__(self, settings: PopularitySettings | None = None) -> None:
        self.settings = settings or PopularitySettings()

    @property
    def summary(self) -> str:
        """One line for ``--models list``."""
        days = self.settings.days
        which = "all events" if days is None else f"events of the last {days:g} days"
        return f"popularity: {which} per item, the same list for everybody"

    def variants(self) -> Sequence[Popularity]:
        """Nothing to choose."""
        return [self]

    def fit(self, train: Interactions, seed: int) -> FittedPopularity:
        """Count the events.

        Raises:
            InputError: days are asked for and the data has no times.
        """
        counted = train
        if self.settings.days is not None:
            if train.at is None:
                raise InputError(
                    f"popularity of the last {self.settings.days:g} days: the events have no 'at' column; "
                    "expected times, or use the model 'pop'"
                )
            counted = train.where(train.at > train.at.max() - self.settings.days * DAY_US)
        return FittedPopularity(counted.popularity().astype(np.float32))


def all_time() -> Popularity:
    """The plugin ``pop``."""
    return Popularity()


def last_30_days() -> Popularity:
    """The plugin ``pop-30d``."""
    return Popularity(PopularitySettings(days=30.0))
