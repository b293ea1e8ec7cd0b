"""Several sources' finds as one set of candidates, with who found what."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bowerbird.records.candidates import Candidates, Found


def blended(found: Sequence[Found]) -> Candidates:
    """The union of what sources found; every item keeps each source's score and evidence.

    The order is: first by the best rank any source gave, then by source order; it has no meaning
    for ranking but makes equal inputs give equal bytes.

    Example:
        >>> a = Found.of("a", np.array([3, 1]), np.array([0.9, 0.5]))
        >>> b = Found.of("b", np.array([1]), np.array([7.0]))
        >>> both = blended([a, b])
        >>> both.rows.tolist(), both.source_scores[:, 1].tolist()
        ([3, 1], [0.5, 7.0])
    """
    names = tuple(one.source for one in found)
    if not found or sum(len(one.rows) for one in found) == 0:
        empty = np.empty((len(names), 0), dtype=np.float32)
        return Candidates(np.empty(0, np.int32), names, empty, empty.astype(np.int32))
    rows = np.concatenate([one.rows for one in found])
    rank = np.concatenate([np.arange(len(one.rows)) for one in found])
    order = np.argsort(rank, kind="stable")
    unique, first = np.unique(rows[order], return_index=True)
    merged = rows[order][np.sort(first)]
    place = np.empty(len(unique), dtype=np.int64)
    place[np.searchsorted(unique, merged)] = np.arange(len(merged))
    scores = np.full((len(found), len(merged)), np.nan, dtype=np.float32)
    evidence = np.full((len(found), len(merged)), -1, dtype=np.int32)
    for number, one in enumerate(found):
        at = place[np.searchsorted(unique, one.rows)]
        scores[number, at] = one.scores
        evidence[number, at] = one.evidence
    return Candidates(merged.astype(np.int32), names, scores, evidence)
