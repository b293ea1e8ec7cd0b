from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bowerbird.errors import InputError
from bowerbird.training import losses, negatives
from bowerbird.training.losses import full_cross_entropy, require_finite, sampled_softmax
from bowerbird.training.negatives import CountMinSketch, ExactCounts, MixedNegatives, Negatives, counted


@pytest.mark.parametrize("chunk", [1, 40, 1000])
def test_the_chunked_cross_entropy_equals_the_plain_one_with_its_gradients(monkeypatch, chunk) -> None:
    monkeypatch.setattr(losses, "CHUNK_LOGITS", chunk)
    torch.manual_seed(0)
    hidden, table = torch.randn(7, 4, requires_grad=True), torch.randn(11, 4, requires_grad=True)
    target = torch.tensor([0, 3, 3, 10, 5, 1, 0])
    plain = torch.nn.functional.cross_entropy(hidden @ table.T, target)
    wanted = torch.autograd.grad(plain, [hidden, table])
    ours = full_cross_entropy(hidden, table, target)
    found = torch.autograd.grad(ours, [hidden, table])
    assert ours.item() == pytest.approx(plain.item(), rel=1e-5)
    for one, other in zip(found, wanted, strict=True):
        assert torch.allclose(one, other, atol=1e-6)


def test_an_accidental_hit_is_no_negative() -> None:
    hidden, table = torch.tensor([[2.0]]), torch.tensor([[1.0], [3.0]])
    target = torch.tensor([0])
    drawn = Negatives(np.array([0, 1]), np.zeros(2, np.float32))
    loss = sampled_softmax(hidden, table[torch.tensor([0, 0, 1])], target, drawn)
    # only item 1 stands against item 0: -log e^2 / (e^2 + e^6)
    assert loss.item() == pytest.approx(np.log(1 + np.exp(4.0)), rel=1e-6)


def test_the_sampled_loss_equals_the_plain_one_with_its_gradients() -> None:
    torch.manual_seed(0)
    hidden, table = torch.randn(6, 4, requires_grad=True), torch.randn(9, 4, requires_grad=True)
    target, counted = torch.tensor([0, 3, 3, 8, 5, 1]), torch.tensor([True, True, False, True, True, False])
    items, log_q = np.array([3, 7, 0, 3]), np.log(np.array([0.5, 0.1, 2.0, 0.5], np.float32))
    logits = hidden @ table[items].T / 0.7 - torch.from_numpy(log_q)
    logits = logits.masked_fill(torch.from_numpy(items)[None] == target[:, None], float("-inf"))
    positive = (hidden * table[target]).sum(1, keepdim=True) / 0.7
    each = torch.logsumexp(torch.cat([positive, logits], dim=1), dim=1) - positive[:, 0]
    wanted = each[counted].mean()
    vectors = table[torch.cat([target, torch.from_numpy(items)])]
    found = sampled_softmax(hidden, vectors, target, Negatives(items, log_q), 0.7, counted)
    assert found.item() == pytest.approx(wanted.item(), rel=1e-5)
    for one, other in zip(
        torch.autograd.grad(found, [hidden, table], retain_graph=True),
        torch.autograd.grad(wanted, [hidden, table]),
        strict=True,
    ):
        assert torch.allclose(one, other, atol=1e-6)


def _learnt_slope(corrected: bool) -> float:
    """How learnt scores grow with the log of popularity: 1 when the softmax returns the shares."""
    shares = 1.0 / np.arange(1, 41)
    shares /= shares.sum()
    random = np.random.default_rng(0)
    sampler = MixedNegatives(ExactCounts(shares), 40, amount=32)
    scores = torch.zeros(40, 1, requires_grad=True)
    optimizer = torch.optim.Adam([scores], lr=0.05)
    for _ in range(400):
        target = random.choice(40, 256, p=shares)
        drawn = sampler.draw(target, random)
        if not corrected:
            drawn = Negatives(drawn.items, np.zeros(32, np.float32))
        rows = torch.from_numpy(np.concatenate([target, drawn.items]))
        loss = sampled_softmax(torch.ones(256, 1), scores[rows], torch.from_numpy(target), drawn)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return float(np.polyfit(np.log(shares), scores.detach().numpy()[:, 0], 1)[0])


def test_log_q_removes_the_bias_against_popular_items() -> None:
    assert _learnt_slope(corrected=True) == pytest.approx(1.0, abs=0.15)
    assert _learnt_slope(corrected=False) < 0.75


@settings(max_examples=30)
@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=200), st.integers(8, 64))
def test_a_sketch_never_counts_too_little(events: list[int], width: int) -> None:
    stream = np.array(events)
    sketch = CountMinSketch(width=width)
    for part in np.array_split(stream, 3):
        sketch.add(part)
    items, counts = np.unique(stream, return_counts=True)
    assert (sketch.shares(items) >= counts / stream.size - 1e-12).all()


def test_a_sketch_of_a_long_stream_is_near_the_exact_counts() -> None:
    stream = np.random.default_rng(1).zipf(1.3, 50_000) % 5000
    sketch, exact = CountMinSketch(), ExactCounts(np.bincount(stream, minlength=5000))
    sketch.add(stream)
    items = np.unique(stream)
    assert np.abs(sketch.shares(items) - exact.shares(items)).max() < 1e-3


def test_beyond_a_limit_items_are_counted_in_a_sketch_and_the_loss_is_nearly_the_same(monkeypatch) -> None:
    monkeypatch.setattr(negatives, "PIECE", 7_000)
    random, total = np.random.default_rng(2), 200_000
    stream = np.minimum(random.zipf(1.2, 100_000), total) - 1
    counts = {limit: counted(stream, total, exact_items=limit) for limit in (total, total - 1)}
    assert isinstance(counts[total], ExactCounts)
    assert isinstance(counts[total - 1], CountMinSketch)
    table, hidden = torch.from_numpy(random.standard_normal((total, 8), np.float32)), torch.ones(256, 8)
    target = stream[:256]
    losses_found = []
    for one in counts.values():
        drawn = MixedNegatives(one, total, 512).draw(target, np.random.default_rng(3))
        rows = torch.from_numpy(np.concatenate([target, drawn.items]))
        losses_found.append(
            sampled_softmax(hidden, table[rows], torch.from_numpy(target), drawn, temperature=4.0).item()
        )
    assert losses_found[1] == pytest.approx(losses_found[0], rel=1e-3)


def test_expected_draws_add_up_to_the_number_of_negatives() -> None:
    sampler = MixedNegatives(ExactCounts(np.array([6, 3, 1])), 3, amount=10)
    drawn = sampler.draw(np.array([0, 1, 2]), np.random.default_rng(0))
    assert drawn.items.size == 10
    assert np.exp(drawn.log_q) == pytest.approx(np.array([0.6, 0.3, 0.1])[drawn.items] * 5 + 5 / 3, rel=1e-5)


def test_counts_without_an_event_are_refused() -> None:
    with pytest.raises(InputError, match="2 items and no event"):
        ExactCounts(np.zeros(2, dtype=np.int64))
    with pytest.raises(InputError, match="width 0"):
        CountMinSketch(width=0)


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_a_loss_that_is_no_number_is_refused_before_it_reaches_the_weights(value: str) -> None:
    require_finite(torch.tensor(1.0), "heads, epoch 1", "rate (0.1)")
    with pytest.raises(InputError, match=rf"heads, epoch 3: the loss is {value}; .* lower rate \(0\.1\)"):
        require_finite(torch.tensor(float(value)), "heads, epoch 3", "rate (0.1)")
