"""How the item tower's weights move: AdamW with a step size for what is new and one for what was trained before."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

__all__ = ["LearntScale", "scheduled", "tower_optimiser"]

_WARM_UP = 0.1
_LEAST = 0.01
"""Share of the step size that is left at the ends of the schedule."""


class LearntScale(nn.Module):
    """The inverse temperature, learnt on a logarithmic scale; it starts at 1 / 0.07."""

    def __init__(self) -> None:
        super().__init__()
        self.log = nn.Parameter(torch.tensor(math.log(1 / 0.07)))

    def forward(self) -> Tensor:
        """The scale."""
        return self.log.exp()


def tower_optimiser(
    new: Iterable[nn.Module], tuned: Iterable[nn.Module], rates: tuple[float, float], weight_decay: float
) -> torch.optim.Optimizer:
    """AdamW; matrices decay, vectors do not.

    Args:
        new: modules that start from nothing.
        tuned: modules that were trained before and only move a little; they do not decay.
        rates: peak step size of either.
        weight_decay: of new matrices.
    """
    groups = []
    for modules, rate, decay in ((new, rates[0], weight_decay), (tuned, rates[1], 0.0)):
        learnt = [one for module in modules for one in module.parameters() if one.requires_grad]
        for matrix in (True, False):
            some = [one for one in learnt if (one.ndim > 1) is matrix]
            if some:
                groups.append(
                    {"params": some, "lr": rate, "peak": rate, "weight_decay": decay if matrix else 0.0}
                )
    return torch.optim.AdamW(groups, betas=(0.9, 0.98))


def scheduled(optimiser: torch.optim.Optimizer, done: float) -> None:
    """Set the step sizes: a short warm-up, then half a cosine down to nothing.

    Args:
        optimiser: what :func:`tower_optimiser` gave.
        done: share of the training that is over, in [0, 1].
    """
    rate = (
        done / _WARM_UP
        if done < _WARM_UP
        else 0.5 * (1 + math.cos(math.pi * (done - _WARM_UP) / (1 - _WARM_UP)))
    )
    for group in optimiser.param_groups:
        group["lr"] = group["peak"] * max(rate, _LEAST)
