"""Seasons: words that are liked more around a day of the year."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from bowerbird.clock import DAY_US

YEAR_DAYS = 365.2425


@dataclass(frozen=True)
class Season:
    """A season of the year.

    Attributes:
        name: what it is called.
        words: items with one of these words belong to it.
        peak_day: days after 1 January.
        width_days: standard deviation of its bell curve.
        height: logits added at the peak.
    """

    name: str
    words: frozenset[str]
    peak_day: float
    width_days: float
    height: float


SEASONS = (
    Season(
        "holidays",
        frozenset({"christmas", "santa", "claus", "gift", "ribbon", "elf", "snowflake"}),
        356.0,
        12.0,
        2.0,
    ),
    Season(
        "new year",
        frozenset({"fireworks", "party", "champagne", "clinking", "confetti", "bottle"}),
        364.0,
        6.0,
        1.8,
    ),
    Season(
        "winter",
        frozenset({"snow", "snowman", "ice", "ski", "skier", "snowboarder", "cold", "scarf"}),
        15.0,
        25.0,
        1.0,
    ),
    Season(
        "spring",
        frozenset({"blossom", "tulip", "butterfly", "rabbit", "chick", "hatching"}),
        100.0,
        25.0,
        1.2,
    ),
    Season(
        "summer", frozenset({"beach", "sun", "umbrella", "swimming", "cream", "watermelon"}), 200.0, 30.0, 1.2
    ),
    Season(
        "halloween",
        frozenset({"jack", "ghost", "bat", "spider", "skull", "vampire", "zombie"}),
        303.0,
        8.0,
        1.8,
    ),
)


def season_membership(words: Sequence[frozenset[str]]) -> Float32[np.ndarray, "item season"]:
    """1 where an item has a word of the season.

    Example:
        >>> season_membership([frozenset({"santa"}), frozenset({"cat"})])[:, 0].tolist()
        [1.0, 0.0]
    """
    rows = [[float(not season.words.isdisjoint(bag)) for season in SEASONS] for bag in words]
    return np.array(rows, dtype=np.float32).reshape(len(words), len(SEASONS))


def season_strength(at: int) -> Float32[np.ndarray, "season"]:
    """Logits each season adds at a time: ``height * exp(-d^2 / (2 width^2))``, ``d`` = days from the peak.

    Args:
        at: microseconds UTC.
    """
    day = (at / DAY_US) % YEAR_DAYS
    strength = []
    for season in SEASONS:
        apart = abs(day - season.peak_day)
        apart = min(apart, YEAR_DAYS - apart)
        strength.append(season.height * np.exp(-0.5 * (apart / season.width_days) ** 2))
    return np.array(strength, dtype=np.float32)
