"""What a row of the user probe learns from and is asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int64

from bowerbird.evaluation.bench.user_probe_tasks import Task

__all__ = ["Predict", "Question"]


@dataclass(frozen=True)
class Question:
    """What a row learns from and is asked, for one task."""

    task: Task
    teachers: Int64[np.ndarray, "example"]
    """People whose days after the earlier moment are known."""
    targets: Float32[np.ndarray, "example label"]
    people: Int64[np.ndarray, "person"]
    """People asked about, at the later moment."""


Predict = Callable[[Question], Float32[np.ndarray, "person label"]]
