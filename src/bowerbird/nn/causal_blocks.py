"""Blocks over a sequence that read only what came before: attention, plain and gated.

Sequences are padded on the right. A causal block never reads to the right, so padding needs no
mask and changes nothing.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from bowerbird.nn.causal_attention import causal_attention
from bowerbird.nn.causal_filter import causal_filter
from bowerbird.nn.dropout import Dropout, MaskStream

__all__ = ["AttentionBlock", "GatedBlock", "Places", "by_distance"]

FILTER_REACH = 16
"""Distances a filter of :class:`GatedBlock` covers; attention reaches further."""
DROPPED_REACH = 64
"""Up to this reach a gated block also drops weights of attention; beyond, dropping costs as much as attending."""


class Places:
    """What blocks need to know of the positions of a batch: who may read whom, and how far apart they are.

    Args:
        length: positions of the batch.
        device: where the tensors live.
    """

    def __init__(self, length: int, device: torch.device) -> None:
        place = torch.arange(length, device=device)
        future = place[None, :] > place[:, None]
        self.mask = torch.zeros((length, length), device=device).masked_fill_(future, float("-inf"))
        """Added to attention's logits: ``-inf`` where a position would read its future."""


def by_distance(bias: Tensor, length: int) -> Tensor:
    """``M_ij = bias_(i - j)`` for ``j <= i``, per head; what lies beyond the last distance shares its value.

    Args:
        bias: head x distance.
        length: positions.

    Returns:
        head x position x position; what stands for the future is of no meaning.

    Example:
        >>> by_distance(torch.tensor([[1.0, 2.0]]), 3)[0].tril().tolist()
        [[1.0, 0.0, 0.0], [2.0, 1.0, 0.0], [2.0, 2.0, 1.0]]
    """
    heads, reach = bias.shape
    far = bias[:, -1:].expand(heads, max(0, length - reach))
    falling = torch.cat([bias[:, :length], far], dim=1).flip(1)
    # a row is the row before, moved by one: a window that slides, where indexing would be slow to undo
    row = torch.cat([falling, falling.new_zeros((heads, length - 1))], dim=1)
    return row.unfold(1, length, 1).flip(1)


def _linear(dim_in: int, dim_out: int) -> nn.Linear:
    layer = nn.Linear(dim_in, dim_out)
    nn.init.xavier_normal_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


class _Attention(nn.Module):
    def __init__(self, dim: int, heads: int, drop: Dropout, reach: int | None) -> None:
        super().__init__()
        self._heads = heads
        self.project = _linear(dim, 3 * dim)
        self.out = _linear(dim, dim)
        self.drop = drop
        self.bias = nn.Parameter(torch.zeros(heads, reach)) if reach else None

    def forward(self, x: Tensor, places: Places) -> Tensor:
        batch, length, _ = x.shape
        added = places.mask[None]
        if self.bias is not None:
            added = added + by_distance(self.bias, length)
        kept = self.drop.factors((batch, self._heads, length, length), x)
        return self.out(causal_attention(self.project(x), added.to(x.dtype), self._heads, kept))


class AttentionBlock(nn.Module):
    """SASRec's block, norms first: ``x + A(N(x))``, then ``x + F(N(x))``.

    Args:
        dim: width of the vectors.
        heads: heads of attention; ``dim`` is a multiple.
        rate: dropout rate.
        masks: the model's dropout stream.

    Source: Kang & McAuley, ICDM 2018; GELU and a feed-forward of 4 x dim as in RecTools' version.
    """

    def __init__(self, dim: int, heads: int, rate: float, masks: MaskStream) -> None:
        super().__init__()
        self.first, self.second = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attention = _Attention(dim, heads, Dropout(rate, masks), None)
        self.widen, self.narrow = _linear(dim, 4 * dim), _linear(4 * dim, dim)
        self.drop = Dropout(rate, masks)

    def forward(self, x: Tensor, places: Places) -> Tensor:
        """Hidden vectors, batch x position x dim, of the same."""
        x = x + self.drop(self.attention(self.first(x), places))
        return x + self.drop(self.narrow(self.drop(functional.gelu(self.widen(self.second(x))))))


class GatedBlock(nn.Module):
    """Attention with a learnt bias per distance beside a causal filter, both behind gates.

    ``x + (A(N(x)) + e^a * C(N(x))) * sigma(G x)``, then ``x + S(N(x)) * sigma(G' x)``. ``C`` is a filter per
    channel over distances, ``C(x)_t = sum_d k_d x_(t-d)``, which begins as an exponential decay: what
    came last counts most, the prior that sparse data rewards. ``S`` is a SwiGLU.

    Args:
        dim: width of the vectors.
        heads: heads of attention; ``dim`` is a multiple.
        rate: dropout rate.
        reach: distances with a bias of their own; the filter sees :data:`FILTER_REACH` of them.
        masks: the model's dropout stream.

    Source: gates and SwiGLU after LiGR (Borisyuk et al., 2025, arXiv 2502.03417) and HSTU (Zhai et al.,
    ICML 2024); the filter stands for the frequency layer of BSARec (Shin et al., AAAI 2024), made
    causal so that every position is a target.
    """

    def __init__(self, dim: int, heads: int, rate: float, reach: int, masks: MaskStream) -> None:
        super().__init__()
        self.first, self.second = nn.LayerNorm(dim), nn.LayerNorm(dim)
        weights_rate = rate if reach <= DROPPED_REACH else 0.0
        self.attention = _Attention(dim, heads, Dropout(weights_rate, masks), reach)
        decay = 0.5 ** torch.arange(FILTER_REACH, dtype=torch.float32) * 0.5
        self.filter = nn.Parameter(decay[:, None].repeat(1, dim))
        self.share = nn.Parameter(torch.zeros(dim))
        self.gate, self.second_gate = _linear(dim, dim), _linear(dim, dim)
        self.widen, self.narrow = _linear(dim, 4 * dim), _linear(2 * dim, dim)
        self.drop = Dropout(rate, masks)

    def forward(self, x: Tensor, places: Places) -> Tensor:
        """Hidden vectors, batch x position x dim, of the same."""
        y = self.first(x)
        read = self.attention(y, places) + causal_filter(y, self.filter * self.share.exp())
        x = x + self.drop(read) * torch.sigmoid(self.gate(x))
        signal, gate = self.widen(self.second(x)).chunk(2, -1)
        wide = self.drop(functional.silu(signal) * gate)
        return x + self.drop(self.narrow(wide)) * torch.sigmoid(self.second_gate(x))
