"""Lifelong history: of up to ten thousand actions, the few nearest to each candidate.

A transformer can read the newest hundred actions; what a person did two years ago still says something of a
candidate that looks like it. So each candidate looks up its nearest actions, by vectors of one byte a number:
what they were, how long ago, how near.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int8, Int32, Int64

from bowerbird.arrays import top_k_rows
from bowerbird.clock import DAY_US
from bowerbird.content.compact import to_bytes
from bowerbird.records.history import History
from bowerbird.records.signal import Vectors

__all__ = ["LIFELONG_STEPS", "NEAREST", "CompactItems", "NearestSteps", "nearest_places"]

NEAREST = 8
"""Actions each candidate keeps."""
LIFELONG_STEPS = 10_000
"""Newest actions that are searched."""
_BLOCK = 16


@dataclass(frozen=True)
class NearestSteps:
    """Each candidate's nearest actions, nearest first; places beyond a short history are empty.

    Args:
        actions: codes; -1 where empty.
        age_days: before the request; 0 where empty.
        similarity: cosine with the candidate; 0 where empty.
    """

    actions: Int8[np.ndarray, "n k"]
    age_days: Float32[np.ndarray, "n k"]
    similarity: Float32[np.ndarray, "n k"]

    @staticmethod
    def none(n: int) -> NearestSteps:
        """Of candidates that have nothing to look up."""
        empty = np.zeros((n, NEAREST), np.float32)
        return NearestSteps(np.full((n, NEAREST), -1, np.int8), empty, empty)

    @staticmethod
    def joined(parts: list[NearestSteps]) -> NearestSteps:
        """Several requests' candidates as one table."""
        if not parts:
            return NearestSteps.none(0)
        return NearestSteps(
            np.concatenate([one.actions for one in parts]),
            np.concatenate([one.age_days for one in parts]),
            np.concatenate([one.similarity for one in parts]),
        )

    def take(self, places: Int64[np.ndarray, "m"]) -> NearestSteps:
        """Those of some candidates."""
        return NearestSteps(self.actions[places], self.age_days[places], self.similarity[places])


@dataclass(frozen=True, eq=False)
class CompactItems:
    """A catalogue's vectors in bytes, for looking up lifelong histories.

    Args:
        steps: each vector in 255 steps of its own size; zeros for an item without one.
        sizes: the size of a step; 0 for an item without a vector.
    """

    steps: Int8[np.ndarray, "item dim"]
    sizes: Float32[np.ndarray, "item"]

    @staticmethod
    def of(vectors: Vectors) -> CompactItems:
        """The bytes of a catalogue's vectors. Cost: a byte a number, beside the vectors themselves."""
        return CompactItems(*to_bytes(vectors.matrix))

    def nearest(self, history: History, rows: Int32[np.ndarray, "n"], as_of: int) -> NearestSteps:
        """The nearest of a history's newest :data:`LIFELONG_STEPS` actions, for each candidate.

        Items without a vector are near to nothing. A candidate's answer doesn't depend on the others.

        Args:
            history: all before ``as_of``.
            rows: candidates.
            as_of: microseconds UTC; ages count to it.

        Cost: O(n * steps * dim), about half of it spent on choosing.

        Source: the nearest-neighbour selection of TransAct V2 (arXiv:2506.02267), over all actions
            at once where the paper keeps sequences apart; what is found is pooled, not read by a transformer.
        """
        past = history.last(LIFELONG_STEPS)
        if len(past) == 0 or len(rows) == 0:
            return NearestSteps.none(len(rows))
        own = self.steps[rows].astype(np.float32)
        similarity = own @ self.steps[past.rows].astype(np.float32).T
        similarity *= self.sizes[past.rows]
        places = nearest_places(similarity, NEAREST)
        found = np.take_along_axis(similarity, places, axis=1) * self.sizes[rows][:, None]
        age_days = ((as_of - past.at) / DAY_US).astype(np.float32)
        short = NEAREST - places.shape[1]
        return NearestSteps(
            np.pad(past.actions[places], ((0, 0), (0, short)), constant_values=-1),
            np.pad(age_days[places], ((0, 0), (0, short))),
            np.pad(found.astype(np.float32), ((0, 0), (0, short))),
        )


def nearest_places(similarity: Float32[np.ndarray, "n step"], k: int) -> Int64[np.ndarray, "n kept"]:
    """Per row, places of the ``k`` largest values, largest first; of equal ones the newest (last) first.

    Steps are dealt into blocks; the ``k`` largest lie in the ``k`` blocks with the largest maxima, so a long row
    is read once and not partitioned. Which of several equal values falls behind the ``k``-th is not promised. A
    stable sort of every row is the slow twin.

    Example:
        >>> nearest_places(np.array([[0.1, 0.9, 0.5, 0.9]], np.float32), 3).tolist()
        [[3, 1, 2]]
    """
    n, steps = similarity.shape
    blocks = steps // _BLOCK
    if blocks <= 4 * k:
        few = np.sort(top_k_rows(similarity, k), axis=1)
        return _best(np.take_along_axis(similarity, few, axis=1), few, k)
    dealt = similarity[:, : blocks * _BLOCK].reshape(n, _BLOCK, blocks)  # block b holds b, b + blocks, ...
    chosen = top_k_rows(dealt.max(axis=1), k)
    inside = (chosen[:, None, :] + np.arange(_BLOCK)[:, None] * blocks).reshape(n, k * _BLOCK)
    rest = np.broadcast_to(np.arange(blocks * _BLOCK, steps), (n, steps - blocks * _BLOCK))
    places = np.sort(np.concatenate([inside, rest], axis=1), axis=1)
    return _best(np.take_along_axis(similarity, places, axis=1), places, k)


def _best(values: np.ndarray, places: np.ndarray, k: int) -> np.ndarray:
    """The places of the ``k`` largest values per row; places ascend, and the last of equals comes first."""
    order = np.argsort(-values[:, ::-1], axis=1, kind="stable")[:, :k]
    return np.take_along_axis(places[:, ::-1], order, axis=1).astype(np.int64)
