"""Ragged batches: sequences of like lengths together, so that next to nothing is padding."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int, Int64, Shaped

from bowerbird.arrays import group_offsets

__all__ = ["Ragged", "padded", "rung", "token_batches", "windows"]


@dataclass(frozen=True)
class Ragged:
    """Sequences one behind the other: sequence ``s`` is ``bounds[s]:bounds[s + 1]`` of any column.

    Example:
        >>> sequences, order = Ragged.of_users(np.array([1, 0, 1]), users_total=2)
        >>> sequences.lengths.tolist(), order.tolist()
        ([1, 2], [1, 0, 2])
    """

    bounds: Int64[np.ndarray, " bound"]

    @classmethod
    def of_users(
        cls, users: Int[np.ndarray, " event"], users_total: int
    ) -> tuple[Ragged, Int64[np.ndarray, " event"]]:
        """Events in order of time, regrouped by user; also the order that regroups any column."""
        order = np.argsort(users, kind="stable").astype(np.int64)
        return cls(group_offsets(users[order], users_total)), order

    @property
    def lengths(self) -> Int64[np.ndarray, " sequence"]:
        """Events of each sequence."""
        return np.diff(self.bounds)

    @property
    def owners(self) -> Int64[np.ndarray, " event"]:
        """The sequence of each event."""
        return np.repeat(np.arange(self.lengths.size), self.lengths)


def windows(
    sequences: Ragged, length: int, random: np.random.Generator | None = None
) -> tuple[Int64[np.ndarray, " window"], Int64[np.ndarray, " window"]]:
    """Every sequence cut into windows of at most ``length + 1`` events, each event a target once.

    A window's first event is only read; so windows overlap by one event. Cut from the newest
    event backwards; with a generator the newest window of a long sequence is shortened by a random
    amount, so that other epochs cut elsewhere. Sequences of one event have no target and no window.

    Args:
        sequences: the sequences.
        length: the most positions of a window.
        random: shifts the cuts when given.

    Returns:
        First event and end (exclusive) of each window, as places in the columns.
    """
    starts, stops = [], []
    shift = np.zeros(sequences.lengths.size, dtype=np.int64)
    if random is not None:
        shift = random.integers(0, max(1, length // 2), sequences.lengths.size)
    for sequence in np.flatnonzero(sequences.lengths > 1):
        first, end = int(sequences.bounds[sequence]), int(sequences.bounds[sequence + 1])
        size = length - int(shift[sequence]) if end - first > length + 1 else length
        while end - first > 1:
            start = max(first, end - size - 1)
            starts.append(start)
            stops.append(end)
            end, size = start + 1, length
    return np.array(starts, dtype=np.int64), np.array(stops, dtype=np.int64)


def rung(length: int, longest: int) -> int:
    """The next of few lengths that batches are padded to, an eighth to a quarter apart.

    A processor prepares a product anew for each new shape, which can cost as much as the product.

    Example:
        >>> [rung(length, longest=200) for length in (1, 8, 9, 17, 100, 200)]
        [1, 8, 10, 20, 112, 200]
    """
    step = max(8, 1 << (length - 1).bit_length()) // 8
    return min(-(-length // step) * step, max(longest, length))


def token_batches(
    lengths: Int[np.ndarray, " sequence"], tokens: int, random: np.random.Generator | None = None
) -> list[Int64[np.ndarray, " member"]]:
    """Sequences in batches of like lengths, each at most ``tokens`` when padded to its rung (a longer one alone).

    The longest come first, so every batch but the last of the shortest is full.

    Args:
        lengths: length of each sequence.
        tokens: places of a padded batch.
        random: mixes sequences of one length and the order of batches; sorted by length when None.

    Example:
        >>> [batch.tolist() for batch in token_batches(np.array([5, 1, 2, 1]), tokens=5)]
        [[0], [2, 1], [3]]
    """
    noise = np.zeros(lengths.size) if random is None else random.random(lengths.size) * 0.99
    order = np.argsort(-lengths - noise, kind="stable").astype(np.int64)
    longest = int(lengths.max(initial=1))
    batches, start = [], 0
    while start < order.size:
        stop = start + max(1, tokens // rung(int(lengths[order[start]]), longest))
        batches.append(order[start:stop])
        start = stop
    return batches if random is None else [batches[place] for place in random.permutation(len(batches))]


def padded(
    column: Shaped[np.ndarray, " event"],
    starts: Int64[np.ndarray, " sequence"],
    stops: Int64[np.ndarray, " sequence"],
    width: int | None = None,
) -> Shaped[np.ndarray, "sequence position"]:
    """Pieces of a column as rows, zeros behind each end, as wide as the longest or as asked.

    Padding stands on the right: a causal model never reads it, so it needs no mask.

    Example:
        >>> padded(np.array([5, 6, 7]), np.array([0, 2]), np.array([2, 3])).tolist()
        [[5, 6], [7, 0]]
    """
    longest = int((stops - starts).max(initial=0))
    places = starts[:, None] + np.arange(longest if width is None else width)
    inside = places < stops[:, None]
    return np.where(inside, column[np.where(inside, places, 0)], column.dtype.type(0))
