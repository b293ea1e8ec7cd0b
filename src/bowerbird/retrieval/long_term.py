"""What a build leaves of the long-term vector: everybody's, and an index over the items of its space.

Vectors are made in the build by the encoder trained there and read until the next one, so a request costs one search
and no network.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bowerbird.records.signal import Vectors
from bowerbird.retrieval.index import VectorIndex

__all__ = ["LongTermHoldings"]


@dataclass(frozen=True)
class LongTermHoldings:
    """Vectors of people and an index over items, in one space."""

    people: Vectors
    """One row per person of the build."""
    index: VectorIndex
    made_at: int
    """The vectors know what people did before this time, microseconds UTC."""

    def of(self, user_row: int, as_of: int) -> Vectors | None:
        """A person's vector: one row; None for nobody, for who came after the build, and before the vectors' own time.

        Args:
            user_row: -1 for nobody or somebody unknown.
            as_of: when it is asked for: events at or after it change nothing, so a vector made later is not given.
        """
        if not 0 <= user_row < len(self.people) or not self.people.present[user_row] or as_of < self.made_at:
            return None
        return self.people.take(np.array([user_row], np.int32))
