"""Engagement joined through canonical items: what was done with a copy was done with what it is a copy of.

Near-duplicates are one thing to people and several rows to a catalogue. The log keeps the row that was met; here is
the one place that adds such rows up. Every item of a group then reads what its whole group gathered, so a
fresh copy is neither unknown nor in its original's way: which of them is shown is decided later.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64, Int, Int32, Int64
from scipy import sparse

from bowerbird.signals.aggregates import EventCounts, trending_scores
from bowerbird.signals.online_counts import OnlineCounts

__all__ = ["JoinedCounts", "JoinedItems"]


@dataclass(frozen=True)
class JoinedItems:
    """Which items count as one.

    Example:
        >>> joined = JoinedItems(np.array([0, 1, 0], dtype=np.int32))
        >>> joined.summed(np.array([5, 2, 1])).tolist()
        [6.0, 2.0, 6.0]
    """

    canonical: Int32[np.ndarray, "item"]
    """Row of each item's canonical item; its own where it repeats nothing."""

    @property
    def once(self) -> Bool[np.ndarray, "item"]:
        """One item of each group, so that a sum over items counts nothing twice."""
        return self.canonical == np.arange(len(self.canonical))

    def summed(
        self, values: Int[np.ndarray, "item"] | Float[np.ndarray, "item"]
    ) -> Float64[np.ndarray, "item"]:
        """Each item's group total, in place of its own value."""
        total = np.bincount(self.canonical, values, minlength=len(self.canonical)).astype(np.float64)
        return total[self.canonical]

    def table(self, counted: sparse.csr_array) -> sparse.csr_array:
        """A table counted over canonical rows, read from any item to any item.

        Items of one group are not neighbours of each other; one is still its own, where the table says so.

        Args:
            counted: item by item; only canonical rows and columns hold anything.
        """
        if self.once.all():
            return counted
        everywhere = counted[self.canonical][:, self.canonical].tocoo()
        rows, columns = everywhere.coords
        kept = (rows == columns) | (self.canonical[rows] != self.canonical[columns])
        cells = (everywhere.data[kept], (rows[kept], columns[kept]))
        return sparse.coo_array(cells, shape=counted.shape).tocsr()


@dataclass(frozen=True)
class JoinedCounts:
    """The counts of each item's group; reads like :class:`~bowerbird.signals.aggregates.EventCounts`."""

    own: EventCounts | OnlineCounts
    """Counts per row; they may grow."""
    items: JoinedItems

    def totals(self, actions: tuple[str, ...], since: int, until: int) -> Int64[np.ndarray, "entity"]:
        """Events of some actions per item's group with ``since <= at < until``."""
        return self.items.summed(self.own.totals(actions, since, until)).astype(np.int64)

    def trending(self, as_of: int, half_life_hours: int | float = 24.0) -> Float32[np.ndarray, "entity"]:
        """See :meth:`~bowerbird.signals.aggregates.EventCounts.trending`; responses and impressions of the whole group."""
        positives, shown = self.own.decayed(as_of, half_life_hours)
        return trending_scores(self.items.summed(positives), self.items.summed(shown))
