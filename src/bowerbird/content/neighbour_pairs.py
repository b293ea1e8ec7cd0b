"""What the item tower learns from behaviour: pairs of items that people keep together, and look-alikes they do not.

Pairs come from random walks with restart over who keeps what, hubs pruned on both sides (see
:mod:`bowerbird.content.graph`). An item that many keep begins more of them, but only as the root of how many they are, so
that taste is learnt over the whole catalogue and not over its head.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int, Int32, Int64
from scipy import sparse

from bowerbird.arrays import top_k_rows
from bowerbird.content.graph import WalkSettings, walk_neighbours
from bowerbird.randomness import generator

__all__ = ["Neighbours", "look_alikes", "neighbour_pairs"]

PAIRS_OF_AN_ITEM = 2
"""Pairs drawn for each item that has neighbours, on average."""
POPULARITY = 0.5
"""An item kept ``c`` times begins pairs in proportion to ``c**POPULARITY``."""
MOST_PAIRS = 20_000
"""Pairs learnt from; a random choice where there are more."""
LOOK_ALIKES, NEAR = 5, 30
"""Look-alikes kept of each item, out of so many of its nearest."""
BLOCK_ROWS = 1024
"""Items compared with all others at a time."""


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Items that people keep together.

    Args:
        pairs: item rows, what was kept and what is kept with it.
        kept: item by item, true where two are known to be kept together: they are never each other's negatives.
        copy_of: row of each item's canonical item; its own where None.
        look_alikes: rows of items that resemble each item and are not kept with it; -1 where there are fewer.
    """

    pairs: Int64[np.ndarray, "pair 2"]
    kept: sparse.csr_array | None = None
    copy_of: Int[np.ndarray, " item"] | None = None
    look_alikes: Int32[np.ndarray, "item place"] | None = None

    @staticmethod
    def none() -> Neighbours:
        """Nothing is known of what people keep."""
        return Neighbours(np.zeros((0, 2), np.int64))

    def __len__(self) -> int:
        return len(self.pairs)

    def together(
        self, left: Int64[np.ndarray, " left"], right: Int64[np.ndarray, " right"]
    ) -> Bool[np.ndarray, "left right"]:
        """Which of some items are known to be kept with which of others, or are the same."""
        same = left[:, None] == right[None, :]
        if self.kept is None:
            return same
        return same | self.kept[left][:, right].toarray()

    def popularity(self, items: int) -> Float32[np.ndarray, " item"]:
        """The logarithm of how often each item is what is kept with another, as a share; the least share for the others."""
        counts = np.bincount(self.pairs[:, 1], minlength=items).astype(np.float64)
        return np.log(np.maximum(counts, 1) / max(len(self.pairs), 1)).astype(np.float32)

    def fingerprint_bytes(self) -> bytes:
        """Everything in it, for a fingerprint."""
        parts = [self.pairs.tobytes()]
        if self.kept is not None:
            parts += [self.kept.indptr.tobytes(), self.kept.indices.tobytes()]
        if self.look_alikes is not None:
            parts.append(self.look_alikes.tobytes())
        return b"/".join(parts)


def neighbour_pairs(
    owners: Int[np.ndarray, " edge"],
    items: Int[np.ndarray, " edge"],
    *,
    items_total: int,
    seed: int,
    copy_of: Int[np.ndarray, " item"] | None = None,
    settings: WalkSettings | None = None,
    of_an_item: int = PAIRS_OF_AN_ITEM,
) -> Neighbours:
    """Pairs drawn from the neighbours of each item, the nearest most often.

    Args:
        owners: the other side of each edge, a row of a collection or a person, from 0.
        items: item row of each edge.
        items_total: size of the catalogue.
        seed: of walks and draws.
        copy_of: row of each item's canonical item, which its edges name; its own where None.
        settings: of the walks; defaults when None.
        of_an_item: pairs drawn for each item that has neighbours, on average.

    Example:
        >>> found = neighbour_pairs(np.array([0, 0, 1, 1]), np.array([0, 1, 2, 3]), items_total=5, seed=0)
        >>> len(found), sorted({tuple(sorted(pair)) for pair in found.pairs.tolist()})
        (8, [(0, 1), (2, 3)])
    """
    walked = walk_neighbours(owners, items, items_total=items_total, seed=seed, settings=settings)
    known = np.flatnonzero(walked.rows[:, 0] >= 0)
    if not known.size:
        return Neighbours(np.zeros((0, 2), np.int64), copy_of=copy_of)
    draw = generator(seed, "neighbour pairs")
    begun = np.bincount(items, minlength=items_total)[known] ** POPULARITY
    count = min(of_an_item * known.size, MOST_PAIRS)
    left = draw.choice(known, count, p=begun / begun.sum())
    bounds = np.cumsum(walked.weights[left], axis=1)
    place = (bounds < draw.random((count, 1)) * bounds[:, -1:]).sum(axis=1)
    pairs = np.stack([left, walked.rows[left, place]], axis=1).astype(np.int64)
    return Neighbours(pairs, walked.matrix().astype(bool), copy_of)


def look_alikes(
    vectors: Float32[np.ndarray, "item dim"], neighbours: Neighbours
) -> Int32[np.ndarray, "item place"]:
    """Of each item some that resemble it most and are neither kept with it nor copies of it: hard negatives.

    Args:
        vectors: unit vectors; zero rows for items without content.
        neighbours: which items are kept together, and which are copies.

    Returns:
        Item rows, -1 where there are fewer.

    Cost: a product of all items with all.
    """
    items = len(vectors)
    canonical = np.arange(items) if neighbours.copy_of is None else neighbours.copy_of
    found = np.full((items, LOOK_ALIKES), -1, dtype=np.int32)
    for first in range(0, items, BLOCK_ROWS):
        rows = np.arange(first, min(first + BLOCK_ROWS, items))
        alike = vectors[rows] @ vectors.T
        out = canonical[rows][:, None] == canonical[None, :]
        if neighbours.kept is not None:
            out |= neighbours.kept[rows].toarray()
        out |= (np.abs(vectors).sum(axis=1) == 0)[None, :]
        alike[out] = -np.inf
        near = top_k_rows(alike, min(NEAR, items))
        close = np.take_along_axis(alike, near, axis=1)
        # not the very nearest: they are the likeliest to be kept together by people nobody has seen yet
        near, close = near[:, -LOOK_ALIKES:], close[:, -LOOK_ALIKES:]
        found[rows, : near.shape[1]] = np.where(np.isfinite(close) & (close > 0), near, -1)
    return found
