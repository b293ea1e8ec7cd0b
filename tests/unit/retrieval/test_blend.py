"""Blending: the union, with who found what."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bowerbird.records.candidates import Found
from bowerbird.retrieval.blend import blended

finds = st.lists(
    st.lists(st.integers(0, 30), unique=True, max_size=12).map(lambda rows: np.array(rows, dtype=np.int64)),
    max_size=4,
)


def _found(number: int, rows: np.ndarray) -> Found:
    return Found.of(f"s{number}", rows, np.linspace(1, 0.1, len(rows)), rows + 100)


@given(finds)
def test_every_found_item_is_a_candidate_once_with_each_sources_score(rows: list[np.ndarray]) -> None:
    found = [_found(number, one) for number, one in enumerate(rows)]
    candidates = blended(found)
    assert sorted(candidates.rows.tolist()) == sorted({row for one in rows for row in one.tolist()})
    for number, one in enumerate(found):
        score_of = dict(zip(one.rows.tolist(), one.scores.tolist(), strict=True))
        for place, row in enumerate(candidates.rows.tolist()):
            score = float(candidates.source_scores[number, place])
            assert (score == score_of[row]) if row in score_of else np.isnan(score)
            assert candidates.evidence[number, place] == (row + 100 if row in score_of else -1)


def test_no_source_finding_anything_leaves_no_candidates_but_their_names() -> None:
    candidates = blended([Found.nothing("a"), Found.nothing("b")])
    assert len(candidates) == 0
    assert candidates.sources == ("a", "b")
