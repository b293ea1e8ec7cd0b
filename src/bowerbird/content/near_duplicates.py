"""Near-duplicates: items that show the same picture, re-encoded, cropped, mirrored, covered in part or turned.

Three steps. *Candidates* are cheap and generous: the few nearest by vector and by hash
(:mod:`bowerbird.content.copy_candidates`). *Verdicts* are strict: the pictures are laid on each other
(:mod:`bowerbird.content.copy_verifier`). *Closing* joins pairs into groups from the surest down, never over a
contradiction (:mod:`bowerbird.content.copy_groups`). The first item of a group is its canonical one.

The groups are a function of the pictures there are: neither the order of the items nor when each arrived matters,
and a picture that changed leaves no trace. What a build keeps of the last one are verdicts on pairs, which save
work and change nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float32, Int32, Int64
from scipy.sparse import coo_array
from scipy.sparse.csgraph import reverse_cuthill_mckee

from bowerbird.content.copy_candidates import candidate_pairs, content_order, identical
from bowerbird.content.copy_groups import canonical_rows, closed_groups
from bowerbird.content.copy_verifier import CopyVerifier
from bowerbird.content.perceptual_hash import PictureHashes, hamming
from bowerbird.errors import InputError
from bowerbird.records.signal import Vectors

__all__ = ["NoVerdicts", "Verdicts", "near_duplicate_groups"]

HASH_LIMIT = 16
"""Of 256 bits: hashes at most this far apart are the same picture when pictures cannot be looked at."""
CROWDED = 4
"""A group of so many members may fill each other's nearest, so its first member searches once more without them."""
ROUNDS = 5
"""Most searches, the first included."""
KEEP_EVERY = 1024
"""Pairs judged between two times that verdicts are kept: what a kill can cost."""

Pairs = Int64[np.ndarray, "pair 2"]
Scores = Float32[np.ndarray, "pair"]


@runtime_checkable
class Verdicts(Protocol):
    """Verdicts on pairs of pictures kept between builds."""

    def known(self, pairs: Pairs) -> tuple[Scores, Bool[np.ndarray, "pair"]]:
        """The verdict on each pair, and which pairs have one."""
        ...

    def keep(self, pairs: Pairs, scores: Scores) -> None:
        """Keep verdicts on pairs that had none."""
        ...


class NoVerdicts:
    """Nothing is known and nothing is kept."""

    def known(self, pairs: Pairs) -> tuple[Scores, Bool[np.ndarray, "pair"]]:
        """No pair has a verdict."""
        return np.zeros(len(pairs), np.float32), np.zeros(len(pairs), dtype=bool)

    def keep(self, pairs: Pairs, scores: Scores) -> None:
        """Forget them."""


def near_duplicate_groups(
    hashes: PictureHashes,
    vectors: Vectors,
    present: Bool[np.ndarray, "item"],
    picture_of: Callable[[int], bytes] | None = None,
    verdicts: Verdicts | None = None,
    advance: Callable[[int], None] = lambda _: None,
    threads: int = 1,
) -> Int32[np.ndarray, "item"]:
    """Row of each item's canonical item: the first of its group; itself when it has no near-duplicate.

    Args:
        hashes: perceptual hashes, one row per item.
        vectors: picture vectors of the same items.
        present: which items have a picture that could be read.
        picture_of: gives the bytes of an item's picture by row. Without it pairs are judged by
            their hashes alone, which finds re-encoded and mirrored copies but not cropped ones.
        verdicts: what was found out before, and where to keep what is found out now.
        advance: told how many candidate pairs were just judged.
        threads: pictures are looked at side by side on so many.

    Raises:
        InputError: the inputs have different numbers of rows.

    Cost: see :func:`~bowerbird.content.copy_candidates.candidate_pairs` and
    :meth:`~bowerbird.content.copy_verifier.CopyVerifier.scores`.
    """
    if not len(hashes) == len(vectors) == present.shape[0]:
        raise InputError(
            f"near-duplicates: {len(hashes)} hashes, {len(vectors)} vectors and {present.shape[0]} flags; "
            "expected one of each per item"
        )
    order = content_order(hashes, vectors)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    order = order[(present & vectors.present)[order]]
    first = identical(hashes, vectors, order)
    verifier = None if picture_of is None else CopyVerifier(picture_of, place, threads)
    judge = _Judge(hashes, verifier, verdicts or NoVerdicts(), advance)
    group = np.arange(len(hashes), dtype=np.int32)
    asked = order[first == order]
    for _ in range(ROUNDS):
        judge.judge(candidate_pairs(hashes, vectors, asked))
        group = closed_groups(*judge.judged(), place, judge.judge)
        asked, before = _spokesmen(group, asked), len(asked)
        if len(asked) == before:
            break
    group[order] = group[first]
    return canonical_rows(group)


def _spokesmen(
    group: Int32[np.ndarray, "item"], asked: Int64[np.ndarray, "row"]
) -> Int64[np.ndarray, "kept"]:
    """Who searches again: everybody, but only one for each crowded group. The same rows when none is crowded."""
    own = group[asked]
    _, number, sizes = np.unique(own, return_inverse=True, return_counts=True)
    kept = (sizes[number] < CROWDED) | (own == asked)
    return asked[kept]


class _Judge:
    """Gives verdicts on pairs, each pair once."""

    def __init__(
        self,
        hashes: PictureHashes,
        verifier: CopyVerifier | None,
        verdicts: Verdicts,
        advance: Callable[[int], None],
    ) -> None:
        self._hashes = hashes
        self._verifier = verifier
        self._verdicts = verdicts
        self._advance = advance
        self._scores: dict[tuple[int, int], float] = {}

    def judge(self, pairs: Pairs) -> Scores:
        """The verdict on each pair of rows, smaller first."""
        new = [pair for pair in dict.fromkeys(map(tuple, pairs.tolist())) if pair not in self._scores]
        if new:
            self._judge_new(np.array(new, dtype=np.int64))
        return np.array([self._scores[pair] for pair in map(tuple, pairs.tolist())], dtype=np.float32)

    def judged(self) -> tuple[Pairs, Scores]:
        """Every pair judged so far."""
        pairs = np.array(list(self._scores), dtype=np.int64).reshape(-1, 2)
        return pairs, np.fromiter(self._scores.values(), np.float32, len(self._scores))

    def _judge_new(self, pairs: Pairs) -> None:
        scores, known = self._verdicts.known(pairs)
        self._scores.update(zip(map(tuple, pairs[known].tolist()), scores[known].tolist(), strict=True))
        self._advance(int(known.sum()))
        pairs = _near_together(pairs[~known], len(self._hashes))
        for start in range(0, len(pairs), KEEP_EVERY):
            block = pairs[start : start + KEEP_EVERY]
            found = self._verifier.scores(block) if self._verifier else _by_hash(self._hashes, block)
            self._verdicts.keep(block, found)
            self._scores.update(zip(map(tuple, block.tolist()), found.tolist(), strict=True))
            self._advance(len(block))


def _near_together(pairs: Pairs, count: int) -> Pairs:
    """The pairs in an order in which those of one picture lie close together, so that few are held at a time."""
    if len(pairs) < 2:
        return pairs
    rows, local = np.unique(pairs, return_inverse=True)
    local = local.reshape(pairs.shape)
    links = coo_array((np.ones(len(pairs)), (local[:, 0], local[:, 1])), shape=(len(rows), len(rows)))
    position = np.empty(len(rows), dtype=np.int64)
    position[reverse_cuthill_mckee((links + links.T).tocsr(), symmetric_mode=True)] = np.arange(len(rows))
    both = np.sort(position[local], axis=1)
    return pairs[np.lexsort((both[:, 1], both[:, 0]))]


def _by_hash(hashes: PictureHashes, pairs: Pairs) -> Scores:
    left, right = hashes.take(pairs[:, 0]), hashes.take(pairs[:, 1])
    plain = hamming(left.frequency, right.frequency)
    turned = hamming(left.frequency, right.frequency_flipped)
    apart = np.minimum(plain, turned)
    return np.where(apart <= HASH_LIMIT, 1 - 0.5 * apart / HASH_LIMIT, 0).astype(np.float32)
