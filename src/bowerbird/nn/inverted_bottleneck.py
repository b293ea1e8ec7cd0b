"""A small fixed network of inverted bottlenecks: the probe that grades vectors of people, all of them alike."""

from __future__ import annotations

import torch
from torch import nn


class InvertedBottleneck(nn.Module):
    """``x + W2 gelu(W1 norm(x))`` with an inner width larger than the outer.

    Args:
        dim: outer width.
        inner: inner width.
        dropout: share of inner values dropped in training.
    """

    def __init__(self, dim: int, inner: int, dropout: float) -> None:
        super().__init__()
        self.inside = nn.Sequential(
            nn.LayerNorm(dim), nn.Linear(dim, inner), nn.GELU(), nn.Dropout(dropout), nn.Linear(inner, dim)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Values of the same shape."""
        return x + self.inside(x)


class ProbeNetwork(nn.Module):
    """Vector in, one value per output: an entrance, blocks of inverted bottlenecks, an exit.

    Source: the evaluation model of the RecSys Challenge 2025 (Synerise), three inverted bottlenecks of 2048 / 4096,
    made smaller: two of 128 / 256.

    Args:
        dim: width of the vectors.
        outputs: values predicted.
        hidden: outer width of the blocks; the inner one is twice that.
        blocks: how many blocks.
        dropout: share of values dropped in training, at the entrance and inside.
    """

    def __init__(
        self, dim: int, outputs: int, hidden: int = 128, blocks: int = 2, dropout: float = 0.3
    ) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(dim, hidden),
            *(InvertedBottleneck(hidden, 2 * hidden, dropout) for _ in range(blocks)),
            nn.LayerNorm(hidden),
            nn.Linear(hidden, outputs),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits, ``(batch, outputs)``."""
        return self.layers(x)
