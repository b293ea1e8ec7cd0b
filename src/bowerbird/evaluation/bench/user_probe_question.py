"""What a row of the user probe learns from and is asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int64

from bowerbird.evaluation.bench.user_probe_tasks import Task

__all__ = ["MOMENTS", "Lesson", "Predict", "Question"]

MOMENTS = 4
"""Moments that teach, a horizon apart; fewer where the log is shorter."""


@dataclass(frozen=True)
class Lesson:
    """What happened after one moment to people whose vectors before it are known."""

    as_of: int
    people: Int64[np.ndarray, "example"]
    targets: Float32[np.ndarray, "example label"]


@dataclass(frozen=True)
class Question:
    """What a row learns from and is asked, for one task."""

    task: Task
    lessons: tuple[Lesson, ...]
    """Newest first: the :data:`MOMENTS` that teach, then one more for choosing settings, where the log has them."""
    as_of: int
    people: Int64[np.ndarray, "person"]
    """People asked about at that moment; none of them is in a lesson."""


Predict = Callable[[Question], Float32[np.ndarray, "person label"]]
