"""The fused steps of an encoder beside their plain twins."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from bowerbird.nn import causal_attention as attention
from bowerbird.nn.causal_attention import causal_attention
from bowerbird.nn.causal_filter import causal_filter
from bowerbird.nn.precision import fast_type, in_type

BATCH, HEADS, DIM = 3, 2, 8


def _future(length: int) -> Tensor:
    return torch.zeros(length, length).masked_fill(torch.ones(length, length).triu(1) > 0, float("-inf"))


def _plain_attention(joined: Tensor, added: Tensor, heads: int, kept: Tensor | None) -> Tensor:
    batch, length, wide = joined.shape
    parts = joined.view(batch, length, 3, heads, wide // 3 // heads).permute(2, 0, 3, 1, 4)
    query, key, value = parts
    weights = (query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1]) + added).softmax(-1)
    weights = weights if kept is None else weights * kept
    return (weights @ value).transpose(1, 2).reshape(batch, length, wide // 3)


@pytest.mark.parametrize("batch", [1, BATCH])  # alone, queries are a view of what is read
@pytest.mark.parametrize("length", [1, 5, 11])
@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("dropped", [True, False])
def test_attention_in_strips_equals_the_plain_one_with_its_gradients(
    monkeypatch, batch, length, biased, dropped
) -> None:
    monkeypatch.setattr(attention, "STRIP", 4)
    torch.manual_seed(0)
    joined = torch.randn(batch, length, 3 * DIM, requires_grad=True)
    bias = torch.randn(HEADS if biased else 1, length, length, requires_grad=True)
    kept = (torch.rand(batch, HEADS, length, length) > 0.3).float() if dropped else None
    seen = torch.randn(batch, length, DIM)
    found, wanted = (
        one(joined, bias + _future(length), HEADS, kept) for one in (causal_attention, _plain_attention)
    )
    assert torch.allclose(found, wanted, atol=1e-5)
    for one, other in zip(
        torch.autograd.grad((found * seen).sum(), [joined, bias]),
        torch.autograd.grad((wanted * seen).sum(), [joined, bias]),
        strict=True,
    ):
        assert torch.allclose(one, other, atol=1e-5)


@pytest.mark.parametrize("length", [1, 4, 10])
def test_the_filter_equals_a_sum_over_distances_with_its_gradients(length) -> None:
    torch.manual_seed(0)
    x, kernel = torch.randn(BATCH, length, DIM, requires_grad=True), torch.randn(4, DIM, requires_grad=True)
    seen = torch.randn(BATCH, length, DIM)
    moved = [
        torch.cat([torch.zeros(BATCH, min(back, length), DIM), x[:, : length - back]], dim=1)
        for back in range(4)
    ]
    wanted = sum(one * kernel[back] for back, one in enumerate(moved))
    found = causal_filter(x, kernel)
    assert torch.allclose(found, wanted, atol=1e-5)
    for one, other in zip(
        torch.autograd.grad((found * seen).sum(), [x, kernel]),
        torch.autograd.grad((wanted * seen).sum(), [x, kernel]),
        strict=True,
    ):
        assert torch.allclose(one, other, atol=1e-5)


def test_half_precision_answers_nearly_the_same_and_moves_the_full_weights() -> None:
    torch.manual_seed(0)
    module, x = torch.nn.Linear(DIM, DIM), torch.randn(5, DIM)
    found = in_type(module, torch.bfloat16, x)
    assert found.dtype == torch.bfloat16
    assert torch.allclose(found.float(), module(x), atol=0.05)
    found.float().sum().backward()
    assert module.weight.dtype == module.weight.grad.dtype == torch.float32
    assert torch.equal(in_type(module, torch.float32, x), module(x))


def test_half_precision_is_used_only_where_the_processor_multiplies_it(monkeypatch) -> None:
    cpu = torch.device("cpu")
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True})
    assert fast_type(cpu) == torch.bfloat16
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    assert fast_type(cpu) == torch.float32
