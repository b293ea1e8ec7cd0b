"""What people did on all surfaces as one log, and questions about what they do next on one of them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float32, Int32, Int64

from bowerbird.arrays import group_offsets
from bowerbird.metrics import target_rank
from bowerbird.training.batches import Ragged

__all__ = ["SurfaceCases", "SurfaceLog", "next_on"]


@dataclass(frozen=True, eq=False)
class SurfaceLog:
    """Actions of all people on all surfaces, by person and then by time."""

    sequences: Ragged
    items: Int32[np.ndarray, "step"]
    at: Int64[np.ndarray, "step"]
    kinds: Int32[np.ndarray, "step"]
    """Which action on which surface, as one code."""
    surfaces: Int32[np.ndarray, "step"]
    wanted: Bool[np.ndarray, "step"]
    """Whether the step is worth being foreseen: the person liked an item that they had not met before."""
    kinds_total: int
    content: Float32[np.ndarray, "item width"] | None
    items_total: int

    def before(self, as_of: int) -> SurfaceLog:
        """The same people and items with the actions strictly before a time."""
        kept = self.at < as_of
        bounds = group_offsets(self.sequences.owners[kept], self.sequences.lengths.size)
        columns = {name: getattr(self, name)[kept] for name in ("items", "at", "kinds", "surfaces", "wanted")}
        return replace(self, sequences=Ragged(bounds), **columns)

    @property
    def met(self) -> Bool[np.ndarray, "item"]:
        """Whether anybody met the item."""
        return np.bincount(self.items, minlength=self.items_total) > 0

    @property
    def first_met(self) -> Int64[np.ndarray, "item"]:
        """When each item was first met; the largest int64 where never."""
        first = np.full(self.items_total, np.iinfo(np.int64).max)
        np.minimum.at(first, self.items, self.at)
        return first


@dataclass(frozen=True, eq=False)
class SurfaceCases:
    """Histories (all a log holds of some people) and the new item each acts on next on one surface."""

    log: SurfaceLog
    users: Int64[np.ndarray, "case"]
    target: Int32[np.ndarray, "case"]

    def ranks(self, scores: Float32[np.ndarray, "case item"]) -> np.ndarray:
        """Pessimistic rank of each target among the items its person has not met."""
        bounds = self.log.sequences.bounds
        for row, user in enumerate(self.users.tolist()):
            scores[row, self.log.items[bounds[user] : bounds[user + 1]]] = -np.inf
        return target_rank.pessimistic_ranks(scores, self.target)


def next_on(log: SurfaceLog, surface: int) -> Int64[np.ndarray, "step"]:
    """For every step, the person's next wanted one on a surface; -1 where there is none."""
    wanted = np.flatnonzero(log.wanted & (log.surfaces == surface))
    here = np.arange(log.items.size)
    place = np.searchsorted(wanted, here, side="right")
    found = np.append(wanted, -1)[place].astype(np.int64)
    ends = log.sequences.bounds[1:][log.sequences.owners]
    found[found >= ends] = -1
    return found
