"""Histories: one person's actions in order. The one sequence every consumer reads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int8, Int32, Int64


@dataclass(frozen=True)
class History:
    """Actions of one person, oldest first, all strictly before ``as_of``.

    Args:
        rows: item rows.
        at: times, microseconds UTC, ascending.
        actions: codes into :data:`bowerbird.records.event.ACTIONS`.
    """

    rows: Int32[np.ndarray, "step"]
    at: Int64[np.ndarray, "step"]
    actions: Int8[np.ndarray, "step"]

    @staticmethod
    def empty() -> History:
        """The history of somebody who did nothing yet."""
        return History(np.empty(0, np.int32), np.empty(0, np.int64), np.empty(0, np.int8))

    def __len__(self) -> int:
        return self.rows.shape[0]

    def equals(self, other: History) -> bool:
        """Whether both hold the same steps."""
        return (
            np.array_equal(self.at, other.at)
            and np.array_equal(self.rows, other.rows)
            and np.array_equal(self.actions, other.actions)
        )

    def last(self, n: int) -> History:
        """The newest ``n`` steps."""
        return History(self.rows[-n:], self.at[-n:], self.actions[-n:]) if n > 0 else History.empty()

    def only(self, codes: tuple[int, ...]) -> History:
        """The steps whose action is one of the codes."""
        keep = np.isin(self.actions, codes)
        return History(self.rows[keep], self.at[keep], self.actions[keep])
