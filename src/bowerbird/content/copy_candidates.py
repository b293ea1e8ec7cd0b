"""Which pictures may be copies of each other: the few nearest of each, by vector and by hash, found with an index.

Vectors find copies that still show the same thing: crops, turns, stickers, other colours. Hashes find copies
that are ruined but not moved: blurred, shrunk, saved at the lowest quality; and their mirror images and quarter
turns, whose hashes follow from the kept one. Pictures that are the same to the last bit are looked up once. The
pairs are a function of the set of pictures: their order does not matter.
"""

from __future__ import annotations

import faiss
import numpy as np
from jaxtyping import Bool, Float32, Int64, UInt64

from bowerbird.arrays import top_k_rows
from bowerbird.content.perceptual_hash import PictureHashes, turned_hashes
from bowerbird.records.signal import Vectors

__all__ = ["candidate_pairs", "content_order", "identical"]

BY_VECTOR = 6
"""Nearest pictures by vector that become candidates of each."""
BY_HASH = 3
"""Nearest pictures by hash, and as many by the mirror image's hash."""
BY_TURN = 1
"""Nearest pictures by each of the six other ways to turn or mirror a picture."""
COSINE_FLOOR = 0.4
"""Pictures less alike than this never become candidates through their vectors."""
HASH_CEILING = 96
"""Of 256 bits: two unrelated pictures differ in 128, give or take 8."""
TURN_CEILING = 48
"""The same for turned pictures, which are rare: a turn alone changes 22 at most, the next product of a shop 44 and more."""
EXACT_UP_TO = 4096
"""Pictures up to which every pair of vectors is compared; beyond, an inverted index answers."""
_KEPT_DIM = 256
_SEED = 7
_BLOCK = 1024

Pairs = Int64[np.ndarray, "pair 2"]


def content_order(hashes: PictureHashes, vectors: Vectors) -> Int64[np.ndarray, "item"]:
    """Rows in an order that depends on what pictures look like, not on where they stand."""
    keys = [vectors.matrix[:, column] for column in range(min(8, vectors.space.dim))]
    return np.lexsort([*keys, *hashes.words().T]).astype(np.int64)


def identical(
    hashes: PictureHashes, vectors: Vectors, rows: Int64[np.ndarray, "row"]
) -> Int64[np.ndarray, "row"]:
    """For each of the rows, the first of them with the same hashes and the same vector, bit by bit."""
    words, matrix = hashes.words(), vectors.matrix
    keys = (words[row].tobytes() + matrix[row].tobytes() for row in rows)
    first: dict[bytes, int] = {}
    return np.array(
        [first.setdefault(key, int(row)) for key, row in zip(keys, rows, strict=True)], dtype=np.int64
    )


def candidate_pairs(hashes: PictureHashes, vectors: Vectors, rows: Int64[np.ndarray, "row"]) -> Pairs:
    """Pairs of rows, smaller first, that may show the same picture.

    Args:
        hashes: perceptual hashes, one row per item.
        vectors: picture vectors of the same items.
        rows: the items to compare, all with a picture and no two identical, in :func:`content_order`.

    Cost: a few searches of an index per picture; at most 18 pairs for each, whatever the pictures.
    """
    if len(rows) < 2:
        return np.empty((0, 2), np.int64)
    kept = hashes.take(rows)
    plain, mirrored = kept.frequency, kept.frequency_flipped
    near = _HashIndex(plain)
    found = [
        _nearest_vectors(vectors.matrix[rows]),
        near.pairs(plain, BY_HASH, HASH_CEILING),
        near.pairs(mirrored, BY_HASH, HASH_CEILING),
        *(near.pairs(turned, BY_TURN, TURN_CEILING) for turned in turned_hashes(plain)),
    ]
    pairs = np.concatenate(found)
    pairs = np.sort(rows[pairs[pairs[:, 0] != pairs[:, 1]]], axis=1)
    return np.unique(pairs, axis=0).astype(np.int64).reshape(-1, 2)


def _nearest_vectors(matrix: Float32[np.ndarray, "row dim"]) -> Pairs:
    k = min(BY_VECTOR + 1, len(matrix))
    if len(matrix) <= EXACT_UP_TO:
        parts = [
            _nearest_of(matrix[start : start + _BLOCK], matrix, k) for start in range(0, len(matrix), _BLOCK)
        ]
        alike, near = (np.concatenate(part) for part in zip(*parts, strict=True))
    else:
        alike, near = _indexed(matrix, k)
    return _paired(near, alike >= COSINE_FLOOR)


def _nearest_of(
    asked: Float32[np.ndarray, "asked dim"], matrix: Float32[np.ndarray, "row dim"], k: int
) -> tuple[Float32[np.ndarray, "asked k"], Int64[np.ndarray, "asked k"]]:
    similarity = asked @ matrix.T
    near = top_k_rows(similarity, k)
    return np.take_along_axis(similarity, near, axis=1), near


def _indexed(
    matrix: Float32[np.ndarray, "row dim"], k: int
) -> tuple[Float32[np.ndarray, "row k"], Int64[np.ndarray, "row k"]]:
    """Nearest rows by an inverted index over at most 256 main directions, a byte each."""
    count, dim = matrix.shape
    index = faiss.IndexIVFScalarQuantizer(
        faiss.IndexFlatIP(min(dim, _KEPT_DIM)),
        min(dim, _KEPT_DIM),
        int(2 * np.sqrt(count)),
        faiss.ScalarQuantizer.QT_8bit,
        faiss.METRIC_INNER_PRODUCT,
    )
    index.cp.seed = _SEED
    index.nprobe = 12
    whole = faiss.IndexPreTransform(faiss.PCAMatrix(dim, _KEPT_DIM), index) if dim > _KEPT_DIM else index
    # spread over the content order, so that the sample is the same for any order of items
    whole.train(np.ascontiguousarray(matrix[:: max(1, count // 50_000)]))
    whole.add(matrix)
    near = whole.search(matrix, k)[1]
    known = np.where(near >= 0, near, 0)
    alike = np.empty(near.shape, np.float32)
    for start in range(0, count, _BLOCK):  # the projection lost a little: the kept ones are compared whole
        block = slice(start, start + _BLOCK)
        alike[block] = np.einsum("nd,nkd->nk", matrix[block], matrix[known[block]])
    alike[near < 0] = -1
    return alike, known


class _HashIndex:
    """Finds the codes that differ in the fewest bits."""

    def __init__(self, codes: UInt64[np.ndarray, "row 4"]) -> None:
        bits = 64 * codes.shape[1]
        stored = np.ascontiguousarray(codes).view(np.uint8)
        if len(codes) <= 4 * EXACT_UP_TO:
            index = faiss.IndexBinaryFlat(bits)
        else:
            lists = int(2 * np.sqrt(len(codes)))
            index = faiss.IndexBinaryIVF(faiss.IndexBinaryFlat(bits), bits, lists)
            index.cp.seed = _SEED
            index.nprobe = 12
            index.train(np.ascontiguousarray(stored[:: max(1, len(codes) // 50_000)]))
        index.add(stored)
        self._index = index

    def pairs(self, asked: UInt64[np.ndarray, "row 4"], most: int, ceiling: int) -> Pairs:
        """Each row with its few nearest, itself not counted, that differ in at most so many bits."""
        k = min(most + 1, len(asked))
        apart, near = self._index.search(np.ascontiguousarray(asked).view(np.uint8), k)
        return _paired(near.astype(np.int64), (apart <= ceiling) & (near >= 0))


def _paired(near: Int64[np.ndarray, "row k"], kept: Bool[np.ndarray, "row k"]) -> Pairs:
    own = np.broadcast_to(np.arange(len(near))[:, None], near.shape)
    return np.stack([own[kept], near[kept]], axis=1).astype(np.int64)
