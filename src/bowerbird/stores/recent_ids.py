"""Which ids came by lately, in memory that does not grow with what comes by."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from jaxtyping import Bool

from bowerbird.stores.row_hash import string_lanes

__all__ = ["RecentIds"]


class RecentIds:
    """The newest ids of a stream that may deliver twice.

    Kept as 64-bit hashes in two generations: when the young one is full it becomes the old one, and what was the
    old one is let go. So an id is known while at least ``most`` others follow it, and never more than twice as
    many are held, at about 70 bytes each. Two different ids meet with probability ``most / 2^63``.

    Args:
        most: ids of a generation.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._young: set[int] = set()
        self._old: set[int] = set()

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def first_met(self, ids: pa.ChunkedArray) -> Bool[np.ndarray, "id"]:
        """Which ids come for the first time; from now on they are known.

        Example:
            >>> recent = RecentIds(most=100)
            >>> recent.first_met(pa.chunked_array([["a", "b", "a"]])).tolist()
            [True, True, False]
        """
        lanes = string_lanes(ids)
        found = np.empty(lanes.shape[1], dtype=bool)
        for place, name in enumerate(lanes[0].tolist()):
            found[place] = name not in self._young and name not in self._old
            self._young.add(name)
            if len(self._young) >= self._most:
                self._old, self._young = self._young, set()
        return found
