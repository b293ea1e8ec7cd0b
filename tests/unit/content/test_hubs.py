"""Hubs are answers that are near to every question; what they have from any question is taken off."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bowerbird.arrays import normalise
from bowerbird.content.hubs import hub_levels, levelled


def unit(seed: int, rows: int, dim: int = 8) -> np.ndarray:
    return normalise(np.random.default_rng(seed).normal(size=(rows, dim)).astype(np.float32))


def test_a_level_is_the_softened_largest_score_of_the_bank() -> None:
    answers, bank = np.array([[1, 0]], dtype=np.float32), np.array([[1, 0], [0, 1]], dtype=np.float32)
    expected = np.log((np.exp(2.0) + np.exp(0.0)) / 2) / 2
    np.testing.assert_allclose(hub_levels(answers, bank, sharpness=2.0), [expected], rtol=1e-6)


@given(st.integers(0, 1000), st.integers(1, 2500))
@settings(max_examples=20, deadline=None)
def test_a_level_lies_between_the_mean_and_the_largest_score(seed: int, questions: int) -> None:
    answers, bank = unit(seed, 5), unit(seed + 1, questions)
    levels, scores = hub_levels(answers, bank), bank @ answers.T
    assert (levels >= scores.mean(axis=0) - 1e-4).all()
    assert (levels <= scores.max(axis=0) + 1e-4).all()


def test_without_a_bank_nothing_changes() -> None:
    asking, answers = unit(1, 4), unit(2, 6)
    left, right = levelled(asking, answers, np.zeros((0, 8), dtype=np.float32))
    np.testing.assert_array_equal(left @ right.T, asking @ answers.T)


def test_a_hub_steps_back_behind_the_right_answer() -> None:
    hub, own = np.array([1, 0, 0]), np.array([0.6, 0.8, 0])
    answers = np.stack([hub, own]).astype(np.float32)
    asking = normalise(np.array([[1, 0.4, 0.0]], dtype=np.float32))
    bank = normalise(np.array([[1, 0, 0.3], [1, 0.1, -0.3], [1, -0.1, 0.2]], dtype=np.float32))
    assert (asking @ answers.T).argmax() == 0
    left, right = levelled(asking, answers, bank)
    assert (left @ right.T).argmax() == 1
