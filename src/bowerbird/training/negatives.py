"""Negatives for a sampled loss: some from the batch, some at random, and how likely each draw was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, Float64, Int, Int64

from bowerbird.errors import InputError
from bowerbird.randomness import generator

__all__ = ["CountMinSketch", "ExactCounts", "ItemCounts", "MixedNegatives", "Negatives", "counted"]

EXACT_ITEMS = 16_000_000
"""Up to so many items each has a count of its own (8 bytes); more are counted in a sketch of fixed size."""
PIECE = 1 << 20
"""Events a sketch takes in at once."""


@runtime_checkable  # so that a test run can check who passes one
class ItemCounts(Protocol):
    """How often each item was met, exactly or nearly."""

    def shares(self, items: Int[np.ndarray, " item"]) -> Float64[np.ndarray, " item"]:
        """The share of all events that each item has; above 0 for an item that was met."""
        ...


class ExactCounts:
    """Counts of a catalogue that is known beforehand.

    Args:
        counts: events per item row.

    Example:
        >>> ExactCounts(np.array([3, 1])).shares(np.array([1])).tolist()
        [0.25]
    """

    def __init__(self, counts: Int[np.ndarray, " item"] | Float64[np.ndarray, " item"]) -> None:
        if counts.sum() <= 0:
            raise InputError(f"ExactCounts: {counts.size} items and no event; expected at least one event")
        self._shares = counts / counts.sum()

    def shares(self, items: Int[np.ndarray, " item"]) -> Float64[np.ndarray, " item"]:
        """The exact shares."""
        return self._shares[items]


class CountMinSketch:
    """Counts of a stream in fixed memory; an estimate is never too low.

    Each event adds one in ``depth`` rows at hashed places; an item's estimate is the least of its
    places. With ``width`` w and n events the excess is at most ``e n / w`` with probability
    ``1 - exp(-depth)``.

    Args:
        width: places in a row.
        depth: rows.

    Source: Cormode & Muthukrishnan, Journal of Algorithms 2005.

    Example:
        >>> sketch = CountMinSketch(width=64)
        >>> sketch.add(np.array([7, 7, 9, 7]))
        >>> sketch.shares(np.array([7, 9])).tolist()
        [0.75, 0.25]
    """

    def __init__(self, width: int = 1 << 16, depth: int = 4) -> None:
        if width < 1 or depth < 1:
            raise InputError(f"CountMinSketch: width {width}, depth {depth}; expected both at least 1")
        self._table = np.zeros((depth, width), dtype=np.int64)
        # odd multipliers, fixed: the sketch of a stream must not depend on a run's seed
        self._multipliers = generator(0, "count-min sketch").integers(1, 2**62, depth) * 2 + 1
        self._total = 0

    def add(self, items: Int[np.ndarray, " event"]) -> None:
        """Count some events of the stream."""
        for row, places in enumerate(self._places(items)):
            self._table[row] += np.bincount(places, minlength=self._table.shape[1])
        self._total += items.size

    def shares(self, items: Int[np.ndarray, " item"]) -> Float64[np.ndarray, " item"]:
        """Estimated shares, never below the true ones."""
        found = np.stack([self._table[row, places] for row, places in enumerate(self._places(items))])
        return found.min(axis=0) / max(self._total, 1)

    def _places(self, items: Int[np.ndarray, " item"]) -> Int64[np.ndarray, "depth item"]:
        keys = items.astype(np.uint64)[None, :] + np.uint64(1)
        mixed = keys * self._multipliers.astype(np.uint64)[:, None]  # wraps around: multiplicative hashing
        return ((mixed >> np.uint64(32)) % np.uint64(self._table.shape[1])).astype(np.int64)


def counted(
    items: Int[np.ndarray, " event"], items_total: int, exact_items: int = EXACT_ITEMS
) -> ExactCounts | CountMinSketch:
    """How often each item is met: exactly, or in a sketch where a count of each would take too much.

    What the sketch is worth: it takes events in pieces as a stream brings them, its size is fixed before the first event,
    and sketches of several workers add up. It counts a rare item too often, never too rarely, so a rare negative
    weighs a little less.

    Args:
        items: the item of each event.
        items_total: size of the catalogue.
        exact_items: the most items that are counted one by one.
    """
    if items_total <= exact_items:
        return ExactCounts(np.bincount(items, minlength=items_total))
    sketch = CountMinSketch(width=1 << 20)
    for start in range(0, items.size, PIECE):
        sketch.add(items[start : start + PIECE])
    return sketch


@dataclass(frozen=True)
class Negatives:
    """Drawn negatives and the log of how often each draw was to be expected."""

    items: Int64[np.ndarray, " negative"]
    """Item row of each negative; shared by all positions of the batch."""
    log_q: Float32[np.ndarray, " negative"]
    """``log E[draws of the item]`` of each negative."""


class MixedNegatives:
    """Half of the negatives are targets of the batch, half are uniform over the catalogue.

    Targets of the batch are drawn as often as they are popular: hard, but blind to the tail. Uniform ones
    see the whole catalogue. ``E[draws of j] = k_b share_j + k_u / items``.

    Args:
        counts: how popular items are as targets.
        items_total: size of the catalogue.
        amount: negatives per batch.
        from_batch: share of them taken from the batch's targets.

    Source: mixed negative sampling, Yang et al., WWW 2020.
    """

    def __init__(
        self, counts: ItemCounts, items_total: int, amount: int = 512, from_batch: float = 0.5
    ) -> None:
        self._counts = counts
        self._items_total = items_total
        self._from_batch = round(amount * from_batch)
        self._uniform = amount - self._from_batch

    def draw(self, target: Int64[np.ndarray, " position"], random: np.random.Generator) -> Negatives:
        """Negatives for a batch of targets."""
        popular = target[random.integers(0, target.size, self._from_batch)]
        uniform = random.integers(0, self._items_total, self._uniform)
        items = np.concatenate([popular, uniform]).astype(np.int64)
        return Negatives(items, self._log_q(items))

    def _log_q(self, items: Int64[np.ndarray, " item"]) -> Float32[np.ndarray, " item"]:
        expected = self._from_batch * self._counts.shares(items) + self._uniform / self._items_total
        return np.log(np.maximum(expected, 1e-12)).astype(np.float32)
