from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bowerbird.errors import InputError
from bowerbird.randomness import generator
from bowerbird.slate.spacing import spaced


def candidates(seed: int, items: int) -> tuple[np.ndarray, np.ndarray]:
    draw = generator(seed, "candidates")
    return draw.random(items), draw.integers(-1, 4, size=items)


@given(seed=st.integers(0, 10_000), items=st.integers(0, 15), n=st.integers(0, 17), window=st.integers(1, 6))
def test_spacing_equals_the_loop_over_positions(seed, items, n, window):
    relevance, categories = candidates(seed, items)
    picked: list[int] = []

    def term(j: int) -> float:
        price = 0.0
        for position, i in enumerate(picked):
            distance = len(picked) - position
            if categories[i] == categories[j] and categories[j] >= 0 and distance <= window:
                price += 0.3 * (1 - (distance - 1) / window)
        return relevance[j] - price

    terms = []
    while len(picked) < min(n, items):
        best = max((j for j in range(items) if j not in picked), key=term)
        terms.append(term(best))
        picked.append(best)
    slate = spaced(relevance, categories, n, 0.3, window)
    assert slate.order.tolist() == picked
    assert np.allclose(slate.terms, terms, atol=1e-9)


@given(seed=st.integers(0, 10_000), short=st.integers(0, 20), more=st.integers(0, 5))
def test_a_shorter_slate_is_a_prefix_of_a_longer_one(seed, short, more):
    relevance, categories = candidates(seed, 20)
    one = spaced(relevance, categories, short, 0.5, 3)
    assert one.order.tolist() == spaced(relevance, categories, short + more, 0.5, 3).order[:short].tolist()


def test_without_strength_the_order_is_that_of_relevance():
    relevance, categories = candidates(1, 20)
    assert spaced(relevance, categories, 20, 0.0, 4).order.tolist() == np.argsort(-relevance).tolist()


def test_the_price_of_a_repeat_fades_with_distance():
    slate = spaced(np.array([9.0, 8.0, 7.0, 6.0]), np.array([1, 1, 2, 1]), 4, strength=0.6, window=3)
    # one above: 0.6; none of category 2; at the end two and three above: 0.6 * 2/3 + 0.6 * 1/3
    assert np.allclose(slate.diversity, [0.0, -0.6, 0.0, -(0.6 * 2 / 3 + 0.6 * 1 / 3)])


def test_candidates_of_one_category_are_all_shown_by_relevance():
    assert spaced(np.array([0.1, 0.9, 0.5]), np.zeros(3, dtype=int), 3, 5.0, 3).order.tolist() == [1, 2, 0]


def test_items_without_a_category_never_repeat():
    slate = spaced(np.array([0.9, 0.8, 0.7]), np.array([-1, -1, 3]), 3, strength=5.0, window=3)
    assert slate.order.tolist() == [0, 1, 2]


def test_a_negative_strength_is_refused():
    with pytest.raises(InputError, match="strength = -1"):
        spaced(np.ones(2), np.zeros(2, dtype=int), 2, -1.0, 2)


def test_an_empty_window_is_refused():
    with pytest.raises(InputError, match="window = 0"):
        spaced(np.ones(2), np.zeros(2, dtype=int), 2, 1.0, 0)


def test_lengths_that_differ_are_refused():
    with pytest.raises(InputError, match="2 relevance values for 3 candidates"):
        spaced(np.ones(2), np.zeros(3, dtype=int), 2, 1.0, 2)
