"""How far a number may be off because other users could have been sampled.

All functions take one value per user (or query). Comparing two models on the same users should
use :func:`paired_bootstrap`: the users' own luck cancels in the difference.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64, Int

from bowerbird.errors import InputError
from bowerbird.randomness import generator

__all__ = ["Interval", "bootstrap_interval", "paired_bootstrap", "standard_error"]

Values = Float[np.ndarray, " user"] | Int[np.ndarray, " user"] | Bool[np.ndarray, " user"]

Others = Float[np.ndarray, " other"] | Int[np.ndarray, " other"] | Bool[np.ndarray, " other"]

BLOCK_VALUES = 4_000_000
"""Values drawn at once by the bootstrap: about 64 MB of places and values."""


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with the interval that holds it at the stated level."""

    estimate: float
    low: float
    high: float
    level: float

    def apart_from(self, value: float) -> bool:
        """True when the interval does not hold the value, e.g. 0 for a difference."""
        return not self.low <= value <= self.high


def standard_error(values: Values) -> float:
    """Standard error of the mean: ``sd(values) / sqrt(n)`` with the ``n - 1`` form of sd.

    Args:
        values: one value per user, at least 2.

    Raises:
        InputError: fewer than 2 values.

    Example:
        >>> standard_error(np.array([0.0, 1.0, 0.0, 1.0])) == (1 / 3) ** 0.5 / 2
        True
    """
    if values.size < 2:
        raise InputError(f"standard_error: found {values.size} values; expected at least 2")
    return float(values.astype(np.float64).std(ddof=1) / np.sqrt(values.size))


def bootstrap_interval(values: Values, seed: int, level: float = 0.95, resamples: int = 1000) -> Interval:
    """Percentile bootstrap interval of the mean over users.

    ``[q_a, q_{1-a}]`` of the means of ``resamples`` samples with replacement, ``a = (1 - level) / 2``.

    Args:
        values: one value per user.
        seed: decides the resamples.
        level: coverage, in (0, 1).
        resamples: how many samples, at least 1.

    Raises:
        InputError: no values, or ``level`` or ``resamples`` out of range.

    Cost: O(n * resamples) in blocks of bounded memory.

    Source: Efron & Tibshirani, An Introduction to the Bootstrap, 1993, section 13.3.

    Example:
        >>> interval = bootstrap_interval(np.arange(100) / 99, seed=7)
        >>> interval.low < 0.5 < interval.high
        True
    """
    if values.size == 0:
        raise InputError("bootstrap: found 0 values; expected at least 1")
    if not 0 < level < 1 or resamples < 1:
        raise InputError(
            f"bootstrap: level = {level}, resamples = {resamples}; expected level in (0, 1), resamples >= 1"
        )
    means = _resampled_means(values.astype(np.float64), seed, resamples)
    tail = (1 - level) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return Interval(float(values.mean()), float(low), float(high), level)


def paired_bootstrap(
    ours: Values, theirs: Others, seed: int, level: float = 0.95, resamples: int = 1000
) -> Interval:
    """Bootstrap interval of ``mean(ours - theirs)`` over the same users.

    Args:
        ours: one value per user of the first model.
        theirs: the second model's value for the same user in the same place.
        seed: decides the resamples.
        level: coverage, in (0, 1).
        resamples: how many samples.

    Raises:
        InputError: the numbers of users differ.

    Example:
        >>> ours, theirs = np.array([0.6, 0.4, 0.9]), np.array([0.5, 0.3, 0.8])
        >>> paired_bootstrap(ours, theirs, seed=7).apart_from(0.0)
        True
    """
    if ours.shape != theirs.shape:
        raise InputError(
            f"paired_bootstrap: found {ours.size} and {theirs.size} values; expected the same users in the same order"
        )
    return bootstrap_interval(ours.astype(np.float64) - theirs, seed, level, resamples)


def _resampled_means(
    values: Float64[np.ndarray, " user"], seed: int, resamples: int
) -> Float64[np.ndarray, " resample"]:
    random = generator(seed, "bootstrap")
    block = max(1, BLOCK_VALUES // values.size)
    means = np.empty(resamples)
    for start in range(0, resamples, block):
        stop = min(start + block, resamples)
        means[start:stop] = values[random.integers(values.size, size=(stop - start, values.size))].mean(
            axis=1
        )
    return means
