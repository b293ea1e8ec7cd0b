"""SeqKNN: sequential co-occurrence as a recommender; the same code serves as a candidate source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from jaxtyping import Float32

from bowerbird.recommenders.interactions import Interactions
from bowerbird.recommenders.recommender import Histories
from bowerbird.retrieval.cooccurrence import CooccurrenceSettings, SequentialCooccurrence

__all__ = ["FittedSeqKnn", "SeqKnn", "plugin"]


@dataclass(frozen=True)
class FittedSeqKnn:
    """A fitted co-occurrence table."""

    table: SequentialCooccurrence

    def scores(self, histories: Histories) -> Float32[np.ndarray, "user item"]:
        """What follows the latest items of each history, see :class:`SequentialCooccurrence`."""
        return self.table.score_histories(histories.users, histories.items, users_total=histories.users_total)


class SeqKnn:
    """What people did next, counted; see :class:`~bowerbird.retrieval.cooccurrence.SequentialCooccurrence`."""

    summary = "SeqKNN: sequential co-occurrence within 10 events, damped by popularity, history 0.7^age"
    uses_seed = False

    def __init__(self, settings: CooccurrenceSettings | None = None) -> None:
        self.settings = settings or CooccurrenceSettings()

    def variants(self) -> Sequence[SeqKnn]:
        """Two distance weights, two row dampings, three column dampings, two decays: 24 fits of seconds."""
        grid = product(
            ({"distance_power": 0.5, "distance_decay": 1.0}, {"distance_power": 0.0, "distance_decay": 0.7}),
            ({"from_damping": 0.0}, {"from_damping": 0.5}),
            ({"to_damping": 0.0}, {"to_damping": 0.25}, {"to_damping": 0.5}),
            ({"history_decay": 0.7}, {"history_decay": 0.9}),
        )
        return [SeqKnn(self.settings.model_copy(update=a | b | c | d)) for a, b, c, d in grid]

    def fit(self, train: Interactions, seed: int) -> FittedSeqKnn:
        """Count what follows what."""
        table = SequentialCooccurrence.fit(
            train.users, train.items, items_total=train.items_total, settings=self.settings
        )
        return FittedSeqKnn(table)


def plugin() -> SeqKnn:
    """The plugin ``seqknn``."""
    return SeqKnn()
