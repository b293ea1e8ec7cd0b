"""The exploration slot's probabilities are those of its draws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bowerbird.errors import InputError
from bowerbird.randomness import generator
from bowerbird.slate.exploration import explored, upper_bounds

ORDER = np.array([3, 1, 4, 0, 5, 2])
COLD = np.array([True, True, True, False, False, True])
BOUNDS = np.array([0.5, 0.9, 0.7, 0.2, 0.1, 0.3])


def drawn(seed: int, share: float = 0.4, place: int = 1, order: np.ndarray = ORDER):
    random = generator(seed, "exploration")
    return explored(order, BOUNDS, COLD, place=place, share=share, random=random)


def test_stated_propensities_are_the_frequencies_of_items_at_places():
    runs = [drawn(seed) for seed in range(6000)]
    for place in range(len(ORDER)):
        for item in range(6):
            there = [one for one in runs if one.order[place] == item]
            if there:
                assert len({round(float(one.propensity[place]), 9) for one in there}) == 1
                assert there[0].propensity[place] == pytest.approx(len(there) / len(runs), abs=0.03)


def test_what_stands_before_the_place_stays_and_nobody_is_lost():
    for seed in range(50):
        found = drawn(seed)
        assert found.order[0] == 3
        assert sorted(found.order.tolist()) == sorted(ORDER.tolist())
        if found.drawn >= 0:
            assert COLD[found.order[1]]


@given(st.integers(0, 1000))
def test_what_lies_deep_may_be_in_any_order(seed):
    """A shorter slate orders fewer places; the draw must not notice."""
    other = np.array([3, 1, 4, 2, 5, 0])
    assert drawn(seed).order[:3].tolist() == drawn(seed, order=other).order[:3].tolist()


def test_of_warm_candidates_or_no_share_nothing_is_drawn():
    random = generator(0, "exploration")
    none = explored(ORDER, BOUNDS, np.zeros(6, bool), place=1, share=0.5, random=random)
    assert none.order.tolist() == ORDER.tolist()
    assert none.propensity.tolist() == [1.0] * 6
    assert drawn(0, share=0.0).drawn == -1


def test_fewer_impressions_bound_higher():
    bounds = upper_bounds(np.full(3, 0.2), np.array([0.0, 10.0, 1000.0]), 0.5)
    assert bounds[0] > bounds[1] > bounds[2] > 0.2


def test_a_share_of_one_is_refused():
    with pytest.raises(InputError, match="expected a share in"):
        drawn(0, share=1.0)
