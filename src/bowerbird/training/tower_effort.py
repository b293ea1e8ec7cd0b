"""How large the steps and how many the passes of a tower's training are, for sets of any size."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["LEAST_TUNED", "TowerEffort", "tower_effort"]

LEAST_TUNED = 3000
"""Pictures to train on from which encoders learn too: with 1,500 nothing was gained, with 6,000 much (docs/log.md)."""
LEAST_BATCH, MOST_BATCH = 64, 1500
MOST_TUNED_BATCH = 500
"""Pictures in a step while encoders are tuned: their places take memory."""
TUNED_STEPS = 150
"""Steps a tuning should have: a large set has fewer passes, but at least four."""
EPOCHS, LEAST_TUNED_EPOCHS, MOST_TUNED_EPOCHS = 20, 4, 30


@dataclass(frozen=True)
class TowerEffort:
    """The two dials."""

    batch: int
    """Pictures in a step."""
    epochs: int
    """Passes over all of them."""


def tower_effort(items: int, *, tuned: bool) -> TowerEffort:
    """Batch and epochs for a number of items to train on.

    A small set is cut into smaller steps, so that it has enough of them.

    Args:
        items: how many there are.
        tuned: the encoders' last layers learn too.

    Example:
        >>> tower_effort(6000, tuned=False), tower_effort(6000, tuned=True)
        (TowerEffort(batch=1500, epochs=20), TowerEffort(batch=500, epochs=12))
        >>> tower_effort(300, tuned=True), tower_effort(20_000, tuned=True)
        (TowerEffort(batch=64, epochs=30), TowerEffort(batch=500, epochs=4))
    """
    if not tuned:
        return TowerEffort(batch=min(max(items // 4, LEAST_BATCH), MOST_BATCH), epochs=EPOCHS)
    batch = min(max(items // 8, LEAST_BATCH), MOST_TUNED_BATCH)
    passes = TUNED_STEPS // -(-max(items, 1) // batch)
    return TowerEffort(batch=batch, epochs=min(max(passes, LEAST_TUNED_EPOCHS), MOST_TUNED_EPOCHS))
