"""Classification metrics against arithmetic."""

import numpy as np
import pytest

from bowerbird.errors import InputError
from bowerbird.metrics.classification import (
    accuracy_at_coverage,
    adjusted_rand,
    best_of_class,
    macro_f1,
    top_label_ece,
)


def test_macro_f1_weighs_a_rare_class_like_a_common_one():
    truth, predicted = np.array([0, 0, 0, 0, 1]), np.array([0, 0, 0, 0, 0])
    assert macro_f1(truth, predicted) == (2 * 4 / 9 + 0) / 2


def test_a_class_that_is_only_predicted_counts_as_missed():
    assert macro_f1(np.array([0, 0]), np.array([0, 2])) == (2 / 3 + 0) / 2


def test_groups_are_alike_by_the_pairs_they_hold_together_and_not_by_their_names():
    # 6 pairs: one way holds (0 1)(2 3), the other (0 1 2): together (0 1); by chance 2 * 3 / 6
    assert adjusted_rand(np.array([0, 0, 1, 1]), np.array([7, 7, 7, 2])) == (1 - 1) / (2.5 - 1)
    assert adjusted_rand(np.array([0, 0, 1, 1, 2]), np.array([1, 1, 0, 0, 9])) == 1.0
    assert adjusted_rand(np.array([0, 0, 1, 1]), np.zeros(4, np.int64)) == 0.0
    assert adjusted_rand(np.zeros(3, np.int64), np.ones(3, np.int64)) == 1.0
    draw = np.random.default_rng(0)
    assert abs(adjusted_rand(draw.integers(0, 5, 4000), draw.integers(0, 5, 4000))) < 0.01


def test_accuracy_rises_when_the_unsure_are_left_out():
    correct, confidence = np.array([True, False, True, False]), np.array([0.9, 0.1, 0.8, 0.2])
    assert accuracy_at_coverage(correct, confidence, [1.0, 0.5, 0.01]).tolist() == [0.5, 1.0, 1.0]


def test_the_best_example_of_each_true_class_is_asked_for():
    scores = np.array([[0.9, 0.5, 0.0], [0.1, 0.6, 0.9]])
    assert best_of_class(scores, np.array([0, 0])).tolist() == [True]
    assert best_of_class(scores, np.array([1, 0])).tolist() == [False, False]


def test_a_perfectly_calibrated_bin_has_no_error():
    assert top_label_ece(np.array([True, False]), np.array([0.5, 0.5])) == 0.0


def test_unequal_lengths_are_refused():
    with pytest.raises(InputError, match="macro_f1: found 2 and 1 values; expected equally many"):
        macro_f1(np.array([0, 1]), np.array([0]))
