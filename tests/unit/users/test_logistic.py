"""Ridge logistic regression of one outcome."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize

from bowerbird.randomness import generator
from bowerbird.users.logistic import Logistic, logistic_weights


def test_the_weights_minimise_the_penalised_loss():
    rng = generator(2, "irls")
    inputs = rng.standard_normal((200, 3))
    outcomes = rng.random(200) < 1 / (1 + np.exp(-(inputs @ [1.0, -2.0, 0.0] + 0.5)))

    def loss(w: np.ndarray) -> float:
        margin = (2.0 * outcomes - 1) * (inputs @ w[:3] + w[3])
        return float(np.logaddexp(0, -margin).sum() + 0.5 * 2.0 * (w[:3] ** 2).sum())

    best = optimize.minimize(loss, np.zeros(4), method="BFGS", options={"gtol": 1e-6})
    assert logistic_weights(inputs, outcomes, 2.0) == pytest.approx(best.x, abs=1e-4)


def test_separable_outcomes_stay_finite():
    inputs = np.array([[-1.0], [-0.5], [0.5], [1.0]])
    assert np.isfinite(logistic_weights(inputs, np.array([False, False, True, True]), 1.0)).all()


def test_the_scale_of_an_input_changes_nothing_and_one_that_never_varies_says_nothing():
    rng = generator(3, "scales")
    inputs = rng.standard_normal((100, 2))
    outcomes = rng.random(100) < 0.5
    other = np.concatenate([inputs * [1000.0, 0.01] + [5.0, -3.0], np.full((100, 1), 7.0)], axis=1)
    plain = Logistic.fitted(inputs, outcomes, 1.0).probabilities(inputs)
    assert Logistic.fitted(other, outcomes, 1.0).probabilities(other) == pytest.approx(plain, abs=1e-6)
