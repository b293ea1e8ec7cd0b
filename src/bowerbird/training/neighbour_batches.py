"""Batches of the neighbour loss: whole items that people keep together, and what must not count as their negatives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from bowerbird.content.neighbour_pairs import Neighbours
from bowerbird.content.tower_settings import UnifiedSettings
from bowerbird.training.tower_batches import Batch, SidesOfItems, TextsOfItems

__all__ = ["NeighbourBatch", "NeighbourBatches"]

_MODALITY_DROPOUT = 0.2


@dataclass(frozen=True)
class NeighbourBatch:
    """Some pairs, ready for the tower."""

    left: Batch
    right: Batch
    beside: Batch | None
    """Look-alikes that are negatives of every pair but those they are kept with."""
    same: Tensor
    """(left, right): true where the right item is kept with the left one, too."""
    same_beside: Tensor | None
    """The same for the look-alikes."""
    log_popularity: Tensor
    """Of the right items."""


class NeighbourBatches:
    """Cuts pairs of items that people keep together into batches.

    Args:
        neighbours: the pairs.
        data: both sides of the items.
        texts: which texts belong to which item.
        settings: the dials.
    """

    def __init__(
        self, neighbours: Neighbours, data: SidesOfItems, texts: TextsOfItems, settings: UnifiedSettings
    ) -> None:
        self._neighbours, self._data, self._texts, self._settings = neighbours, data, texts, settings
        self._popularity = settings.log_q * neighbours.popularity(len(data.paired))

    def __len__(self) -> int:
        return len(self._neighbours)

    def batch(self, chosen: Int64[np.ndarray, "n"], draw: np.random.Generator) -> NeighbourBatch:
        """The batch of some pairs."""
        left, right = self._neighbours.pairs[chosen].T
        ends = self._whole(left, draw), self._whole(right, draw)
        beside, same_beside = None, None
        hard = self._look_alikes(left, draw)
        if hard.size:
            beside = self._whole(hard, draw)
            same_beside = torch.from_numpy(self._neighbours.together(left, hard))
        return NeighbourBatch(
            *ends,
            beside,
            torch.from_numpy(self._neighbours.together(left, right) | (right[:, None] == right[None, :])),
            same_beside,
            torch.from_numpy(self._popularity[right]),
        )

    def _whole(self, rows: Int64[np.ndarray, "n"], draw: np.random.Generator) -> Batch:
        (texts,) = self._texts.drawn(rows, 1, draw)
        return self._data.joint(rows, texts, self._settings.word_dropout, draw, drop=_MODALITY_DROPOUT)

    def _look_alikes(
        self, left: Int64[np.ndarray, "n"], draw: np.random.Generator
    ) -> Int64[np.ndarray, "hard"]:
        table = self._neighbours.look_alikes
        count = round(self._settings.hard_negatives * len(left))
        if table is None or not count:
            return np.zeros(0, np.int64)
        asked = draw.permutation(left)[:count]
        found = table[asked, draw.integers(0, table.shape[1], count)]
        return np.unique(found[found >= 0]).astype(np.int64)
