"""Losses over a catalogue: sampled softmax with logQ correction, and full cross-entropy in chunks.

Letters: ``h`` is the hidden vector of a position, ``W`` the item vectors, ``y`` the target row,
``Q`` how often the sampler draws an item. A loss is the mean over positions, in nats.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from bowerbird.errors import InputError
from bowerbird.training.negatives import Negatives

__all__ = ["full_cross_entropy", "require_finite", "sampled_softmax"]

CHUNK_LOGITS = 8_000_000
"""Logits held at once by the full loss: 32 MB of float32, reused from chunk to chunk."""


def sampled_softmax(
    hidden: Tensor,
    vectors: Tensor,
    target: Tensor,
    negatives: Negatives,
    temperature: float = 1.0,
    counted: Tensor | None = None,
) -> Tensor:
    """Cross-entropy of the target among itself and shared negatives, corrected for how they were drawn.

    ``L = -log exp(s_y) / (exp(s_y) + sum_n exp(s_n - log E[draws of n]))`` with ``s_j = h . W_j / T``. A negative
    that equals the position's own target (an accidental hit) is left out of the sum. So the sum estimates
    the full softmax's: without the correction an item that is drawn often as a negative is pushed down
    for being popular. The target itself is always there, not drawn, so it is not corrected.

    Args:
        hidden: positions x dim.
        vectors: the vectors of ``cat(target, negatives.items)``, in that order.
        target: item row of each position.
        negatives: what was drawn, see :class:`~bowerbird.training.negatives.MixedNegatives`.
        temperature: ``T``.
        counted: which positions count, True or False each; None: all. Leaving padding out here is cheaper
            than gathering the others.

    Source: Bengio & Senécal 2008; Yi et al., RecSys 2019 (logQ, which corrects the target too);
    Yang et al., WWW 2020 (mixed negatives).
    """
    own, others = vectors[: target.numel()], vectors[target.numel() :]
    log_q = torch.as_tensor(negatives.log_q, device=hidden.device)
    hits = _hits(target, torch.as_tensor(negatives.items, device=hidden.device))
    share = torch.ones_like(target, dtype=torch.float32) if counted is None else counted.float()
    share = (share / share.sum())[:, None]
    return _SampledSoftmax.apply(hidden, own, others, log_q, hits, share, 1.0 / temperature)  # type: ignore[no-any-return]


def _hits(target: Tensor, drawn: Tensor) -> tuple[Tensor, Tensor]:
    """Where a drawn negative is the position's own target: positions and negatives, pairwise."""
    order = torch.argsort(target)
    ordered = target[order]
    first, end = torch.searchsorted(ordered, drawn), torch.searchsorted(ordered, drawn, right=True)
    counts = end - first
    negative = torch.repeat_interleave(torch.arange(drawn.numel(), device=drawn.device), counts)
    within = torch.arange(negative.numel(), device=drawn.device) - (counts.cumsum(0) - counts)[negative]
    return order[first[negative] + within], negative


class _SampledSoftmax(torch.autograd.Function):
    """The loss with its gradients in one pass; products in the type of ``hidden``, sums in float32."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        own: Tensor,
        others: Tensor,
        log_q: Tensor,
        hits: tuple[Tensor, Tensor],
        share: Tensor,
        scale: float,
    ) -> Tensor:
        positive = (hidden.float() * own.float()).sum(1, keepdim=True).mul_(scale)
        # scale and logQ in the one pass that widens the products
        logits = torch.sub(-log_q, hidden @ others.T, alpha=-scale)
        logits[hits] = float("-inf")
        largest = torch.maximum(logits.amax(1, keepdim=True), positive)
        mass = logits.sub_(largest).exp_()
        first = (positive - largest).exp_()
        total = mass.sum(1, keepdim=True).add_(first)
        loss = ((total.log() + largest - positive) * share).sum()
        # from here on d loss / d logits: the softmax, less 1 for the target
        factor = share * scale
        drawn = torch.mul(mass, factor / total, out=torch.empty_like(mass, dtype=hidden.dtype))
        target = ((first / total - 1.0) * factor).to(hidden.dtype)
        ctx.save_for_backward(torch.addcmul(drawn @ others, own, target), hidden * target, drawn.T @ hidden)
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        hidden, own, others = ctx.saved_tensors
        one = grads[0].to(hidden.dtype)
        return hidden * one, own * one, others * one, None, None, None, None


class _FullCrossEntropy(torch.autograd.Function):
    """The loss and its gradients in one pass over chunks of positions: logits are never kept."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, table: Tensor, target: Tensor) -> Tensor:
        positions, items = hidden.shape[0], table.shape[0]
        rows = max(1, min(positions, CHUNK_LOGITS // items))
        buffer = torch.empty((rows, items), dtype=hidden.dtype, device=hidden.device)
        hidden_grad, table_grad = torch.empty_like(hidden), torch.zeros_like(table)
        total = torch.zeros((), dtype=torch.float64, device=hidden.device)
        for start in range(0, positions, rows):
            part, wanted = hidden[start : start + rows], target[start : start + rows, None]
            logits = buffer[: part.shape[0]]
            torch.mm(part, table.T, out=logits)
            largest = logits.amax(1, keepdim=True)
            own = logits.gather(1, wanted)
            mass = logits.sub_(largest).exp_().sum(1, keepdim=True)
            total += (mass.log() + largest - own).sum()
            # the buffer becomes d loss / d logits = softmax - one-hot, per position
            logits.div_(mass * positions)
            logits.scatter_add_(1, wanted, torch.full_like(own, -1.0 / positions))
            torch.mm(logits, table, out=hidden_grad[start : start + rows])
            table_grad.addmm_(logits.T, part)
        ctx.save_for_backward(hidden_grad, table_grad)
        return (total / positions).to(hidden.dtype)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        hidden_grad, table_grad = ctx.saved_tensors
        return hidden_grad * grads[0], table_grad * grads[0], None


def full_cross_entropy(hidden: Tensor, table: Tensor, target: Tensor) -> Tensor:
    """``-log softmax(h W')_y`` over the whole catalogue, never holding positions x items.

    Args:
        hidden: positions x dim.
        table: items x dim.
        target: item row of each position.

    Cost: three products of positions x items x dim; 32 MB beside the gradients, whatever the sizes.
    """
    return _FullCrossEntropy.apply(hidden, table, target)  # type: ignore[no-any-return]


def require_finite(loss: Tensor, where: str, lower: str) -> None:
    """Stop a training before a loss that is no number reaches the weights.

    Args:
        loss: one number, not yet followed backwards.
        where: what is trained and how far it is; begins the message.
        lower: the setting to lower, with its value.

    Raises:
        InputError: the loss is infinite or no number.
    """
    value = float(loss.detach())
    if not math.isfinite(value):
        raise InputError(f"{where}: the loss is {value}; expected a finite number; lower {lower}")
