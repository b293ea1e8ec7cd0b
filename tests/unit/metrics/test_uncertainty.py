from __future__ import annotations

import numpy as np
import pytest

from bowerbird.errors import InputError
from bowerbird.metrics import uncertainty
from bowerbird.randomness import generator


def test_the_standard_error_of_a_rate_is_the_textbook_one():
    hits = np.repeat([1.0, 0.0], [30, 70])
    assert uncertainty.standard_error(hits) == pytest.approx((0.3 * 0.7 / (100 - 1)) ** 0.5)


def test_the_bootstrap_equals_a_loop_over_the_same_draws():
    values = np.array([0.0, 0.5, 2.0, 1.0])
    draws = generator(3, "bootstrap").integers(4, size=(200, 4))
    means = [sum(values[place] for place in draw) / 4 for draw in draws]
    interval = uncertainty.bootstrap_interval(values, seed=3, level=0.9, resamples=200)
    assert (interval.low, interval.high) == pytest.approx(tuple(np.quantile(means, [0.05, 0.95])))
    assert interval.estimate == pytest.approx((0.5 + 2.0 + 1.0) / 4)


def test_blocks_of_draws_do_not_change_the_interval(monkeypatch: pytest.MonkeyPatch):
    values = np.arange(50) / 50
    whole = uncertainty.bootstrap_interval(values, seed=1, resamples=100)
    monkeypatch.setattr(uncertainty, "BLOCK_VALUES", 50 * 8)
    assert uncertainty.bootstrap_interval(values, seed=1, resamples=100) == whole


def test_the_interval_of_normal_values_is_close_to_two_standard_errors():
    values = generator(1, "values").normal(size=2000)
    interval = uncertainty.bootstrap_interval(values, seed=1)
    half = (interval.high - interval.low) / 2
    assert half == pytest.approx(1.96 * uncertainty.standard_error(values), rel=0.15)


def test_pairing_removes_the_users_own_luck():
    theirs = generator(1, "users").normal(size=300)
    ours = theirs + 0.01
    assert uncertainty.paired_bootstrap(ours, theirs, seed=1).apart_from(0.0)
    assert not uncertainty.paired_bootstrap(theirs, theirs, seed=1).apart_from(0.0)


def test_the_seed_decides():
    values = np.arange(20) / 20
    assert uncertainty.bootstrap_interval(values, 1) == uncertainty.bootstrap_interval(values, 1)
    assert uncertainty.bootstrap_interval(values, 1) != uncertainty.bootstrap_interval(values, 2)


def test_too_few_values_are_refused():
    with pytest.raises(InputError, match="found 1 values; expected at least 2"):
        uncertainty.standard_error(np.array([1.0]))
    with pytest.raises(InputError, match="found 0 values"):
        uncertainty.bootstrap_interval(np.array([], dtype=np.float64), seed=1)


def test_a_level_of_percent_is_refused():
    with pytest.raises(InputError, match="level in"):
        uncertainty.bootstrap_interval(np.array([1.0]), seed=1, level=95.0)


def test_unpaired_values_are_refused():
    with pytest.raises(InputError, match="same users in the same order"):
        uncertainty.paired_bootstrap(np.array([1.0]), np.array([1.0, 2.0]), seed=1)
