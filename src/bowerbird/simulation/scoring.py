"""What a build found, held against what was planted: near-duplicates, interests, the worth of slates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from bowerbird.errors import InputError
from bowerbird.simulation.truth import Truth

__all__ = ["PairScore", "interest_recall", "near_duplicate_pairs", "pair_score"]


@dataclass(frozen=True)
class PairScore:
    """Pairs of items said to show the same picture, against the pairs that do."""

    found: int
    true: int
    both: int

    @property
    def precision(self) -> float:
        """Share of the found pairs that are true; 1 when nothing was found."""
        return self.both / self.found if self.found else 1.0

    @property
    def recall(self) -> float:
        """Share of the true pairs that were found; 1 when there are none."""
        return self.both / self.true if self.true else 1.0


def pair_score(found: Int64[np.ndarray, "item"], true: Int64[np.ndarray, "item"]) -> PairScore:
    """Pairs in one group by each of two groupings, and by both.

    A group of ``s`` items holds ``s (s - 1) / 2`` pairs.

    Args:
        found: a group number per item.
        true: a group number per item.

    Example:
        >>> score = pair_score(np.array([0, 0, 0, 1]), np.array([5, 5, 7, 7]))
        >>> score.found, score.true, score.both
        (3, 2, 1)
    """
    both = np.unique(np.stack([found, true], axis=1), axis=0, return_inverse=True)[1].ravel()
    return PairScore(*(_pairs(groups) for groups in (found, true, both)))


def near_duplicate_pairs(canonical: Mapping[str, str], truth: Truth) -> PairScore:
    """Found near-duplicates against the planted copies and the catalogue's own lookalikes.

    Args:
        canonical: per item id, the id of the item that stands for its group.
        truth: what was planted.

    Raises:
        InputError: an item of the world has no canonical item.
    """
    ids = truth.items["item_id"].to_pylist()
    lacking = [name for name in ids if name not in canonical]
    if lacking:
        raise InputError(
            f"near-duplicates: {len(lacking)} of {len(ids)} items of the world are in no group, first {lacking[0]!r}; "
            "expected every item once, alone or not; run `bowerbird build near_duplicates`"
        )
    number = {name: row for row, name in enumerate(sorted(set(canonical.values())))}
    found = np.array([number[canonical[name]] for name in ids], dtype=np.int64)
    return pair_score(found, truth.duplicate_groups())


def interest_recall(
    found: Mapping[str, Sequence[str]], people: Sequence[str], truth: Truth, at: int, k: int = 3
) -> Float64[np.ndarray, "user"]:
    """Per person, the share of their strongest true interests among as many found ones.

    ``|top_k(found) & top_k(true)| / |top_k(true)|``; a person with fewer than ``k`` true interests is
    held against those. A person without any true interest gives NaN.

    Args:
        found: category paths per user id, strongest first; a person not in it has none.
        people: user ids, in the order of the answer.
        truth: what was planted.
        at: time at which the true interests are read, microseconds UTC.
        k: how many.
    """
    shares = np.full(len(people), np.nan)
    for row, user_id in enumerate(people):
        true = {category for category, _ in truth.top_interests(user_id, at, k)}
        if true:
            shares[row] = len(true & set(found.get(user_id, ())[:k])) / len(true)
    return shares


def _pairs(groups: Int64[np.ndarray, "item"]) -> int:
    sizes = np.unique(groups, return_counts=True)[1]
    return int((sizes * (sizes - 1) // 2).sum())
