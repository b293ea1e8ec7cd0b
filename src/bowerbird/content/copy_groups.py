"""From verdicts on pairs to groups: joined from the surest pair down, and never over a contradiction.

"Shows the same picture" is not transitive: a crop of the left half and one of the right half are both copies of the
whole, and a chain of small changes ends anywhere. So two groups are joined only while no member of one was laid
on a member of the other and seen to differ; of large groups the first few members speak for all.

Source: Gusev & Xu 2020, "Evolution of a Web-Scale Near Duplicate Image Detection System", sections 3.4 and 3.5
(closure, then greedy cuts). Ours cuts while joining, so that the result does not depend on the order of arrival.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float32, Int32, Int64

__all__ = ["SPOKESMEN", "canonical_rows", "closed_groups"]

SPOKESMEN = 4
"""Members of a group, in joining order, that are held against those of another before the two are joined."""

Judge = Callable[[Int64[np.ndarray, "pair 2"]], Float32[np.ndarray, "pair"]]
"""Verdicts on pairs of rows: above 0 the same, below 0 seen to differ, 0 cannot tell."""


def closed_groups(
    pairs: Int64[np.ndarray, "pair 2"],
    scores: Float32[np.ndarray, "pair"],
    place: Int64[np.ndarray, "item"],
    judge: Judge,
) -> Int32[np.ndarray, "item"]:
    """A group number for each item: the row of one of its members.

    Args:
        pairs: pairs of rows that were judged.
        scores: their verdicts.
        place: each row's place in an order that does not depend on where items stand; it breaks ties.
        judge: verdict on further pairs.

    Example:
        >>> chain = np.array([[0, 1], [1, 2]])
        >>> surely = np.array([0.9, 0.8], np.float32)
        >>> nothing_against = lambda asked: np.zeros(len(asked), np.float32)
        >>> closed_groups(chain, surely, np.arange(3), nothing_against).tolist()
        [0, 0, 0]
        >>> ends_differ = lambda asked: np.where((asked == [0, 2]).all(1), -1, 0).astype(np.float32)
        >>> closed_groups(chain, surely, np.arange(3), ends_differ).tolist()
        [0, 0, 2]
    """
    count = place.shape[0]
    group = np.arange(count)
    members: dict[int, list[int]] = {}
    places = np.sort(place[pairs], axis=1)
    order = np.lexsort((places[:, 1], places[:, 0], -scores))
    for at in order[scores[order] > 0].tolist():
        one, other = sorted((int(group[pairs[at, 0]]), int(group[pairs[at, 1]])), key=lambda row: place[row])
        if one == other:
            continue
        ours, theirs = members.get(one, [one]), members.get(other, [other])
        if len(ours) + len(theirs) > 2:
            asked = [sorted((a, b)) for a in ours[:SPOKESMEN] for b in theirs[:SPOKESMEN]]
            if (judge(np.array(asked, dtype=np.int64)) < 0).any():
                continue
        members[one] = [*ours, *theirs]
        members.pop(other, None)
        group[theirs] = one
    return group.astype(np.int32)


def canonical_rows(group: Int32[np.ndarray, "item"]) -> Int32[np.ndarray, "item"]:
    """The smallest row of each row's group: the item that came first.

    Example:
        >>> canonical_rows(np.array([2, 1, 2], np.int32)).tolist()
        [0, 1, 0]
    """
    first = np.full(len(group), len(group), dtype=np.int64)
    np.minimum.at(first, group, np.arange(len(group)))
    return first[group].astype(np.int32)
