"""Dropout whose masks are decided by a seed and a step, and cost little on a CPU."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from bowerbird.randomness import fast_generator

__all__ = ["Dropout", "MaskStream"]

_LEVELS = 256


class MaskStream:
    """Random bytes for all dropouts of a model.

    The trainer calls :meth:`restart` before each step. So a step's masks depend on the seed and the
    step alone, and a run that resumes needs no state of a generator. One byte per value is drawn
    from numpy's SFC64, which is several times faster on a CPU than torch's own dropout.

    Example:
        >>> masks = MaskStream()
        >>> masks.restart(seed=0, step=3)
        >>> first = masks.bytes(4)
        >>> masks.restart(seed=0, step=3)
        >>> masks.bytes(4) == first
        True
    """

    def __init__(self) -> None:
        self.restart(0, 0)

    def restart(self, seed: int, step: int) -> None:
        """Begin the stream of one step."""
        self._stream = fast_generator(seed, "dropout", step)

    def bytes(self, count: int) -> bytes:
        """The next random bytes."""
        return self._stream.bytes(count)


class Dropout(nn.Module):
    """``y = x * m / (1 - p)`` with ``m`` 0 at rate ``p`` while training; the identity otherwise.

    Args:
        rate: share of values set to 0, rounded to 1/256.
        masks: the model's stream of random bytes.
    """

    def __init__(self, rate: float, masks: MaskStream) -> None:
        super().__init__()
        self._dropped = round(rate * _LEVELS)
        self._masks = masks

    def factors(self, shape: tuple[int, ...], like: Tensor) -> Tensor | None:
        """What values of a shape are multiplied by, of the type of ``like``; None where nothing is dropped."""
        if not self.training or self._dropped == 0:
            return None
        drawn = bytearray(self._masks.bytes(math.prod(shape)))
        mask = torch.frombuffer(drawn, dtype=torch.uint8).view(shape).to(like.device)
        return (mask >= self._dropped).to(like.dtype).mul_(_LEVELS / (_LEVELS - self._dropped))

    def forward(self, x: Tensor) -> Tensor:
        """The values, some of them 0."""
        factors = self.factors(tuple(x.shape), x)
        return x if factors is None else x * factors
