"""Calibration: what is said happens as often as said."""

from __future__ import annotations

import numpy as np
import pytest

from bowerbird.errors import InputError
from bowerbird.metrics.calibration import ece_equal_mass
from bowerbird.randomness import generator
from bowerbird.ranking.calibration import (
    ENOUGH_POSITIVES,
    cold_shift,
    fitted_calibration,
    fitted_calibrations,
)


def _overconfident(n: int, rate_shift: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Logits that say three times what is true, and outcomes."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(rate_shift, 1.0, size=n)
    return (3 * truth).astype(np.float32), rng.random(n) < 1 / (1 + np.exp(-truth))


@pytest.mark.parametrize("shift", [-2.0, -4.5])
def test_overconfident_scores_become_calibrated_on_fresh_data(shift: float) -> None:
    fit_logits, fit_outcomes = _overconfident(20_000, shift, 1)
    logits, outcomes = _overconfident(20_000, shift, 2)
    before = ece_equal_mass(outcomes, 1 / (1 + np.exp(-logits.astype(np.float64))))
    after = ece_equal_mass(outcomes, fitted_calibration(fit_logits, fit_outcomes)(logits))
    assert after < 0.012 < before


def test_few_positives_are_fitted_with_two_parameters_not_steps() -> None:
    logits, outcomes = _overconfident(2_000, -4.0, 3)
    assert outcomes.sum() < ENOUGH_POSITIVES
    calibration = fitted_calibration(logits, outcomes)
    assert len(set(calibration.probabilities)) > 200


def test_of_very_few_positives_only_the_level_is_fitted() -> None:
    rng = generator(5, "few")
    logits = rng.normal(-5.0, 1.0, 4_000).astype(np.float32)
    happened = np.zeros(4_000, bool)
    happened[rng.choice(4_000, 12, replace=False)] = True  # nothing to do with the logits
    found = fitted_calibration(logits, happened)(logits)
    assert found.mean() == pytest.approx((12 + 1) / 4_000, rel=0.1)
    known = found / (1 - found)
    slope = np.polyfit(logits, np.log(known), 1)[0]
    assert slope == pytest.approx(1.0, abs=0.01)


def test_a_calibration_never_turns_an_order_around() -> None:
    logits, outcomes = _overconfident(5_000, -1.0, 4)
    mapped = fitted_calibration(logits, outcomes)(np.sort(logits))
    assert (np.diff(mapped) >= 0).all()
    assert ((mapped > 0) & (mapped < 1)).all()


def test_one_class_only_gives_a_small_probability_not_a_crash() -> None:
    calibration = fitted_calibration(np.linspace(-3, 3, 50).astype(np.float32), np.zeros(50, dtype=bool))
    assert float(calibration(np.zeros(1, np.float32))[0]) < 0.2


def test_no_examples_are_refused() -> None:
    with pytest.raises(InputError, match="no examples"):
        fitted_calibration(np.empty(0, np.float32), np.empty(0, dtype=bool))


def test_cold_items_are_brought_to_their_own_rate_and_warm_ones_stay():
    rng = generator(4, "cold")
    logits = rng.normal(size=(20_000, 1)).astype(np.float32)
    cold = rng.random(20_000) < 0.2
    chance = 1 / (1 + np.exp(-(logits[:, 0] - 1.0 * cold)))  # the model thinks too well of cold items
    happened = (rng.random(20_000) < chance)[:, None]
    fitted = fitted_calibrations(("save",), logits, happened, cold)
    assert -1.3 < fitted.cold[0] < -0.5
    fresh = fitted.probabilities(logits, cold)["save"]
    assert fresh[cold].mean() == pytest.approx(happened[cold].mean(), abs=0.02)
    same = fitted.probabilities(logits, np.zeros(20_000, bool))["save"]
    np.testing.assert_array_equal(fresh[~cold], same[~cold])


def test_of_few_cold_items_little_is_believed():
    assert cold_shift(np.empty(0, np.float32), np.empty(0, bool)) == 0.0
    few = cold_shift(np.full(5, 0.5, np.float32), np.zeros(5, bool))
    many = cold_shift(np.full(5000, 0.5, np.float32), np.zeros(5000, bool))
    assert -0.05 < few < 0.0
    assert many < -2.0
