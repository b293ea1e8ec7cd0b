"""Numbers of half the size where the processor multiplies them several times faster."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.func import functional_call

__all__ = ["fast_type", "in_type"]


def fast_type(device: torch.device) -> torch.dtype:
    """bfloat16 on a CPU with matrix units for it (AMX), float32 elsewhere.

    A CPU that only knows bfloat16 as a format gains nothing from it, so the units are what is asked for.
    """
    if device.type == "cpu" and torch.cpu.get_capabilities().get("amx_bf16", False):
        return torch.bfloat16
    return torch.float32


def in_type(module: nn.Module, kind: torch.dtype, vectors: Tensor, *inputs: Tensor | None) -> Tensor:
    """A module's answer computed in a type; its own weights stay as they are and get their gradients.

    Args:
        module: called with the vectors and the inputs.
        kind: the type of weights and vectors in between.
        vectors: made of that type.
        inputs: handed on.
    """
    if kind == torch.float32:
        return module(vectors, *inputs)  # type: ignore[no-any-return]
    weights = {name: one.to(kind) for name, one in module.named_parameters()}
    return functional_call(module, weights, (vectors.to(kind), *inputs))  # type: ignore[no-any-return]
