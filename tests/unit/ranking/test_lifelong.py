"""The nearest of a long history: as a full sort has them, and in bytes nearly as in floats."""

from __future__ import annotations

import numpy as np
import pytest

from bowerbird.arrays import normalise
from bowerbird.clock import DAY_US
from bowerbird.randomness import generator
from bowerbird.ranking.lifelong import LIFELONG_STEPS, NEAREST, CompactItems, nearest_places
from bowerbird.records.history import History
from bowerbird.records.signal import Space, Vectors


@pytest.mark.parametrize("steps", [3, 8, 100, 517, 1000, 5003])
def test_the_nearest_places_are_those_of_a_stable_sort(steps):
    similarity = generator(steps, "nearest").normal(size=(7, steps)).astype(np.float32)
    expected = np.argsort(-similarity, axis=1, kind="stable")[:, :8]
    np.testing.assert_array_equal(nearest_places(similarity, 8), expected)


def test_of_equal_values_the_newest_comes_first():
    assert nearest_places(np.array([[0.5, 0.9, 0.5]], np.float32), 3).tolist() == [[1, 2, 0]]


def long_history(steps: int, items: int, dim: int = 32) -> tuple[Vectors, History]:
    rng = generator(steps, "lifelong")
    matrix = normalise(rng.normal(size=(items, dim)).astype(np.float32))
    at = np.arange(steps, dtype=np.int64) * DAY_US
    rows = rng.integers(items, size=steps).astype(np.int32)
    history = History(rows, at, rng.integers(6, size=steps).astype(np.int8))
    return Vectors.full(Space("item", "1", dim), matrix), history


def test_bytes_choose_what_floats_choose_but_for_near_ties():
    vectors, history = long_history(2000, 4000)
    rows = np.arange(50, dtype=np.int32)
    found = CompactItems.of(vectors).nearest(history, rows, 2000 * DAY_US)
    exact = np.sort(vectors.matrix[rows] @ vectors.matrix[history.rows].T, axis=1)[:, ::-1][:, :NEAREST]
    np.testing.assert_allclose(found.similarity, exact, atol=0.01)


def test_ages_count_to_the_request_and_actions_are_the_steps():
    vectors, drawn = long_history(3, 10)
    history = History(np.array([4, 2, 7], np.int32), drawn.at, np.array([1, 2, 3], np.int8))
    found = CompactItems.of(vectors).nearest(history, history.rows[[1]], 5 * DAY_US)
    assert found.actions[0, 0] == history.actions[1]
    assert found.age_days[0, 0] == 4.0
    assert found.similarity[0, 0] == pytest.approx(1.0, abs=0.01)
    assert found.actions[0, 3:].tolist() == [-1] * (NEAREST - 3)


def test_steps_beyond_the_newest_are_not_searched():
    vectors, history = long_history(LIFELONG_STEPS + 1, 20_000)
    oldest = np.zeros(1, np.int32)
    rows = np.where(history.rows == 0, 1, history.rows).astype(np.int32)
    rows[0] = 0
    history = History(rows, history.at, history.actions)
    found = CompactItems.of(vectors).nearest(history, oldest, int(history.at[-1]) + 1)
    assert found.similarity[0, 0] < 0.95


def test_a_candidate_does_not_depend_on_the_others():
    vectors, history = long_history(900, 300)
    compact, rows = CompactItems.of(vectors), np.arange(40, dtype=np.int32)
    together = compact.nearest(history, rows, 900 * DAY_US)
    alone = compact.nearest(history, rows[7:8], 900 * DAY_US)
    np.testing.assert_allclose(together.similarity[7:8], alone.similarity, atol=1e-6)


def test_nobody_has_nothing():
    vectors, _ = long_history(1, 10)
    found = CompactItems.of(vectors).nearest(History.empty(), np.arange(4, dtype=np.int32), 5)
    assert (found.actions == -1).all()
    assert found.similarity.sum() == 0
