"""A filter over the last positions, one per channel, as products of small matrices.

Positions are cut into pieces as long as the filter; a piece and the one before it are all that its answer needs,
so each channel is one product with a banded matrix. A CPU does that several times faster than a convolution by
channel, whose gradient is the dearest step of a small model.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

__all__ = ["causal_filter"]


def causal_filter(x: Tensor, kernel: Tensor) -> Tensor:
    """``y_t = sum_d k_d x_(t-d)``, per channel; what lies before the first position is 0.

    Args:
        x: batch x position x channel.
        kernel: distance x channel, distance 0 first.

    Example:
        >>> causal_filter(torch.tensor([[[1.0], [0.0], [2.0]]]), torch.tensor([[1.0], [0.5]])).flatten()
        tensor([1.0000, 0.5000, 2.0000])
    """
    return _CausalFilter.apply(x, kernel[: x.shape[1]])  # type: ignore[no-any-return]


def _pieces(x: Tensor, size: int) -> Tensor:
    """Each piece with the one before it: batch x position x channel -> channel x (batch piece) x 2 size."""
    batch, length, channels = x.shape
    count = -(-length // size)
    long = functional.pad(x.transpose(1, 2), (size, count * size - length)).unfold(2, 2 * size, size)
    return long.transpose(0, 1).reshape(channels, batch * count, 2 * size)


def _whole(pieces: Tensor, batch: int, length: int) -> Tensor:
    """Channel x (batch piece) x size -> batch x position x channel."""
    channels = pieces.shape[0]
    return pieces.view(channels, batch, -1)[:, :, :length].permute(1, 2, 0).contiguous()


def _distances(size: int, device: torch.device) -> Tensor:
    """How far before each place of a piece each place of the pair of pieces is: 2 size x size."""
    place = torch.arange(size, device=device)
    return size + place[None, :] - torch.arange(2 * size, device=device)[:, None]


class _CausalFilter(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, kernel: Tensor) -> Tensor:
        batch, length, _ = x.shape
        size = kernel.shape[0]
        distance = _distances(size, x.device)
        inside = (distance >= 0) & (distance < size)
        band = kernel[distance.clamp(0, size - 1)] * inside[:, :, None].to(kernel.dtype)
        band = band.permute(2, 0, 1).contiguous()
        pieces = _pieces(x, size)
        ctx.save_for_backward(pieces, band)
        ctx.batch, ctx.length = batch, length
        return _whole(torch.bmm(pieces, band), batch, length)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor]:  # pyright: ignore[reportIncompatibleMethodOverride]
        pieces, band = ctx.saved_tensors
        channels, size = band.shape[0], band.shape[2]
        grad = grads[0]
        count = -(-ctx.length // size)
        padded = functional.pad(grad.transpose(1, 2), (0, count * size - ctx.length))
        own = padded.transpose(0, 1).reshape(channels, -1, size)
        both = torch.bmm(own, band.transpose(1, 2)).view(channels, ctx.batch, count, 2, size)
        back = both[:, :, :, 1].clone()
        back[:, :, :-1] += both[:, :, 1:, 0]
        bands = torch.bmm(pieces.transpose(1, 2), own).permute(1, 2, 0)
        distance = _distances(size, grad.device)
        inside = (distance >= 0) & (distance < size)
        kernel = torch.zeros((size, channels), dtype=torch.float32, device=grad.device)
        kernel.index_add_(0, distance[inside], bands[inside].float())
        return _whole(back.reshape(channels, -1, size), ctx.batch, ctx.length), kernel.to(grad.dtype)
