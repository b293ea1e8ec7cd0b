"""A bridge between two versions of a space: a rotation fitted on items that have both, with its loss measured.

Old vectors cannot be compared with new ones. Where they must be kept in use for a while (an index that is
rebuilt slowly, vectors somebody stored), a rotation carries them over. It is fitted on one part of the
items and judged on the other, and whoever uses it reads how many neighbours survive.

Source: Schönemann 1966, "A generalized solution of the orthogonal Procrustes problem": ``R = U V^T`` of the singular
value decomposition ``A^T B = U S V^T``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int64

from bowerbird.arrays import normalise, top_k_rows
from bowerbird.errors import InputError
from bowerbird.randomness import generator
from bowerbird.records.signal import Space, Vectors

__all__ = ["LEAST_ROWS", "Adapter", "agreement", "fitted_adapter"]

LEAST_ROWS = 20
"""Items with both vectors that an adapter is fitted on and judged by."""
HELD_OUT = 0.2
_MOST_JUDGED = 1000
NEIGHBOURS = 10


@dataclass(frozen=True)
class Adapter:
    """Carries vectors of one space into another of the same width.

    Args:
        source: where they come from; others are refused.
        target: where they arrive.
        rotation: orthogonal.
        kept: share of the ten nearest neighbours that survive, measured on items it was not fitted on.
    """

    source: Space
    target: Space
    rotation: Float32[np.ndarray, "dim dim"]
    kept: float

    def carried(self, vectors: Vectors) -> Vectors:
        """The vectors in the target space.

        Raises:
            SpaceMismatchError: they are of another space than the adapter was fitted for.
        """
        self.source.require(vectors.space, "adapter")
        return Vectors(self.target, normalise(vectors.matrix @ self.rotation), vectors.present)


def fitted_adapter(old: Vectors, new: Vectors, seed: int = 0) -> Adapter:
    """The rotation that carries old vectors nearest to the new ones of the same items.

    Args:
        old: of one version, a row per item.
        new: of another version, the same items.
        seed: draws the fifth of the items it is judged on.

    Raises:
        InputError: different items or widths, or too few items with both.
    """
    both = np.flatnonzero(old.present & new.present) if len(old) == len(new) else np.zeros(0, np.int64)
    if old.space.dim != new.space.dim or len(both) < LEAST_ROWS:
        raise InputError(
            f"adapter: {len(both)} of {len(old)} and {len(new)} items have both vectors, of {old.space.dim} and "
            f"{new.space.dim} numbers; expected the same items and width, at least {LEAST_ROWS} with both"
        )
    order = generator(seed, "adapter").permutation(both)
    judged, fit = order[: int(HELD_OUT * len(order))], order[int(HELD_OUT * len(order)) :]
    left, _, right = np.linalg.svd(old.matrix[fit].astype(np.float64).T @ new.matrix[fit])
    rotation = (left @ right).astype(np.float32)
    adapter = Adapter(old.space, new.space, rotation, 0.0)
    return Adapter(old.space, new.space, rotation, agreement(adapter.carried(old), new, judged))


def agreement(one: Vectors, other: Vectors, rows: Int64[np.ndarray, "n"]) -> float:
    """Share of the ten nearest items of some items that are the same asked with either vector.

    Both ask among the vectors of ``other``: that is what a mixed index does. A new tower that was trained toward
    the old one is measured with this too, after its vectors were put under the old space's name.

    Args:
        one: vectors to ask with.
        other: vectors that are asked and found, of the same items and space.
        rows: the items, at most 1,000 are judged.

    Raises:
        SpaceMismatchError: the vectors live in different spaces.
    """
    rows = rows[:_MOST_JUDGED]
    there = np.flatnonzero(other.present)
    found = []
    for asking in (one, other):
        scores = asking.take(rows).similarity(other.take(there))
        scores[rows[:, None] == there[None, :]] = -np.inf
        found.append(top_k_rows(scores, min(NEIGHBOURS, len(there) - 1)))
    same = [len(np.intersect1d(a, b)) / max(len(b), 1) for a, b in zip(*found, strict=True)]
    return float(np.mean(same)) if same else 1.0
