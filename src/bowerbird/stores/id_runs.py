"""Which event ids are already in sealed segments: sorted arrays of 128-bit hashes on disk.

A run is a file of two uint64 lanes sorted by the first. Runs are merged so that there are about
log2(rows) of them; looking up a batch costs one binary search per event and run. Two different ids
meet with probability about rows^2 / 2^129.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Bool, UInt64

from bowerbird.errors import StorageError
from bowerbird.stores.atomic import publish, scratch_path, storage_errors


def sorted_run(lanes: UInt64[np.ndarray, "2 row"]) -> UInt64[np.ndarray, "2 row"]:
    """Hash lanes in the order of the first lane."""
    return lanes[:, np.argsort(lanes[0], kind="stable")]


def known_in(
    run: UInt64[np.ndarray, "2 known"], lanes: UInt64[np.ndarray, "2 row"]
) -> Bool[np.ndarray, "row"]:
    """Which hashes are in a sorted run."""
    first, second = run[0], run[1]
    place = np.searchsorted(first, lanes[0], side="left")
    found = np.zeros(lanes.shape[1], dtype=bool)
    open_rows = np.flatnonzero(place < len(first))
    while len(open_rows):  # more than one round only where two hashes share the first lane
        open_rows = open_rows[first[place[open_rows]] == lanes[0, open_rows]]
        same = second[place[open_rows]] == lanes[1, open_rows]
        found[open_rows[same]] = True
        open_rows = open_rows[~same]
        place[open_rows] += 1
        open_rows = open_rows[place[open_rows] < len(first)]
    return found


def write_run(folder: Path, name: str, lanes: UInt64[np.ndarray, "2 row"]) -> None:
    """Write a sorted run, flushed to the disk. It counts only once the log's manifest names it.

    Raises:
        StorageError: the system refused; nothing half-written is left.
    """
    target = folder / name
    scratch = scratch_path(target)
    with storage_errors(target, "write the index of event ids", lanes.nbytes):
        try:
            with scratch.open("wb") as file:
                np.save(file, sorted_run(lanes), allow_pickle=False)
            publish(scratch, target)
        finally:
            scratch.unlink(missing_ok=True)


def read_run(folder: Path, name: str) -> UInt64[np.ndarray, "2 row"]:
    """A run, memory-mapped.

    Raises:
        StorageError: the file is gone or damaged.
    """
    try:
        return np.load(folder / name, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise StorageError(
            f"{folder / name}: index of event ids cannot be read: {error}; restore the file from a copy"
        ) from error


def runs_to_merge(sizes: list[int]) -> int:
    """How many of the newest runs belong together: each run stays over twice the next one's size.

    Args:
        sizes: rows per run, oldest first.

    Example:
        >>> runs_to_merge([100, 10, 9]), runs_to_merge([100, 10]), runs_to_merge([8, 4, 4])
        (2, 0, 3)
    """
    if len(sizes) < 2:
        return 0
    merged, count = sizes[-1], 1
    for size in reversed(sizes[:-1]):
        if size > 2 * merged:
            break
        merged += size
        count += 1
    return count if count > 1 else 0
