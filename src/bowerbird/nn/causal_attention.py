"""Causal attention with its gradient written out: fewer passes over the weights, and no weight of the future.

Rows are taken in strips, and a strip multiplies only the keys it may read, so a long sequence costs little
more than half of the square. A bias per distance goes in as a matrix to add, which the fused kernels of
torch cannot differentiate.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

__all__ = ["causal_attention"]

STRIP = 64
"""Rows of a strip."""


def causal_attention(joined: Tensor, added: Tensor, heads: int, kept: Tensor | None = None) -> Tensor:
    """``softmax(q k' / sqrt(width) + added) v``, per head.

    Args:
        joined: queries, keys and values side by side, batch x position x 3 dim.
        added: head (or 1) x position x position, ``-inf`` where a position would read its future.
        heads: ``dim`` is a multiple.
        kept: factors on the weights (dropout), batch x head x position x position; None: all 1.

    Returns:
        batch x position x dim.

    Example:
        >>> future = torch.zeros(1, 2, 2).masked_fill(torch.ones(2, 2).triu(1) > 0, float("-inf"))
        >>> causal_attention(torch.tensor([[[0.0, 0.0, 5.0], [0.0, 0.0, 7.0]]]), future, heads=1).flatten()
        tensor([5., 6.])
    """
    return _CausalAttention.apply(joined, added, heads, kept)  # type: ignore[no-any-return]


def _by_head(joined: Tensor, parts: int, heads: int) -> Tensor:
    """Batch x position x (parts dim) -> parts x (batch head) x position x width, in one copy."""
    batch, length, wide = joined.shape
    width = wide // parts // heads
    split = joined.view(batch, length, parts, heads, width).permute(2, 0, 3, 1, 4)
    return split.reshape(parts, batch * heads, length, width)


def _strips(length: int) -> list[tuple[int, int]]:
    return [(start, min(start + STRIP, length)) for start in range(0, length, STRIP)]


class _CausalAttention(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, joined: Tensor, added: Tensor, heads: int, kept: Tensor | None) -> Tensor:
        batch, length, wide = joined.shape
        query, key, value = _by_head(joined, 3, heads)
        query = query * (1.0 / math.sqrt(query.shape[2]))  # not in place: for one sequence alone it is a view
        found = torch.empty_like(value)
        weights = []
        for start, stop in _strips(length):
            logits = torch.bmm(query[:, start:stop], key[:, :stop].transpose(1, 2))
            by_head = logits.view(batch, heads, stop - start, stop)
            by_head.add_(added[:, start:stop, :stop])
            strip = torch.softmax(logits, -1)
            weights.append(strip)
            if kept is not None:
                strip = strip * kept[:, :, start:stop, :stop].reshape(strip.shape)
            found[:, start:stop] = torch.bmm(strip, value[:, :stop])
        ctx.save_for_backward(query, key, value, *weights)
        ctx.heads, ctx.kept, ctx.added_heads = heads, kept, added.shape[0]
        return found.view(batch, heads, length, -1).transpose(1, 2).reshape(batch, length, wide // 3)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor | None, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        query, key, value, *weights = ctx.saved_tensors
        heads, kept = ctx.heads, ctx.kept
        batch, length = grads[0].shape[:2]
        out = _by_head(grads[0], 1, heads)[0]
        moved = torch.zeros(3, *query.shape, dtype=query.dtype, device=query.device)
        added = None
        if ctx.needs_input_grad[1]:
            added = query.new_zeros((ctx.added_heads, length, length))
        for (start, stop), strip in zip(_strips(length), weights, strict=True):
            slope = torch.bmm(out[:, start:stop], value[:, :stop].transpose(1, 2))
            used = strip
            if kept is not None:
                factors = kept[:, :, start:stop, :stop].reshape(strip.shape)
                slope.mul_(factors)
                used = strip * factors
            moved[2, :, :stop] += torch.bmm(used.transpose(1, 2), out[:, start:stop])
            slope = torch.ops.aten._softmax_backward_data(slope, strip, -1, strip.dtype)
            moved[0, :, start:stop] = torch.bmm(slope, key[:, :stop])
            moved[1, :, :stop] += torch.bmm(slope.transpose(1, 2), query[:, start:stop])
            if added is not None:
                by_head = slope.view(batch, heads, stop - start, stop).sum(0)
                added[:, start:stop, :stop] = by_head if added.shape[0] == heads else by_head.sum(0)
        moved[0].mul_(1.0 / math.sqrt(query.shape[2]))
        back = moved.view(3, batch, heads, length, -1).permute(1, 3, 0, 2, 4)
        return back.reshape(batch, length, -1), added, None, None
