from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from bowerbird.errors import InputError
from bowerbird.metrics import accuracy, target_rank

lists = st.lists(st.booleans(), min_size=1, max_size=12)


@given(lists, st.integers(0, 5), st.integers(1, 15))
def test_every_metric_equals_a_loop(places: list[bool], unseen: int, k: int):
    hits = np.array([places])
    count = max(1, sum(places) + unseen)
    relevant = np.array([count])
    cut = places[:k]
    dcg = sum(1 / math.log2(rank + 2) for rank, hit in enumerate(cut) if hit)
    ideal = sum(1 / math.log2(rank + 2) for rank in range(min(k, count)))
    precision_at_hits = sum(sum(cut[: rank + 1]) / (rank + 1) for rank, hit in enumerate(cut) if hit)
    first = next((rank + 1 for rank, hit in enumerate(cut) if hit), None)
    assert accuracy.ndcg(hits, relevant, k) == pytest.approx([dcg / ideal])
    assert accuracy.recall(hits, relevant, k) == pytest.approx([sum(cut) / count])
    assert accuracy.precision(hits, k) == pytest.approx([sum(cut) / k])
    assert accuracy.average_precision(hits, relevant, k) == pytest.approx([precision_at_hits / count])
    assert accuracy.reciprocal_rank(hits, k) == pytest.approx([1 / first if first else 0.0])
    assert accuracy.hit_rate(hits, k).tolist() == [float(any(cut))]


def test_one_relevant_item_gives_the_metrics_of_its_rank():
    hits = np.zeros((5, 5), dtype=bool)
    np.fill_diagonal(hits, True)
    ranks = np.arange(1.0, 6.0)
    one = np.ones(5, dtype=np.int64)
    assert accuracy.ndcg(hits, one, 3) == pytest.approx(target_rank.ndcg(ranks, 3))
    assert accuracy.reciprocal_rank(hits, 3) == pytest.approx(target_rank.reciprocal_rank(ranks, 3))
    assert accuracy.recall(hits, one, 3) == pytest.approx(target_rank.hit_rate(ranks, 3))


def test_a_perfect_list_has_ndcg_one_even_when_it_cannot_hold_everything():
    assert accuracy.ndcg(np.ones((1, 3), dtype=bool), np.array([10]), 3) == pytest.approx([1.0])


@given(st.lists(st.lists(st.integers(-1, 5), min_size=3, max_size=3), min_size=2, max_size=2))
def test_hits_are_looked_up_per_user(slates: list[list[int]]):
    wanted = [{1, 4}, {0}]
    table = sparse.csr_array(np.array([[i in row for i in range(6)] for row in wanted], dtype=np.int64))
    expected = [[item in row for item in slate] for slate, row in zip(slates, wanted, strict=True)]
    assert accuracy.hits_of(np.array(slates), table).tolist() == expected


def test_nobody_has_hits_when_nothing_is_relevant():
    assert not accuracy.hits_of(np.array([[0, 1]]), sparse.csr_array((1, 3))).any()


def test_lists_and_relevant_rows_must_match():
    with pytest.raises(InputError, match="one row per list"):
        accuracy.hits_of(np.array([[0], [1]]), sparse.csr_array((1, 3)))


def test_users_without_relevant_items_are_refused():
    with pytest.raises(InputError, match="leave users without relevant items out"):
        accuracy.recall(np.array([[True]]), np.array([0]), 1)


def test_a_list_of_no_places_has_no_first_hit():
    assert accuracy.reciprocal_rank(np.zeros((2, 0), dtype=bool), 3).tolist() == [0.0, 0.0]
