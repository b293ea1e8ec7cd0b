from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bowerbird.simulation.logging_policy import draw_slates


def test_propensities_of_a_slate_are_of_draws_without_putting_back() -> None:
    weights = np.array([[5.0, 3.0, 2.0]], dtype=np.float32)
    draw = draw_slates(weights, 3, np.random.default_rng(3))
    first, second, third = draw.items[0]
    share = weights[0] / 10
    assert draw.propensity[0, 0] == pytest.approx(share[first])
    assert draw.propensity[0, 1] == pytest.approx(share[second] / (1 - share[first]))
    assert draw.propensity[0, 2] == pytest.approx(1.0)
    assert sorted([first, second, third]) == [0, 1, 2]


def test_items_are_drawn_as_often_as_their_propensity_says() -> None:
    weights = np.tile(np.array([1.0, 2.0, 0.0, 5.0], dtype=np.float32), (40_000, 1))
    draw = draw_slates(weights, 2, np.random.default_rng(0))
    share = np.bincount(draw.items[:, 0], minlength=4) / 40_000
    assert share == pytest.approx([1 / 8, 2 / 8, 0, 5 / 8], abs=0.01)
    # inverse propensities count the items there are to choose from: 3, then 2
    assert (1 / draw.propensity[:, 0]).mean() == pytest.approx(3, rel=0.03)
    assert (1 / draw.propensity[:, 1]).mean() == pytest.approx(2, rel=0.03)


def test_places_nobody_is_eligible_for_stay_empty() -> None:
    draw = draw_slates(np.array([[0.0, 2.0, 0.0]], dtype=np.float32), 3, np.random.default_rng(0))
    assert draw.items.tolist() == [[1, -1, -1]]
    assert draw.propensity.tolist() == [[1.0, 0.0, 0.0]]


@given(seed=st.integers(0, 1000), n=st.integers(1, 8))
def test_no_item_is_shown_twice_in_a_slate(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    weights = (rng.random((5, 8)) * (rng.random((5, 8)) < 0.7)).astype(np.float32)
    for row in draw_slates(weights, n, rng).items:
        shown = row[row >= 0]
        assert len(set(shown.tolist())) == len(shown)
