"""The fixed probe: a small network on frozen vectors, the same for every vector that is graded."""

from __future__ import annotations

import copy

import numpy as np
import torch
from jaxtyping import Float32, Int64
from torch import nn

from bowerbird.nn.inverted_bottleneck import ProbeNetwork
from bowerbird.nn.seeded_draws import seeded_draws
from bowerbird.randomness import generator

STEPS = 2000
BATCH = 128
RATE = 1e-3
WEIGHT_DECAY = 0.05
AVERAGE = 0.99
"""Of the running mean of the weights: what is kept of it at an update."""
CHECK_EVERY = 20
PATIENCE = 4
"""Checks without a better loss on the people held back before training stops."""
HELD_BACK = 0.15


def probe_predictions(
    inputs: Float32[np.ndarray, "example dim"],
    targets: Float32[np.ndarray, "example output"],
    people: Int64[np.ndarray, "example"],
    asked: Float32[np.ndarray, "person dim"],
    seed: int,
    *,
    amounts: bool = False,
) -> Float32[np.ndarray, "person output"]:
    """Predictions for frozen vectors by a probe trained on other frozen vectors.

    Nothing about it is tuned per vector: steps of 128 examples, a running mean of the weights, of which those are kept
    that were best on 15 % of the people held back; training ends when they no longer get better. Vectors come as they are; scaling them is the business of whoever makes them.

    Args:
        inputs: vectors of the examples.
        targets: what happened, 0 or 1; or amounts, standardised.
        people: whose each example is.
        asked: vectors to predict for.
        seed: decides the weights at the start, who is held back and the batches.
        amounts: squared error instead of cross-entropy.

    Returns:
        Logits, or amounts.
    """
    with seeded_draws(int(generator(seed, "probe", "weights").integers(2**31))):
        loss_of = nn.MSELoss() if amounts else nn.BCEWithLogitsLoss()
        network = _trained(inputs, targets, people, seed, loss_of)
    with torch.no_grad():
        return network(torch.from_numpy(asked)).numpy()


def _trained(
    inputs: Float32[np.ndarray, "example dim"],
    targets: Float32[np.ndarray, "example output"],
    people: Int64[np.ndarray, "example"],
    seed: int,
    loss_of: nn.Module,
) -> ProbeNetwork:
    """The probe with the mean weights that were best on the people held back; its dropout draws from torch's stream."""
    network = ProbeNetwork(inputs.shape[1], targets.shape[1])
    mean = copy.deepcopy(network)
    decayed = [weight for weight in network.parameters() if weight.ndim > 1]
    others = [weight for weight in network.parameters() if weight.ndim <= 1]
    adam = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": WEIGHT_DECAY}, {"params": others, "weight_decay": 0.0}], lr=RATE
    )
    random = generator(seed, "probe", "batches")
    order = random.permutation(np.unique(people))
    kept_back = np.isin(people, order[: max(1, round(HELD_BACK * len(order)))])
    held, train = np.flatnonzero(kept_back), np.flatnonzero(~kept_back)
    train = train if len(train) else held
    x, y = torch.from_numpy(inputs), torch.from_numpy(targets)
    best, best_loss, since = _copied(mean), float("inf"), 0
    for step in range(1, STEPS + 1):
        chosen = torch.from_numpy(train[random.integers(len(train), size=BATCH)])
        network.train()
        adam.zero_grad(set_to_none=True)
        loss_of(network(x[chosen]), y[chosen]).backward()
        adam.step()
        kept = min(AVERAGE, step / (step + 10))  # short at first, so that the random start is forgotten soon
        with torch.no_grad():
            for average, weight in zip(mean.parameters(), network.parameters(), strict=True):
                average.lerp_(weight, 1.0 - kept)
        if step % CHECK_EVERY:
            continue
        held_loss = _loss(mean, loss_of, x[held], y[held])
        since += 1
        if held_loss < best_loss:
            best, best_loss, since = _copied(mean), held_loss, 0
        if since >= PATIENCE:
            break
    mean.load_state_dict(best)
    mean.eval()
    return mean


def _loss(network: nn.Module, loss_of: nn.Module, x: torch.Tensor, y: torch.Tensor) -> float:
    network.eval()
    with torch.no_grad():
        return float(loss_of(network(x), y))


def _copied(network: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items()}
