"""PinnerSage's clusters: several interests per person."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bowerbird.clock import DAY_US
from bowerbird.errors import InputError
from bowerbird.randomness import generator
from bowerbird.records import ACTION_CODE, History, Space, Vectors
from bowerbird.users.interest_clusters import (
    ClusterSettings,
    interest_clusters,
    medoid_position,
    ward_clusters,
)


def history(rows: list[int], days: list[float] | None = None) -> History:
    days = list(range(len(rows))) if days is None else days
    at = np.array([round(day * DAY_US) for day in days], np.int64)
    return History(np.array(rows, np.int32), at, np.full(len(rows), ACTION_CODE["save"], np.int8))


def around(axes: list[int], seed: int = 1, spread: float = 0.1) -> Vectors:
    """Unit vectors scattered around the axes of a space of 8 dimensions."""
    points = np.eye(8)[axes] + spread * generator(seed, "points").standard_normal((len(axes), 8))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    return Vectors.full(Space("item", "1", 8), points.astype(np.float32))


def test_planted_groups_are_found_without_being_told_how_many():
    axes = [0, 1, 2, 0, 1, 2, 0, 1, 0]
    found = interest_clusters(history(list(range(9))), around(axes), as_of=9 * DAY_US)
    assert {frozenset(one.members) for one in found} == {
        frozenset({0, 3, 6, 8}),
        frozenset({1, 4, 7}),
        frozenset({2, 5}),
    }


def test_importance_is_the_decayed_share():
    found = interest_clusters(
        history([0, 1], [0, 10]),
        around([0, 1]),
        as_of=10 * DAY_US + 1,
        settings=ClusterSettings(decay_per_day=0.1, threshold=0.5),
    )
    share = 1 / (1 + np.exp(-0.1 * 10))
    assert [one.members for one in found] == [(1,), (0,)]
    assert found[0].importance == pytest.approx(share)
    assert found[1].importance == pytest.approx(1 - share)


def test_an_item_acted_on_twice_counts_twice_in_importance():
    settings = ClusterSettings(decay_per_day=0, threshold=0.5)
    found = interest_clusters(history([0, 1, 1]), around([0, 1]), 3 * DAY_US, settings)
    assert [one.importance for one in found] == pytest.approx([2 / 3, 1 / 3])


def test_the_medoid_is_the_member_nearest_to_all_the_others():
    points = np.array([[1, 0], [0.8, 0.6], [0, 1]], np.float32)
    sums = [sum(float(((p - q) ** 2).sum()) for q in points) for p in points]
    assert medoid_position(points) == int(np.argmin(sums)) == 1


def test_steps_without_a_vector_and_empty_histories_are_left_out():
    vectors = around([0, 1])
    absent = Vectors(vectors.space, vectors.matrix * np.float32([[0], [1]]), np.array([False, True]))
    assert [one.members for one in interest_clusters(history([0, 1]), absent, 2 * DAY_US)] == [(1,)]
    assert interest_clusters(history([0]), absent, 2 * DAY_US) == ()
    assert interest_clusters(History.empty(), absent, 0) == ()


def test_only_the_most_important_are_kept_and_sum_to_one():
    settings = ClusterSettings(threshold=0.2, most=2)
    found = interest_clusters(history([0, 1, 2, 3]), around([0, 1, 2, 3]), 4 * DAY_US, settings)
    assert len(found) == 2
    assert sum(one.importance for one in found) == pytest.approx(1)


def test_a_history_from_the_future_is_refused():
    with pytest.raises(InputError, match="is not before as_of"):
        interest_clusters(history([0]), around([0]), as_of=0)


@given(st.lists(st.integers(0, 19), min_size=1, max_size=30), st.randoms(use_true_random=False))
def test_the_order_of_equal_times_does_not_matter_and_members_are_in_the_history(rows: list[int], random):
    vectors = around([row % 5 for row in range(20)], spread=0.4)
    days = [1.0] * len(rows)
    shuffled = list(rows)
    random.shuffle(shuffled)
    found = interest_clusters(history(rows, days), vectors, 2 * DAY_US)
    assert found == interest_clusters(history(shuffled, days), vectors, 2 * DAY_US)
    members = [row for one in found for row in one.members]
    assert sorted(members) == sorted(set(rows))
    assert all(one.medoid in one.members for one in found)
    assert sum(one.importance for one in found) == pytest.approx(1)


@given(st.integers(2, 25), st.integers(0, 50), st.sampled_from([0.3, 1.0, 2.0]))
def test_ward_equals_merging_the_cheapest_pair_again_and_again(n: int, seed: int, threshold: float):
    points = around([row % 4 for row in range(n)], seed=seed, spread=0.5).matrix
    groups = [[row] for row in range(n)]

    def cost(a: list[int], b: list[int]) -> float:
        gap = np.linalg.norm(points[a].mean(axis=0, dtype=float) - points[b].mean(axis=0, dtype=float))
        return float(np.sqrt(2 * len(a) * len(b) / (len(a) + len(b))) * gap)

    while len(groups) > 1:
        best, i, j = min((cost(groups[i], groups[j]), i, j) for i in range(len(groups)) for j in range(i))
        if best > threshold:
            break
        groups[j] = groups[j] + groups[i]
        del groups[i]
    labels = ward_clusters(points, threshold)
    assert {frozenset(np.flatnonzero(labels == c).tolist()) for c in set(labels.tolist())} == {
        frozenset(g) for g in groups
    }
