"""How much memory a training run will take, told before it starts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bowerbird.telemetry import require_memory
from bowerbird.training.losses import CHUNK_LOGITS

__all__ = ["TrainingShape", "refuse_too_large", "training_bytes"]

_COPIES = 7
"""Of each weight: itself, its gradient, two moments of AdamW, the average, the best, one in passing."""
_PER_PLACE = 40
"""Vectors of width dim kept per place and block for the way back."""


@dataclass(frozen=True, kw_only=True)
class TrainingShape:
    """What decides the memory of training a sequence encoder."""

    items: int
    dim: int
    blocks: int
    heads: int
    tokens: int
    """Places of a padded batch."""
    length: int
    """Positions of a window."""
    negatives: int
    """Of the sampled loss; 0: full cross-entropy."""


def training_bytes(shape: TrainingShape) -> dict[str, int]:
    """Bytes by what they are for: weights, activations, attention, logits."""
    wide = shape.tokens * shape.blocks
    return {
        "items x dim": 4 * _COPIES * shape.items * shape.dim,
        "tokens x dim x blocks": 4 * _PER_PLACE * wide * shape.dim,
        "tokens x length x heads": 4 * 4 * wide * shape.length * shape.heads,
        "negatives": 4 * 3 * shape.tokens * shape.negatives if shape.negatives else 4 * CHUNK_LOGITS,
    }


def refuse_too_large(
    shape: TrainingShape, what: str = "training", available: Callable[[], int] | None = None
) -> None:
    """Say before the start that a run will not fit, and what to lower; ``what`` begins the message.

    Raises:
        TooLargeError: the estimate is above what is available.
    """
    lower = {
        "items x dim": f"lower dim ({shape.dim}), or keep fewer items ({shape.items:,})",
        "tokens x dim x blocks": f"lower dim ({shape.dim}) or blocks ({shape.blocks})",
        "tokens x length x heads": f"lower length ({shape.length}) or heads ({shape.heads})",
        "negatives": f"lower negatives ({shape.negatives})",
    }
    parts = {name: (size, lower[name]) for name, size in training_bytes(shape).items()}
    require_memory(what, parts, available)
