from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bowerbird.errors import InputError
from bowerbird.metrics import target_rank


@st.composite
def scored(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    users, items = draw(st.integers(1, 5)), draw(st.integers(1, 8))
    values = draw(st.lists(st.integers(0, 3), min_size=users * items, max_size=users * items))
    target = draw(st.lists(st.integers(0, items - 1), min_size=users, max_size=users))
    return np.array(values, dtype=np.float32).reshape(users, items), np.array(target)


@given(scored())
def test_ranks_equal_a_loop(case: tuple[np.ndarray, np.ndarray]):
    scores, target = case
    for user, item in enumerate(target):
        above = sum(score > scores[user, item] for score in scores[user])
        tied = sum(score == scores[user, item] for score in scores[user]) - 1
        assert target_rank.pessimistic_ranks(scores, target)[user] == 1 + above + tied
        assert target_rank.expected_ranks(scores, target)[user] == 1 + above + tied / 2


def test_equal_scores_never_look_perfect():
    flat = np.zeros((1, 100), dtype=np.float32)
    assert target_rank.pessimistic_ranks(flat, np.array([0])).tolist() == [100.0]
    assert target_rank.expected_ranks(flat, np.array([0])).tolist() == [(1 + 100) / 2]


def test_items_out_of_the_ranking_never_stand_before_the_target():
    scores = np.array([[-np.inf, 0.0, -np.inf]])
    assert target_rank.pessimistic_ranks(scores, np.array([1])).tolist() == [1.0]


@given(st.lists(st.integers(1, 30), min_size=1), st.integers(1, 20))
def test_metrics_of_a_rank_equal_a_loop(ranks: list[int], k: int):
    array = np.array(ranks, dtype=np.float64)
    inside = [rank <= k for rank in ranks]
    assert target_rank.hit_rate(array, k).tolist() == [float(i) for i in inside]
    assert target_rank.ndcg(array, k) == pytest.approx(
        [i / math.log2(1 + rank) for i, rank in zip(inside, ranks, strict=True)]
    )
    assert target_rank.reciprocal_rank(array, k) == pytest.approx(
        [i / rank for i, rank in zip(inside, ranks, strict=True)]
    )


def test_nan_scores_are_refused():
    with pytest.raises(InputError, match=r"scores\[0, 1\] is NaN"):
        target_rank.pessimistic_ranks(np.array([[0.0, np.nan]]), np.array([0]))
