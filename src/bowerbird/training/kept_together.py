"""Training a tower on with what people keep together: the neighbour loss beside the one it was trained with.

A few passes from the weights of a tower of content: what pictures and words mean is known, and only how near things are that
go together is learnt. That is several times cheaper than a training from nothing, and events can be learnt anew while the
tower of content stays.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bowerbird.content.neighbour_pairs import look_alikes
from bowerbird.content.tower_settings import NEIGHBOUR_SETTINGS, UnifiedSettings
from bowerbird.content.unified import UnifiedTower
from bowerbird.records.signal import Vectors
from bowerbird.telemetry import SILENT, Progress
from bowerbird.training.unified import Pairs, TrainedTower, train_unified

__all__ = ["trained_on_neighbours"]


def trained_on_neighbours(
    start: UnifiedTower,
    pairs: Pairs,
    seed: int,
    settings: UnifiedSettings = NEIGHBOUR_SETTINGS,
    *,
    toward: Vectors | None = None,
    checkpoint: Path | None = None,
    progress: Progress = SILENT,
) -> TrainedTower:
    """A tower that also brings together what is kept together.

    Args:
        start: the tower of content.
        pairs: what it was trained on, with neighbours.
        seed: of batches and dropout.
        settings: the dials; the width is the tower's.
        toward: vectors to stay comparable with, see :func:`~bowerbird.training.unified.train_unified`.
        checkpoint: where to keep the state; None keeps nothing.
        progress: shows epochs.

    Raises:
        InputError: the tower reads something else than the pairs hold.
        NotReadyError: too little is kept together.
    """
    dials = settings.model_copy(update={"dim": start.dim})
    if dials.hard_negatives:
        seen = start.project(pairs.seen).matrix
        neighbours = replace(pairs.neighbours, look_alikes=look_alikes(seen, pairs.neighbours))
        pairs = replace(pairs, neighbours=neighbours)
    return train_unified(
        pairs, dials, seed, start=start, toward=toward, checkpoint=checkpoint, progress=progress
    )
