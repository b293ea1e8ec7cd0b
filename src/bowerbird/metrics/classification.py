"""Predicted classes against true ones: macro-F1, accuracy among the surest, the best example of each class.

Letters: ``c`` is a class, ``t_c`` how often it is true, ``p_c`` how often it is predicted, ``h_c`` how often both.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Float64, Int

from bowerbird.errors import InputError

__all__ = ["accuracy_at_coverage", "adjusted_rand", "best_of_class", "macro_f1", "top_label_ece"]


def macro_f1(truth: Int[np.ndarray, " n"], predicted: Int[np.ndarray, " m"]) -> float:
    """Mean over classes of F1, every class weighing the same: ``mean_c 2 h_c / (t_c + p_c)``.

    The classes are those that are true or predicted at least once.

    Raises:
        InputError: nothing given, or unequal lengths.

    Example:
        >>> macro_f1(np.array([0, 0, 1]), np.array([0, 1, 1])) == (2 / 3 + 2 / 3) / 2
        True
    """
    _same_length(truth, predicted, "macro_f1")
    classes = int(max(truth.max(), predicted.max())) + 1
    both = np.bincount(truth[truth == predicted], minlength=classes)
    either = np.bincount(truth, minlength=classes) + np.bincount(predicted, minlength=classes)
    return float((2.0 * both[either > 0] / either[either > 0]).mean())


def adjusted_rand(truth: Int[np.ndarray, " n"], found: Int[np.ndarray, " m"]) -> float:
    """How alike two ways to group the same things are, whatever the groups are called: 1 equal, 0 as by chance (ARI).

    With ``x(v) = v (v - 1) / 2``, ``n_ij`` how many are in group i of one and j of the other, ``a_i``, ``b_j`` their sums
    and ``e = sum_i x(a_i) sum_j x(b_j) / x(n)``: ``(sum_ij x(n_ij) - e) / ((sum_i x(a_i) + sum_j x(b_j)) / 2 - e)``.

    Source: Hubert & Arabie, Journal of Classification 1985.

    Raises:
        InputError: nothing given, or unequal lengths.

    Example:
        >>> adjusted_rand(np.array([0, 0, 1, 1]), np.array([5, 5, 2, 2]))
        1.0
    """
    _same_length(truth, found, "adjusted_rand")

    def pairs(values: Int[np.ndarray, "..."]) -> float:
        _, counts = np.unique(values, axis=0, return_counts=True)
        return float((counts * (counts - 1) / 2).sum())

    together, one, other = pairs(np.stack([truth, found], axis=1)), pairs(truth), pairs(found)
    by_chance = one * other / max(len(truth) * (len(truth) - 1) / 2, 1.0)
    most = (one + other) / 2
    return 1.0 if most == by_chance else (together - by_chance) / (most - by_chance)


def accuracy_at_coverage(
    correct: Bool[np.ndarray, " n"], confidence: Float[np.ndarray, " m"], shares: Sequence[float]
) -> Float64[np.ndarray, " share"]:
    """Accuracy of the surest share of the predictions: the abstention curve.

    Ties are kept in their given order. At least one prediction is always answered.

    Args:
        correct: whether each prediction is right.
        confidence: how sure each one is; only the order matters.
        shares: shares answered, in (0, 1].

    Example:
        >>> right = np.array([True, False, True, True])
        >>> accuracy_at_coverage(right, np.array([0.9, 0.2, 0.8, 0.7]), [1.0, 0.75]).tolist()
        [0.75, 1.0]
    """
    _same_length(correct, confidence, "accuracy_at_coverage")
    surest = correct[np.argsort(-confidence, kind="stable")].astype(np.float64)
    running = np.cumsum(surest) / np.arange(1, surest.size + 1)
    places = [max(int(np.ceil(share * surest.size - 1e-9)), 1) - 1 for share in shares]
    return running[places]


def best_of_class(
    scores: Float[np.ndarray, "n class_"], truth: Int[np.ndarray, " n"]
) -> Bool[np.ndarray, " asked"]:
    """For each class that is true somewhere: is the item that scores highest for it of that class?

    Its mean is the precision at 1 of asking for a category by name.

    Example:
        >>> best_of_class(np.array([[0.9, 0.8], [0.1, 0.2]]), np.array([0, 1])).tolist()
        [True, False]
    """
    asked = np.unique(truth)
    return truth[scores[:, asked].argmax(axis=0)] == asked


def top_label_ece(
    correct: Bool[np.ndarray, " n"], confidence: Float[np.ndarray, " m"], bins: int = 15
) -> float:
    """Calibration error of the predicted class: ``sum_b n_b / n |accuracy in b - mean confidence in b|``.

    Bins have equal width. The estimate is above zero even for perfect confidences: about the sum of each
    bin's own noise.

    Source: Guo et al., ICML 2017, eq. 3.

    Example:
        >>> round(top_label_ece(np.array([True, False]), np.array([0.9, 0.9])), 4)
        0.4
    """
    from bowerbird.metrics.calibration import ece_equal_width

    return ece_equal_width(correct, confidence, bins)


def _same_length(first: np.ndarray, second: np.ndarray, metric: str) -> None:
    if first.shape != second.shape or first.size == 0:
        raise InputError(
            f"{metric}: found {first.size} and {second.size} values; expected equally many, at least one"
        )
