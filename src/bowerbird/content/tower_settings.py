"""The dials of the item tower. Without torch: the plan of a build reads them to know what a tower is made with."""

from __future__ import annotations

from pydantic import Field

from bowerbird.config import Settings

__all__ = ["CATALOGUE_SETTINGS", "NEIGHBOUR_SETTINGS", "UnifiedSettings"]


class UnifiedSettings(Settings):
    """The dials of the training."""

    dim: int = Field(default=256, ge=64, le=1024, multiple_of=64)
    """Width of the vectors."""
    epochs: int = Field(default=20, ge=1, le=1000)
    """Passes over the items."""
    batch: int = Field(default=1500, ge=16, le=65536)
    """Items in a step; all of a batch are each other's negatives."""
    learning_rate: float = Field(default=2e-3, gt=0)
    """Peak of a warm-up and cosine schedule."""
    tuned_rate: float = Field(default=3e-4, gt=0)
    """Peak for the layers of encoders that learn too."""
    weight_decay: float = Field(default=0.05, ge=0)
    """Decay of matrices."""
    dropout: float = Field(default=0.4, ge=0, lt=1)
    """Share of each input vector left out."""
    word_dropout: float = Field(default=0.3, ge=0, lt=1)
    """Share of the words left out."""
    texts: int = Field(default=2, ge=1, le=16)
    """Texts of an item used in a step."""
    asked_share: float = Field(default=0.0, ge=0, le=1)
    """Share of the texts of a step that are seen as a query is: nothing of them but what :attr:`Pairs.asked` names."""
    neighbour_weight: float = Field(default=1.0, ge=0)
    """Weight of the neighbour loss beside the picture-words loss."""
    log_q: float = Field(default=1.0, ge=0, le=1)
    """How far the neighbour loss is corrected for how often an item is a target: with 1 a popular one is not pushed away for it."""
    hard_negatives: float = Field(default=0.0, ge=0, le=1)
    """Share of a step's neighbour pairs that bring a look-alike that is not kept together with them as one more negative."""
    narrow_weight: float = Field(default=0.5, ge=0)
    """Weight of the losses of narrower vectors beside that of the whole."""
    soft_share: float = Field(default=0.5, ge=0, lt=1)
    """Share of each pair's target that is spread over pairs whose texts mean nearly the same."""
    plain: bool = False
    """Only the sum of linear projections, without attention and hidden layer: the baseline."""
    held_out: float = Field(default=0.05, ge=0, le=0.5)
    """Share of the items held back to choose the best epoch; 0 keeps the last."""


CATALOGUE_SETTINGS = UnifiedSettings(epochs=12, texts=1, asked_share=0.3)
"""A catalogue's own words repeat more than captions do: more passes only learn them by heart. Part of the texts is seen as
queries come."""
NEIGHBOUR_SETTINGS = UnifiedSettings(
    epochs=4, batch=500, learning_rate=4e-3, neighbour_weight=2.0, texts=1, asked_share=0.3, held_out=0.0
)
"""For a few passes more, with what people keep together. Chosen on items hidden and queries held back inside the training
window of the demo world (docs/log.md)."""
