"""The dials of the long-term vector. Without torch: the plan of a build reads them to know what a vector is made with."""

from __future__ import annotations

from pydantic import Field

from bowerbird.config import Settings

__all__ = ["LongTermSettings"]


class LongTermSettings(Settings):
    """The long-term encoder and how it is trained."""

    future_days: float | None = Field(default=28.0, gt=0)
    """Days after a position from which its target is drawn; None: the next action only."""
    dim: int = Field(default=64, ge=8, le=512)
    """Width of the vector."""
    blocks: int = Field(default=2, ge=1, le=8)
    """Blocks of attention."""
    heads: int = Field(default=2, ge=1, le=8)
    """Heads of attention; the width is a multiple."""
    length: int = Field(default=64, ge=4, le=1024)
    """Newest actions read."""
    positions: int = Field(default=12, ge=1)
    """Positions of a sequence asked in one step, drawn anew each time: so busy people do not count more."""
    negatives: int = Field(default=512, ge=16)
    """Items a target is told from, half of the batch's targets, half drawn uniformly."""
    dropout: float = Field(default=0.3, ge=0.0, lt=1.0)
    """Share of values dropped in training."""
    id_dropout: float = Field(default=0.2, ge=0.0, lt=1.0)
    """Share of items that go by their content alone in a step of training, where they have content."""
    epochs: int = Field(default=10, ge=1)
    """Epochs of training."""
    tokens: int = Field(default=2048, ge=64)
    """Places of a batch."""
    learning_rate: float = Field(default=4e-3, gt=0.0)
    """The largest step size."""
