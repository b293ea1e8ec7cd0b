"""Near-duplicates: items that show the same picture, re-encoded, resized, mirrored or cropped.

Three steps. *Candidates* are cheap and generous: nearest vectors, and hashes that share a band.
*Verifying* is strict: the pictures are laid on each other and may differ nowhere by more than a
fixed amount (:mod:`bowerbird.content.picture_alignment`). *Closing* joins pairs into groups; the
first item of a group is its canonical one. Groups do not depend on the order of the items.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from jaxtyping import Bool, Float32, Int32, Int64, UInt64
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from bowerbird.arrays import top_k_rows
from bowerbird.content.perceptual_hash import PictureHashes, hamming
from bowerbird.content.picture_alignment import SIDE, aligned_difference, structure, thumbnail
from bowerbird.content.pictures import decoded
from bowerbird.errors import InputError
from bowerbird.records.signal import Vectors

__all__ = ["candidate_pairs", "groups_of", "near_duplicate_groups", "verified_pairs"]

NEIGHBOURS = 5
"""Nearest items by picture vector that become candidates of each item."""
COSINE_FLOOR = 0.75
"""Items less alike than this never become candidates through their vectors."""
LARGEST_BAND = 32
"""A hash band shared by more items than this says nothing (white corners) and is skipped."""
HASH_LIMIT = 16
"""Of 256 bits: hashes at most this far apart are the same picture when pictures cannot be looked at."""
IN_PLACE_LIMIT = 12.0
"""Grey levels of 255 that a whole or mirrored copy may differ by, in the sixth by sixth where it differs most."""
CROPPED_LIMIT = 7.2
"""Grey levels that a cropped copy may differ by after it is laid on the original, where it differs most.

Only pictures that are not mirrored are taken for crops of each other: a simple shape, stretched and mirrored,
fits too many others.
"""
LEAST_STRUCTURE = 0.15
"""Pictures that show less (:func:`~bowerbird.content.picture_alignment.structure`) are not taken for crops."""
THREADS = 2
"""Blocks of pairs aligned side by side; the products inside release the interpreter."""
_BLOCK = 1024
_PAIR_BLOCK = 256


def near_duplicate_groups(
    hashes: PictureHashes,
    vectors: Vectors,
    present: Bool[np.ndarray, "item"],
    picture_of: Callable[[int], bytes] | None = None,
) -> Int32[np.ndarray, "item"]:
    """Row of each item's canonical item: the first of its group; itself when it has no near-duplicate.

    Args:
        hashes: perceptual hashes, one row per item.
        vectors: picture vectors of the same items.
        present: which items have a picture that could be read.
        picture_of: gives the bytes of an item's picture by row. Without it pairs are judged by
            their hashes alone, which finds re-encoded and mirrored copies but not cropped ones.

    Raises:
        InputError: the inputs have different numbers of rows.

    Cost: one product of all pairs of vectors, and some milliseconds for each candidate pair.
    """
    if not len(hashes) == len(vectors) == present.shape[0]:
        raise InputError(
            f"near-duplicates: {len(hashes)} hashes, {len(vectors)} vectors and {present.shape[0]} flags; "
            "expected one of each per item"
        )
    pairs = candidate_pairs(hashes, vectors, present)
    if picture_of is None:
        return groups_of(pairs[_alike_by_hash(hashes, pairs)], present.shape[0])
    return groups_of(verified_pairs(hashes, pairs, picture_of), present.shape[0])


def candidate_pairs(
    hashes: PictureHashes, vectors: Vectors, present: Bool[np.ndarray, "item"]
) -> Int64[np.ndarray, "pair 2"]:
    """Pairs of rows, smaller first, that may show the same picture."""
    rows = np.flatnonzero(present & vectors.present)
    found = [_nearest(vectors.matrix[rows]), *_sharing_a_band(hashes.take(rows))]
    pairs = np.sort(np.concatenate(found), axis=1)
    pairs = np.unique(pairs[pairs[:, 0] < pairs[:, 1]], axis=0)
    return rows[pairs].astype(np.int64).reshape(-1, 2)


def _nearest(matrix: Float32[np.ndarray, "item dim"]) -> Int64[np.ndarray, "pair 2"]:
    pairs = [np.empty((0, 2), dtype=np.int64)]
    for start in range(0, len(matrix), _BLOCK):
        similarity = matrix[start : start + _BLOCK] @ matrix.T
        own = np.arange(len(similarity))
        similarity[own, own + start] = -1.0
        near = top_k_rows(similarity, NEIGHBOURS)
        kept = np.take_along_axis(similarity, near, axis=1) >= COSINE_FLOOR
        left = np.broadcast_to((own + start)[:, None], near.shape)
        pairs.append(np.stack([left[kept], near[kept]], axis=1).astype(np.int64))
    return np.concatenate(pairs)


def _sharing_a_band(hashes: PictureHashes) -> Iterator[Int64[np.ndarray, "pair 2"]]:
    """Pairs whose frequency hashes, or one of them mirrored, agree on 16 neighbouring bits."""
    both = np.concatenate([hashes.frequency, hashes.frequency_flipped])
    count = len(hashes)
    for word in range(both.shape[1]):
        for shift in range(0, 64, 16):
            band = (both[:, word] >> np.uint64(shift)) & np.uint64(0xFFFF)
            pairs = _equal_pairs(band)
            pairs = pairs[(pairs[:, 0] < count)]  # mirrored against mirrored repeats plain against plain
            yield np.stack([pairs[:, 0], pairs[:, 1] % count], axis=1)[_close(both, pairs)]


def _close(
    both: UInt64[np.ndarray, "code words"], pairs: Int64[np.ndarray, "pair 2"]
) -> Bool[np.ndarray, "pair"]:
    return hamming(both[pairs[:, 0]], both[pairs[:, 1]]) <= 3 * HASH_LIMIT


def _equal_pairs(values: UInt64[np.ndarray, "code"]) -> Int64[np.ndarray, "pair 2"]:
    """All pairs of positions with equal values, for values that are not too common."""
    order = np.argsort(values, kind="stable")
    _, start, size = np.unique(values[order], return_index=True, return_counts=True)
    pairs = [np.empty((0, 2), dtype=np.int64)]
    for length in range(2, 2 * LARGEST_BAND + 1):
        members = order[start[size == length][:, None] + np.arange(length)]
        left, right = np.triu_indices(length, k=1)
        pairs.append(np.stack([members[:, left].ravel(), members[:, right].ravel()], axis=1).astype(np.int64))
    return np.sort(np.concatenate(pairs), axis=1)


def _alike_by_hash(hashes: PictureHashes, pairs: Int64[np.ndarray, "pair 2"]) -> Bool[np.ndarray, "pair"]:
    left, right = hashes.take(pairs[:, 0]), hashes.take(pairs[:, 1])
    plain = hamming(left.frequency, right.frequency)
    turned = hamming(left.frequency, right.frequency_flipped)
    return np.minimum(plain, turned) <= HASH_LIMIT


def verified_pairs(
    hashes: PictureHashes, pairs: Int64[np.ndarray, "pair 2"], picture_of: Callable[[int], bytes]
) -> Int64[np.ndarray, "kept 2"]:
    """The pairs whose pictures, laid on each other, differ nowhere by more than the limit.

    Args:
        hashes: decide which of two pictures is laid on which, so that item order does not.
        pairs: candidates.
        picture_of: gives the bytes of an item's picture by row; must be readable.
    """
    if not len(pairs):
        return pairs
    rows, places = np.unique(pairs, return_inverse=True)
    small = np.stack([thumbnail(decoded(picture_of(int(row)), at_least=SIDE)) for row in rows])
    shown = structure(small)
    words = hashes.words()
    places = places.reshape(pairs.shape)

    def alike(start: int) -> Bool[np.ndarray, "pair"]:
        block = slice(start, start + _PAIR_BLOCK)
        first, second = places[block].T
        swap = np.array([tuple(words[b]) < tuple(words[a]) for a, b in pairs[block]])
        enough = np.minimum(shown[first], shown[second]) >= LEAST_STRUCTURE
        used, local = np.unique(np.where(swap, [second, first], [first, second]), return_inverse=True)
        first, second = local.reshape(2, -1)
        left = aligned_difference(small[used], first, second)
        cropped = enough & left.zoomed & ~left.mirrored & (left.worst <= CROPPED_LIMIT)
        return (left.in_place <= IN_PLACE_LIMIT) | cropped

    with ThreadPoolExecutor(THREADS) as pool:
        kept = np.concatenate(list(pool.map(alike, range(0, len(pairs), _PAIR_BLOCK))))
    return pairs[kept]


def groups_of(pairs: Int64[np.ndarray, "pair 2"], items: int) -> Int32[np.ndarray, "item"]:
    """The smallest row of each row's group, when the pairs are joined.

    Example:
        >>> groups_of(np.array([[1, 3], [3, 4]]), 5).tolist()
        [0, 1, 2, 1, 1]
    """
    links = coo_array((np.ones(len(pairs), dtype=bool), (pairs[:, 0], pairs[:, 1])), shape=(items, items))
    _, group = connected_components(links, directed=False)
    first = np.full(items, items, dtype=np.int64)
    np.minimum.at(first, group, np.arange(items))
    return first[group].astype(np.int32)
