from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bowerbird.arrays import normalise
from bowerbird.errors import InputError
from bowerbird.randomness import generator
from bowerbird.slate.diversity import dpp, mmr, mmr_of_similarity
from bowerbird.slate.reordering import Reordering
from bowerbird.slate.spectrum import ssd

DIVERSIFIERS = {
    "mmr": lambda relevance, vectors, n: mmr(relevance, vectors, n, 0.6),
    "dpp": lambda relevance, vectors, n: dpp(relevance, vectors, n, 0.6),
    "ssd": lambda relevance, vectors, n: ssd(relevance, vectors, n, gamma=0.7, window=4),
}
every_diversifier = pytest.mark.parametrize("diversify", DIVERSIFIERS.values(), ids=DIVERSIFIERS)


def candidates(seed: int, items: int, dim: int = 6) -> tuple[np.ndarray, np.ndarray]:
    draw = generator(seed, "candidates")
    vectors = draw.standard_normal((items, dim))
    return draw.random(items), vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def slow_greedy(relevance, n, diversity_of) -> list[int]:
    """The obvious loop: try every candidate that is left, keep the best."""
    picked: list[int] = []
    while len(picked) < min(n, len(relevance)):
        left = [j for j in range(len(relevance)) if j not in picked]
        picked.append(max(left, key=lambda j: relevance[j] + diversity_of(picked, j)))
    return picked


def determinant(vectors, rows) -> float:
    return float(np.linalg.det(vectors[rows] @ vectors[rows].T))


@given(seed=st.integers(0, 10_000), items=st.integers(1, 14), n=st.integers(0, 16))
def test_mmr_equals_the_loop_over_pairs(seed, items, n):
    relevance, vectors = candidates(seed, items)

    def paid(picked, j):
        return -0.4 * max((float(vectors[i] @ vectors[j]) for i in picked), default=0.0)

    assert mmr(relevance, vectors, n, 0.6).order.tolist() == slow_greedy(0.6 * relevance, n, paid)
    assert mmr_of_similarity(relevance, vectors @ vectors.T, n, 0.6).order.tolist() == slow_greedy(
        0.6 * relevance, n, paid
    )


@given(seed=st.integers(0, 10_000), items=st.integers(1, 14), n=st.integers(0, 6))
def test_dpp_equals_the_loop_over_determinants(seed, items, n):
    relevance, vectors = candidates(seed, items)

    def opened(picked, j):
        before = determinant(vectors, picked) if picked else 1.0
        return 0.4 * np.log(max(determinant(vectors, [*picked, j]) / before, 1e-6))

    slate = dpp(relevance, vectors, n, 0.6)
    assert slate.order.tolist() == slow_greedy(0.6 * relevance, n, opened)
    if n and items:
        log_volume = np.log(determinant(vectors, slate.order))
        expected = 0.6 * relevance[slate.order].sum() + 0.4 * log_volume
        assert slate.score == pytest.approx(expected, abs=1e-6)


@every_diversifier
@given(seed=st.integers(0, 10_000), items=st.integers(0, 30), n=st.integers(0, 40))
def test_no_candidate_is_picked_twice_and_all_are_if_there_is_room(diversify, seed, items, n):
    slate = diversify(*candidates(seed, items), n)
    assert len(slate) == min(n, items)
    assert len(set(slate.order.tolist())) == len(slate)


@every_diversifier
@given(seed=st.integers(0, 10_000), short=st.integers(0, 30), more=st.integers(0, 10))
def test_a_shorter_slate_is_a_prefix_of_a_longer_one(diversify, seed, short, more):
    relevance, vectors = candidates(seed, 30)
    one, other = diversify(relevance, vectors, short), diversify(relevance, vectors, short + more)
    assert one.order.tolist() == other.order[: len(one)].tolist()
    assert one.diversity.tolist() == other.diversity[: len(one)].tolist()


@every_diversifier
@given(seed=st.integers(0, 10_000))
def test_the_order_candidates_come_in_changes_nothing(diversify, seed):
    relevance, vectors = candidates(seed, 20)
    shuffled = generator(seed, "shuffle").permutation(20)
    # up to rank 6 every pick is decided by more than rounding
    slate, other = diversify(relevance, vectors, 6), diversify(relevance[shuffled], vectors[shuffled], 6)
    assert shuffled[other.order].tolist() == slate.order.tolist()


@every_diversifier
def test_the_terms_add_up_to_the_score(diversify):
    slate = diversify(*candidates(3, 20), 12)
    assert slate.score == pytest.approx(slate.relevance.sum() + slate.diversity.sum(), abs=1e-6)


@pytest.mark.parametrize(
    "diversify",
    [
        lambda r, v: mmr(r, v, 20, 1.0),
        lambda r, v: dpp(r, v, 20, 1.0),
        lambda r, v: ssd(r, v, 20, 0.0, 5),
    ],
    ids=["mmr", "dpp", "ssd"],
)
def test_without_weight_on_diversity_the_order_is_that_of_relevance(diversify):
    relevance, vectors = candidates(5, 20)
    slate = diversify(relevance, vectors)
    assert slate.order.tolist() == np.argsort(-relevance).tolist()
    assert slate.diversity.tolist() == [0.0] * 20


@every_diversifier
def test_a_copy_of_the_first_pick_waits(diversify):
    vectors = normalise(np.array([[1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]))
    assert diversify(np.array([0.9, 0.89, 0.7, 0.6]), vectors, 3).order.tolist() == [0, 2, 3]


@every_diversifier
def test_float32_vectors_and_scores_are_accepted(diversify):
    relevance, vectors = candidates(8, 40, dim=32)
    single = diversify(relevance.astype(np.float32), vectors.astype(np.float32), 10)
    double = diversify(relevance, vectors, 10)
    assert single.order.tolist() == double.order.tolist()
    assert np.allclose(single.terms, double.terms, atol=1e-5)


@every_diversifier
def test_equal_candidates_keep_their_order(diversify):
    vectors = np.eye(4)
    assert diversify(np.full(4, 0.5), vectors, 4).order.tolist() == [0, 1, 2, 3]


def test_dpp_goes_on_by_relevance_once_the_space_is_full():
    relevance, vectors = candidates(2, 10, dim=2)
    slate = dpp(relevance, vectors, 10, 0.5)
    rest = relevance[slate.order[2:]]
    assert rest.tolist() == sorted(rest, reverse=True)
    assert np.isfinite(slate.score)


@every_diversifier
def test_lengths_that_differ_are_refused(diversify):
    with pytest.raises(InputError, match="3 relevance values for 2 candidates"):
        diversify(np.ones(3), np.eye(2), 2)


@every_diversifier
def test_a_relevance_that_is_not_finite_is_refused(diversify):
    with pytest.raises(InputError, match="relevance of candidate 1 is nan"):
        diversify(np.array([0.5, np.nan]), np.eye(2), 2)


@every_diversifier
def test_a_negative_length_is_refused(diversify):
    with pytest.raises(InputError, match="n = -1"):
        diversify(np.ones(2), np.eye(2), -1)


@pytest.mark.parametrize("diversify", [mmr, mmr_of_similarity, dpp])
def test_a_trade_off_outside_its_range_is_refused(diversify):
    with pytest.raises(InputError, match=r"trade_off = 1\.5"):
        diversify(np.ones(2), np.eye(2), 2, 1.5)


def test_a_reordering_knows_its_terms():
    slate = Reordering(np.array([1, 0]), np.array([0.5, 0.25]), np.array([0.25, -0.5]))
    assert slate.terms.tolist() == [0.5 + 0.25, 0.25 - 0.5]
    assert slate.score == 0.5 + 0.25 + 0.25 - 0.5
