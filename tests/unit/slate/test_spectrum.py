from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bowerbird.errors import InputError
from bowerbird.randomness import generator
from bowerbird.slate.spectrum import ssd


def candidates(seed: int, items: int, dim: int = 8) -> tuple[np.ndarray, np.ndarray]:
    draw = generator(seed, "candidates")
    vectors = draw.standard_normal((items, dim))
    return draw.random(items), vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def volume(vectors, rows) -> float:
    """What the rows span, from the definition: the square root of the Gram determinant."""
    return float(np.sqrt(max(np.linalg.det(vectors[rows] @ vectors[rows].T), 0.0)))


def ssd_that_rewrites_vectors(relevance, vectors, n, gamma, window) -> tuple[list[int], list[float]]:
    """The paper's loop word for word: project every vector after a pick, add back what left the window."""
    v = vectors.copy()
    picked, volumes, inside = [], [], []
    for _ in range(min(n, len(relevance))):
        past = np.prod([length for _, length, _ in inside]) if inside else 1.0
        term = relevance + gamma * past * np.linalg.norm(v, axis=1)
        term[picked] = -np.inf
        i = int(np.argmax(term))
        volumes.append(past * float(np.linalg.norm(v[i])))
        picked.append(i)
        if inside and len(inside) == window - 1:
            _, _, component = inside.pop(0)
            v = v + component
        if window > 1:
            share = (v @ v[i]) / (v[i] @ v[i])
            component = share[:, None] * v[i][None, :]
            inside.append((i, float(np.linalg.norm(v[i])), component))
            v = v - component
    return picked, volumes


@given(seed=st.integers(0, 10_000), items=st.integers(1, 12), n=st.integers(0, 8))
def test_a_window_over_the_whole_slate_is_the_loop_over_determinants(seed, items, n):
    relevance, vectors = candidates(seed, items)
    picked: list[int] = []
    spanned = []
    while len(picked) < min(n, items):
        left = [j for j in range(items) if j not in picked]
        picked.append(max(left, key=lambda j: relevance[j] + 0.7 * volume(vectors, [*picked, j])))
        spanned.append(0.7 * volume(vectors, picked))
    slate = ssd(relevance, vectors, n, gamma=0.7, window=20)
    assert slate.order.tolist() == picked
    assert np.allclose(slate.diversity, spanned, atol=1e-6)


@given(seed=st.integers(0, 10_000), window=st.integers(1, 7), n=st.integers(1, 20))
def test_a_sliding_window_picks_what_rewriting_the_vectors_picks(seed, window, n):
    relevance, vectors = candidates(seed, 24)
    picked, volumes = ssd_that_rewrites_vectors(relevance, vectors, n, 0.7, window)
    slate = ssd(relevance, vectors, n, 0.7, window)
    assert slate.order.tolist() == picked
    assert np.allclose(slate.diversity, 0.7 * np.array(volumes), atol=1e-6)


def test_a_window_of_two_looks_only_at_the_neighbour():
    relevance, vectors = candidates(11, 15)
    order = ssd(relevance, vectors, 10, gamma=1.0, window=2)
    expected = [volume(vectors, order.order[max(0, t - 1) : t + 1]) for t in range(10)]
    assert np.allclose(order.diversity, expected, atol=1e-6)


def test_what_left_the_window_may_come_again():
    red, blue = [1.0, 0.0], [0.0, 1.0]
    slate = ssd(np.array([0.9, 0.8, 0.7, 0.6]), np.array([red, red, blue, blue]), 4, gamma=1.0, window=2)
    assert slate.order.tolist() == [0, 2, 1, 3]


def test_an_item_without_a_vector_earns_no_volume_and_takes_no_room():
    vectors = np.array([[1.0, 0.0], [0.0, 0.0], [0.0, 1.0]])
    slate = ssd(np.array([0.1, 5.0, 0.0]), vectors, 3, gamma=1.0, window=3)
    assert slate.order.tolist() == [1, 0, 2]
    assert slate.diversity.tolist() == [0.0, 1.0, 1.0]


def test_a_repeat_leaves_no_volume_until_it_has_left_the_window():
    red, blue, between = [1.0, 0.0], [0.0, 1.0], [0.6, 0.8]
    vectors = np.array([red, red, blue, between, red])
    slate = ssd(np.array([9.0, 8.0, 2.0, 1.0, 0.0]), vectors, 5, gamma=0.5, window=3)
    assert slate.order.tolist() == [0, 1, 2, 3, 4]
    # the repeat at 1 is inside the windows of 2 and 3; the last three vectors share a plane
    assert np.allclose(slate.diversity, [0.5, 0.0, 0.0, 0.0, 0.0], atol=1e-6)


def test_a_negative_weight_is_refused():
    with pytest.raises(InputError, match=r"gamma = -0\.1"):
        ssd(np.ones(2), np.eye(2), 2, gamma=-0.1, window=2)


def test_an_empty_window_is_refused():
    with pytest.raises(InputError, match="window = 0"):
        ssd(np.ones(2), np.eye(2), 2, gamma=0.5, window=0)
