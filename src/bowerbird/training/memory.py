"""How much memory a training run will take, told before it starts."""

from __future__ import annotations

from collections.abc import Callable

from bowerbird.telemetry import require_memory
from bowerbird.training.losses import CHUNK_LOGITS

__all__ = ["refuse_too_large", "training_bytes"]

_COPIES = 7
"""Of each weight: itself, its gradient, two moments of AdamW, the average, the best, one in passing."""
_PER_PLACE = 40
"""Vectors of width dim kept per place and block for the way back."""


def training_bytes(
    *, items: int, dim: int, blocks: int, heads: int, tokens: int, length: int, negatives: int
) -> dict[str, int]:
    """Bytes by what they are for: weights, activations, attention, logits."""
    return {
        "items x dim": 4 * _COPIES * items * dim,
        "tokens x dim x blocks": 4 * _PER_PLACE * tokens * dim * blocks,
        "tokens x length x heads": 4 * 4 * tokens * length * heads * blocks,
        "negatives": 4 * 3 * tokens * negatives if negatives else 4 * CHUNK_LOGITS,
    }


def refuse_too_large(
    *,
    items: int,
    dim: int,
    blocks: int,
    heads: int,
    tokens: int,
    length: int,
    negatives: int,
    what: str = "training",
    available: Callable[[], int] | None = None,
) -> None:
    """Say before the start that a run will not fit, and what to lower; ``what`` begins the message.

    Raises:
        TooLargeError: the estimate is above what is available.
    """
    parts = training_bytes(
        items=items, dim=dim, blocks=blocks, heads=heads, tokens=tokens, length=length, negatives=negatives
    )
    lower = {
        "items x dim": f"lower dim ({dim}), or keep fewer items ({items:,})",
        "tokens x dim x blocks": f"lower dim ({dim}) or blocks ({blocks})",
        "tokens x length x heads": f"lower length ({length}) or heads ({heads})",
        "negatives": f"lower negatives ({negatives})",
    }
    require_memory(what, {name: (size, lower[name]) for name, size in parts.items()}, available)
