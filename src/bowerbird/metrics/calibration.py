"""Predicted probabilities against what happened: are they sharp, and do they mean what they say.

Letters: ``y`` is the outcome, 0 or 1; ``p`` is the predicted probability of 1; ``n`` their number.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Float64, Int, Int64

from bowerbird.errors import InputError

__all__ = ["auc", "brier", "ece_equal_mass", "ece_equal_width", "log_loss", "normalised_entropy", "pcoc"]

Outcomes = Bool[np.ndarray, " n"] | Int[np.ndarray, " n"] | Float[np.ndarray, " n"]
"""Outcomes 0 or 1, in any numeric or boolean type."""

Probabilities = Float[np.ndarray, " m"]
"""Predicted probabilities; their own length, so that our error explains a mismatch, not the type check."""

CLIP = 1e-12
"""Probabilities are kept this far from 0 and 1 before a logarithm, so that one sure mistake stays finite."""


def log_loss(y: Outcomes, p: Probabilities) -> float:
    """Mean negative log-likelihood, in nats: ``-mean(y ln p + (1 - y) ln(1 - p))``.

    Raises:
        InputError: see :func:`brier`; every function here checks the same.

    Example:
        >>> round(log_loss(np.array([1, 0]), np.array([0.5, 0.5])), 4)
        0.6931
    """
    outcomes, clipped = _checked(y, p)
    clipped = np.clip(clipped, CLIP, 1.0 - CLIP)
    return float(-np.mean(outcomes * np.log(clipped) + (1.0 - outcomes) * np.log1p(-clipped)))


def brier(y: Outcomes, p: Probabilities) -> float:
    """Mean squared error of the probability: ``mean((p - y)^2)``.

    Raises:
        InputError: nothing given, lengths differ, an outcome is not 0 or 1, a probability is outside [0, 1].

    Source: Brier, Monthly Weather Review 1950 (the two-class half form).

    Example:
        >>> round(brier(np.array([1, 0]), np.array([0.8, 0.4])), 4)
        0.1
    """
    outcomes, probability = _checked(y, p)
    return float(np.mean((probability - outcomes) ** 2))


def normalised_entropy(y: Outcomes, p: Probabilities) -> float:
    """Log loss over the log loss of always predicting the mean rate; below 1 is better than that.

    ``ne = log_loss(y, p) / -(m ln m + (1 - m) ln(1 - m)),  m = mean(y)``

    Raises:
        InputError: all outcomes are equal, so the reference is 0.

    Source: He et al., Practical Lessons from Predicting Clicks on Ads at Facebook, ADKDD 2014, eq. 1.

    Example:
        >>> normalised_entropy(np.array([1, 0]), np.array([0.5, 0.5]))
        1.0
    """
    outcomes, _ = _checked(y, p)
    mean = _mixed_rate(outcomes, "normalised_entropy")
    return log_loss(y, p) / log_loss(y, np.full(outcomes.shape, mean))


def pcoc(y: Outcomes, p: Probabilities) -> float:
    """Predicted over observed rate: ``mean(p) / mean(y)``; 1 is right, above 1 promises too much.

    Raises:
        InputError: no outcome is 1.

    Example:
        >>> pcoc(np.array([1, 0, 0, 0]), np.array([0.5, 0.5, 0.5, 0.5]))
        2.0
    """
    outcomes, probability = _checked(y, p)
    if outcomes.sum() == 0:
        raise InputError(
            f"pcoc: none of the {outcomes.size} outcomes is 1; expected at least one to divide by"
        )
    return float(probability.mean() / outcomes.mean())


def auc(y: Outcomes, p: Probabilities) -> float:
    """Chance that a random 1 scores above a random 0; ties count one half.

    ``auc = (sum of the ranks of the 1s - n1 (n1 + 1) / 2) / (n1 n0)``

    Raises:
        InputError: all outcomes are equal.

    Source: the Mann-Whitney U form; Fawcett, Pattern Recognition Letters 2006, section 7.

    Example:
        >>> auc(np.array([1, 0, 1, 0]), np.array([0.9, 0.1, 0.5, 0.5]))
        0.875
    """
    outcomes, probability = _checked(y, p)
    _mixed_rate(outcomes, "auc")
    ones = outcomes == 1
    n1, n0 = int(ones.sum()), int((~ones).sum())
    # mid-ranks by hand: importing scipy.stats for them would take longer than all of `ask`'s other imports
    _, tie, sizes = np.unique(probability, return_inverse=True, return_counts=True)
    mid_rank = np.cumsum(sizes) - (sizes - 1) / 2
    return float((mid_rank[tie][ones].sum() - n1 * (n1 + 1) / 2) / (n1 * n0))


def ece_equal_mass(y: Outcomes, p: Probabilities, bins: int = 15) -> float:
    """Expected calibration error over bins that hold equally many predictions.

    ``ece = sum_b n_b / n * |mean(p in b) - mean(y in b)|``

    Predictions are sorted (ties in their given order) and cut into ``bins`` runs whose sizes differ
    by at most one; with fewer predictions than bins every prediction is its own bin.

    Args:
        y: outcomes.
        p: probabilities.
        bins: number of bins, at least 1.

    Source: Nguyen & O'Connor, EMNLP 2015 (adaptive bins); Naeini et al., AAAI 2015 (the error).

    Example:
        >>> round(ece_equal_mass(np.array([0, 0, 1, 1]), np.array([0.1, 0.3, 0.7, 0.9]), bins=2), 4)
        0.2
    """
    outcomes, probability = _checked(y, p)
    order = np.argsort(probability, kind="stable")
    bin_of = np.empty(order.size, dtype=np.int64)
    bin_of[order] = np.arange(order.size) * _bins(bins) // order.size
    return _binned_error(outcomes, probability, bin_of, bins)


def ece_equal_width(y: Outcomes, p: Probabilities, bins: int = 15) -> float:
    """Expected calibration error over bins of equal width: ``b = floor(p * bins)``, 1 in the last.

    ``ece = sum_b n_b / n * |mean(p in b) - mean(y in b)|``

    Args:
        y: outcomes.
        p: probabilities.
        bins: number of bins, at least 1.

    Source: Guo et al., ICML 2017, eq. 3 (their bins are closed on the right; ours on the left).

    Example:
        >>> round(ece_equal_width(np.array([0, 0, 1, 1]), np.array([0.1, 0.3, 0.7, 0.9]), bins=2), 4)
        0.2
    """
    outcomes, probability = _checked(y, p)
    bin_of = np.minimum((probability * _bins(bins)).astype(np.int64), bins - 1)
    return _binned_error(outcomes, probability, bin_of, bins)


def _binned_error(
    outcomes: Float64[np.ndarray, " n"],
    probability: Float64[np.ndarray, " n"],
    bin_of: Int64[np.ndarray, " n"],
    bins: int,
) -> float:
    # n_b |mean(p) - mean(y)| = |sum(p - y)|, so the bins' sizes cancel
    gap = np.bincount(bin_of, weights=probability - outcomes, minlength=bins)
    return float(np.abs(gap).sum() / outcomes.size)


def _bins(bins: int) -> int:
    if bins < 1:
        raise InputError(f"bins = {bins}; expected at least 1 (15 is usual)")
    return bins


def _mixed_rate(outcomes: Float64[np.ndarray, " n"], metric: str) -> float:
    rate = float(outcomes.mean())
    if rate in (0.0, 1.0):
        raise InputError(f"{metric}: all {outcomes.size} outcomes are {int(rate)}; expected both 0 and 1")
    return rate


def _checked(y: Outcomes, p: Probabilities) -> tuple[Float64[np.ndarray, " n"], Float64[np.ndarray, " n"]]:
    if y.shape != p.shape or y.size == 0:
        raise InputError(
            f"found {y.size} outcomes and {p.size} probabilities; expected equally many, at least one"
        )
    outcomes, probability = y.astype(np.float64), p.astype(np.float64)
    if not np.isin(outcomes, (0.0, 1.0)).all():
        bad = outcomes[~np.isin(outcomes, (0.0, 1.0))][0]
        raise InputError(f"outcome {bad}; expected 0 or 1")
    if not ((probability >= 0) & (probability <= 1)).all():
        bad = probability[~((probability >= 0) & (probability <= 1))][0]
        raise InputError(f"probability {bad}; expected a number in [0, 1], not a logit or NaN")
    return outcomes, probability
