"""How many kinds of items lists hold, and how many of a person's own: what recall says nothing of.

Kinds are groups found in who met what and in content, drawn anew here, so that no model is graded by its own groups.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int, Int32

from bowerbird.recommenders.interactions import Interactions
from bowerbird.recommenders.recommender import Histories
from bowerbird.recommenders.several import topics_of

__all__ = ["Kinds"]

SEED = 991
RECENT = 20
"""The newest events of a history, whose kinds are a person's own."""


@dataclass(frozen=True)
class Kinds:
    """The kind of each item, from 1 on; 0 for items without one."""

    kinds: Int32[np.ndarray, " item"]

    @staticmethod
    def of(train: Interactions) -> Kinds:
        """Kinds found in train alone."""
        return Kinds(topics_of(train, SEED))

    def variety(self, lists: Int[np.ndarray, "case k"]) -> Float64[np.ndarray, " case"]:
        """Kinds in each list as if all were as frequent: ``exp(entropy)``; 0 for a list without any.

        Example:
            >>> Kinds(np.array([1, 1, 2, 2], np.int32)).variety(np.array([[0, 2], [0, 1]])).tolist()
            [2.0, 1.0]
        """
        counts = self._counts(lists)
        total = counts.sum(axis=1, keepdims=True)
        share = counts / np.maximum(total, 1)
        entropy = -(share * np.log(np.where(share > 0, share, 1.0))).sum(axis=1)
        return np.where(total[:, 0] > 0, np.exp(entropy), 0.0)

    def own(
        self, lists: Int[np.ndarray, "case k"], histories: Histories
    ) -> tuple[Float64[np.ndarray, " case"], Float64[np.ndarray, " case"]]:
        """Of the kinds of each history's newest events, how many are in its list, and how many there are.

        Example:
            >>> rows = np.array([0, 0, 1], np.int32)
            >>> histories = Histories(rows, np.array([0, 2, 3], np.int32), 2, 4)
            >>> found, all_own = Kinds(np.array([1, 1, 2, 2], np.int32)).own(np.array([[1], [0]]), histories)
            >>> found.tolist(), all_own.tolist()
            ([1.0, 0.0], [2.0, 1.0])
        """
        ends = np.searchsorted(histories.users, np.arange(1, histories.users_total + 1))
        recent = ends[histories.users] - np.arange(histories.users.size) <= RECENT
        mine = np.zeros((histories.users_total, int(self.kinds.max(initial=0)) + 1), dtype=bool)
        mine[histories.users[recent], self.kinds[histories.items[recent]]] = True
        mine = mine[:, 1:]
        return (mine & (self._counts(lists) > 0)).sum(axis=1).astype(float), mine.sum(axis=1).astype(float)

    def _counts(self, lists: Int[np.ndarray, "case k"]) -> Int[np.ndarray, "case kind"]:
        width = int(self.kinds.max(initial=0)) + 1
        kind = np.where(lists >= 0, self.kinds[lists], 0)
        keys = np.arange(len(lists))[:, None] * width + kind
        return np.bincount(keys.ravel(), minlength=len(lists) * width).reshape(len(lists), width)[:, 1:]
