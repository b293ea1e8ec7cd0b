"""Prevalence: which share of what people see breaks a rule, from a few labels, without bias.

Items are drawn with replacement with chance proportional to impressions times a risk score, mixed with
impressions alone so that what no score finds is found too. A draw's weight undoes its chance, so the mean of
``label x weight`` is the share of impressions that are bad whatever the score is worth; a good score only narrows
the interval.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64
from scipy.stats import beta

from bowerbird.errors import InputError
from bowerbird.randomness import generator

__all__ = ["Prevalence", "PrevalenceSample", "estimated_prevalence", "prevalence_sample"]

BLIND_SHARE = 0.2
"""Part of the draws that ignores the risk: no weight exceeds one over it."""
CONFIDENCE = 0.95


@dataclass(frozen=True)
class PrevalenceSample:
    """What people are to label: each drawn item once."""

    rows: Int64[np.ndarray, "drawn"]
    draws: Int64[np.ndarray, "drawn"]
    """How often each was drawn."""
    weights: Float64[np.ndarray, "drawn"]
    """Share of impressions over chance of a draw; at most 1 / :data:`BLIND_SHARE`."""


@dataclass(frozen=True)
class Prevalence:
    """An estimated share of impressions, with its 95 % interval."""

    share: float
    low: float
    high: float
    draws: int
    bad_draws: int
    effective: float
    """Size of a plain sample of impressions that would be as precise."""


def prevalence_sample(
    impressions: Float64[np.ndarray, "item"], risk: Float64[np.ndarray, "item"], draws: int, seed: int
) -> PrevalenceSample:
    """Draw items to label.

    Args:
        impressions: how often each item was seen, at least 0; those never seen are never drawn.
        risk: how likely each breaks the rule, in [0, 1]; NaN where nobody scored it, read as the mean.
        draws: how many draws.
        seed: decides which.

    Raises:
        InputError: nothing was seen, or a number is out of range.

    Source: Hansen and Hurwitz 1943 (the estimator); Owen and Zhou 2000 (the mixture that bounds weights).
    """
    if draws < 2:
        raise InputError(f"prevalence: {draws} draws; expected at least 2, 200 for a useful interval")
    if not np.isfinite(impressions).all() or (impressions < 0).any() or impressions.sum() <= 0:
        raise InputError("prevalence: expected impressions of at least 0, and one item that was seen")
    known = ~np.isnan(risk)
    if (risk[known] < 0).any() or (risk[known] > 1).any():
        raise InputError("prevalence: a risk is outside [0, 1]")
    middle = float(np.average(risk[known])) if known.any() else 1.0
    seen = impressions / impressions.sum()
    steered = seen * np.where(known, risk, middle)
    chance = seen
    if steered.sum() > 0:
        chance = BLIND_SHARE * seen + (1 - BLIND_SHARE) * steered / steered.sum()
    times = generator(seed, "prevalence").multinomial(draws, chance / chance.sum())
    rows = np.flatnonzero(times)
    return PrevalenceSample(rows, times[rows].astype(np.int64), seen[rows] / chance[rows])


def estimated_prevalence(
    bad: Bool[np.ndarray, "drawn"], draws: Int64[np.ndarray, "drawn"], weights: Float64[np.ndarray, "drawn"]
) -> Prevalence:
    """The share of impressions that are bad.

    With z = label x weight of each of the n draws: ``share = mean(z)``, ``variance = sum((z - share)^2) / (n (n - 1))``.
    The interval is Clopper and Pearson's for a plain sample of the size that has this variance: near 0, where
    prevalence lies, a normal interval promises too much. Without any bad draw the size is Kish's, from the weights.

    Args:
        bad: label of each drawn item.
        draws: how often each was drawn.
        weights: as the sample gave them.

    Raises:
        InputError: there are fewer than two draws.

    Example:
        >>> found = estimated_prevalence(np.array([True, False]), np.array([5, 45]), np.ones(2))
        >>> found.share, round(found.low, 2), round(found.high, 2)
        (0.1, 0.03, 0.22)

    Source: Korn and Graubard 1998 (the interval), without their correction for strata.
    """
    count = int(draws.sum())
    if count < 2:
        raise InputError(f"prevalence: {count} labelled draws; expected at least 2")
    z = bad * weights
    share = float(np.average(z, weights=draws))
    variance = float((draws * (z - share) ** 2).sum()) / (count * (count - 1))
    known = min(share, 1.0)
    if 0 < known < 1 and variance > 0:
        effective = known * (1 - known) / variance
    else:
        effective = float((draws * weights).sum() ** 2 / (draws * weights**2).sum())
    hits, tail = known * effective, (1 - CONFIDENCE) / 2
    low = float(beta.ppf(tail, hits, effective - hits + 1)) if hits > 0 else 0.0
    high = float(beta.ppf(1 - tail, hits + 1, effective - hits)) if effective > hits else 1.0
    return Prevalence(share, low, high, count, int(draws[bad].sum()), effective)
