"""Prevalence: unbiased on a planted world, covered by its interval, far tighter than sampling without a score."""

from __future__ import annotations

import numpy as np
import pytest

from bowerbird.errors import InputError
from bowerbird.evaluation.prevalence import BLIND_SHARE, estimated_prevalence, prevalence_sample

DRAWS, WORLDS = 300, 400


@pytest.fixture(scope="module")
def planted():
    """20,000 items, heavy-tailed impressions, one in a hundred bad, a score that mostly knows."""
    rng = np.random.default_rng(5)
    impressions = np.floor(rng.pareto(1.3, 20_000) * 10)
    bad = rng.random(20_000) < 0.01
    risk = np.where(bad, rng.beta(4, 2, 20_000), rng.beta(1, 30, 20_000))
    return impressions, bad, risk, float(impressions[bad].sum() / impressions.sum())


def drawn(planted, seed, risk):
    impressions, bad, _, _ = planted
    sample = prevalence_sample(impressions, risk, DRAWS, seed)
    return estimated_prevalence(bad[sample.rows], sample.draws, sample.weights)


def test_the_planted_prevalence_is_found_without_bias_and_covered(planted):
    found = [drawn(planted, seed, planted[2]) for seed in range(WORLDS)]
    shares, truth = np.array([one.share for one in found]), planted[3]
    assert abs(shares.mean() - truth) < 3 * shares.std() / np.sqrt(WORLDS)
    covered = np.mean([one.low <= truth <= one.high for one in found])
    assert 0.92 <= covered <= 1.0


def test_a_score_that_knows_narrows_the_interval_three_times_and_a_useless_one_stays_unbiased(planted):
    def mean_width(found):
        return np.mean([one.high - one.low for one in found])

    steered = [drawn(planted, seed, planted[2]) for seed in range(100)]
    plain = [drawn(planted, seed, np.ones(20_000)) for seed in range(100)]
    useless = [drawn(planted, seed, np.random.default_rng(seed).random(20_000)) for seed in range(WORLDS)]
    assert mean_width(plain) > 3 * mean_width(steered)
    shares = np.array([one.share for one in useless])
    assert abs(shares.mean() - planted[3]) < 3 * shares.std() / np.sqrt(WORLDS)


def test_no_weight_exceeds_what_the_mixture_allows_and_the_unseen_are_never_drawn(planted):
    impressions, _, risk, _ = planted
    sample = prevalence_sample(impressions, risk, 5000, 1)
    assert sample.draws.sum() == 5000
    assert sample.weights.max() <= 1 / BLIND_SHARE + 1e-9
    assert (impressions[sample.rows] > 0).all()
    again = prevalence_sample(impressions, risk, 5000, 1)
    assert (again.rows == sample.rows).all()


def test_with_nothing_bad_found_the_interval_still_says_how_much_there_may_be():
    found = estimated_prevalence(np.zeros(10, bool), np.full(10, 10), np.ones(10))
    assert (found.share, found.low) == (0.0, 0.0)
    assert found.high == pytest.approx(1 - 0.025 ** (1 / 100))  # the rule of three, exactly


@pytest.mark.parametrize(
    ("impressions", "risk", "draws", "message"),
    [
        ([0.0, 0.0], [0.1, 0.1], 10, "one item that was seen"),
        ([1.0, np.nan], [0.1, 0.1], 10, "expected impressions of at least 0"),
        ([1.0, 1.0], [0.1, 1.5], 10, r"a risk is outside \[0, 1\]"),
        ([1.0, 1.0], [0.1, 0.1], 1, "1 draws; expected at least 2"),
    ],
)
def test_wrong_numbers_are_refused(impressions, risk, draws, message):
    with pytest.raises(InputError, match=message):
        prevalence_sample(np.array(impressions), np.array(risk), draws, 0)


def test_too_few_labels_are_refused():
    with pytest.raises(InputError, match="1 labelled draws; expected at least 2"):
        estimated_prevalence(np.array([True]), np.array([1]), np.array([1.0]))
