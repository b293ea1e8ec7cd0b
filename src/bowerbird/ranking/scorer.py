"""What a scorer is: calibrated probabilities of actions for candidates in a context."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, Int32

from bowerbird.records.request import Context


@runtime_checkable
class Scorer(Protocol):
    """Gives each candidate a probability per action. A candidate's score never depends on the others."""

    @property
    def actions(self) -> tuple[str, ...]:
        """The actions it predicts."""
        ...

    def features(self, context: Context, rows: Int32[np.ndarray, "n"]) -> Float32[np.ndarray, "n feature"]:
        """The numbers it reads of candidates: what a change of release must not move."""
        ...

    def probabilities(
        self,
        context: Context,
        rows: Int32[np.ndarray, "n"],
        positions: Int32[np.ndarray, "n"] | None = None,
    ) -> Mapping[str, Float32[np.ndarray, "n"]]:
        """Calibrated probability of each action, were the item shown at a position; the top unless said."""
        ...
