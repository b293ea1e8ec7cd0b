"""Ordering by value and diversity together."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bowerbird.arrays import normalise, top_k
from bowerbird.randomness import generator
from bowerbird.slate.spread import POOL, spread

METHODS = ("none", "mmr", "ssd")


def drawn(seed: int, items: int = 40) -> tuple[np.ndarray, np.ndarray]:
    rng = generator(seed, "spread")
    return rng.random(items).astype(np.float32), normalise(rng.normal(size=(items, 4)))


@pytest.mark.parametrize("method", METHODS)
@given(seed=st.integers(0, 10_000), n=st.integers(1, 39), strength=st.floats(0.0, 3.0))
def test_a_shorter_slate_is_a_prefix_of_a_longer_one(method, seed, n, strength):
    value, vectors = drawn(seed)
    longer, added = spread(value, vectors, 40, method, strength, 5)
    shorter, fewer = spread(value, vectors, n, method, strength, 5)
    assert shorter.tolist() == longer[:n].tolist()
    np.testing.assert_allclose(fewer, added[:n], rtol=1e-6)


@pytest.mark.parametrize("method", METHODS)
@given(seed=st.integers(0, 10_000))
def test_nobody_is_picked_twice_and_the_best_comes_first(method, seed):
    value, vectors = drawn(seed)
    order, _ = spread(value, vectors, 25, method, 0.3, 5)
    assert len(set(order.tolist())) == 25
    assert order[0] == top_k(value, 1)[0]


@pytest.mark.parametrize("method", METHODS)
def test_without_strength_the_order_is_that_of_value(method):
    value, vectors = drawn(1)
    order, added = spread(value, vectors, 10, method, 0.0, 5)
    assert order.tolist() == np.argsort(-value)[:10].tolist()
    assert added.tolist() == [0.0] * 10


@pytest.mark.parametrize("method", METHODS)
def test_candidates_beyond_the_pool_follow_in_order_of_value(method):
    value, vectors = drawn(2, POOL + 50)
    order, added = spread(value, vectors, POOL + 30, method, 0.3, 5)
    by_value = np.argsort(-value, kind="stable")
    assert order[POOL:].tolist() == by_value[POOL : POOL + 30].tolist()
    assert set(order[:POOL].tolist()) == set(by_value[:POOL].tolist())
    assert added[POOL:].tolist() == [0.0] * 30


@pytest.mark.parametrize("method", ["mmr", "ssd"])
def test_doubled_values_give_the_same_order_and_twice_the_added_part(method):
    value, vectors = drawn(3)
    once, added = spread(value, vectors, 12, method, 0.4, 5)
    twice, doubled = spread(2 * value, vectors, 12, method, 0.4, 5)
    assert once.tolist() == twice.tolist()
    np.testing.assert_allclose(doubled, 2 * added, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_nothing_gives_nothing(method):
    order, added = spread(np.empty(0, np.float32), np.empty((0, 2), np.float32), 5, method, 0.3, 8)
    assert len(order) == len(added) == 0
