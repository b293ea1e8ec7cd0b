"""The fixed probe: a small network on frozen vectors, the same for every vector that is graded."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float32
from torch import nn

from bowerbird.nn.inverted_bottleneck import ProbeNetwork
from bowerbird.nn.seeded_draws import seeded_draws
from bowerbird.randomness import generator

STEPS = 300
BATCH = 128
RATE = 1e-3
WEIGHT_DECAY = 0.05
CHECK_EVERY = 20
PATIENCE = 4
"""Checks without a better loss on the people held back before training stops."""
HELD_BACK = 0.15


def probe_predictions(
    inputs: Float32[np.ndarray, "example dim"],
    targets: Float32[np.ndarray, "example output"],
    asked: Float32[np.ndarray, "person dim"],
    seed: int,
    *,
    amounts: bool = False,
) -> Float32[np.ndarray, "person output"]:
    """Predictions for frozen vectors by a probe trained on other frozen vectors.

    Nothing about it is tuned per vector: 300 steps of 128 examples, the weights kept that were best on 15 % of the
    examples held back. Vectors come as they are; scaling them is the business of whoever makes them.

    Args:
        inputs: vectors of the examples.
        targets: what happened, 0 or 1; or amounts, standardised.
        asked: vectors to predict for.
        seed: decides the weights at the start, who is held back and the batches.
        amounts: squared error instead of cross-entropy.

    Returns:
        Logits, or amounts.
    """
    with seeded_draws(int(generator(seed, "probe", "weights").integers(2**31))):
        network = _trained(inputs, targets, seed, nn.MSELoss() if amounts else nn.BCEWithLogitsLoss())
    with torch.no_grad():
        return network(torch.from_numpy(asked)).numpy()


def _trained(
    inputs: Float32[np.ndarray, "example dim"],
    targets: Float32[np.ndarray, "example output"],
    seed: int,
    loss_of: nn.Module,
) -> ProbeNetwork:
    """The probe with the weights that were best on the examples held back; its dropout draws from torch's stream."""
    network = ProbeNetwork(inputs.shape[1], targets.shape[1])
    decayed = [weight for weight in network.parameters() if weight.ndim > 1]
    others = [weight for weight in network.parameters() if weight.ndim <= 1]
    adam = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": WEIGHT_DECAY}, {"params": others, "weight_decay": 0.0}], lr=RATE
    )
    random = generator(seed, "probe", "batches")
    order = random.permutation(len(inputs))
    held = order[: max(1, round(HELD_BACK * len(order)))]
    train = order[len(held) :] if len(order) > len(held) else order
    x, y = torch.from_numpy(inputs), torch.from_numpy(targets)
    best, best_loss, since = _copied(network), float("inf"), 0
    for step in range(1, STEPS + 1):
        chosen = torch.from_numpy(train[random.integers(len(train), size=BATCH)])
        network.train()
        adam.zero_grad(set_to_none=True)
        loss_of(network(x[chosen]), y[chosen]).backward()
        adam.step()
        if step % CHECK_EVERY:
            continue
        held_loss = _loss(network, loss_of, x[held], y[held])
        since += 1
        if held_loss < best_loss:
            best, best_loss, since = _copied(network), held_loss, 0
        if since >= PATIENCE:
            break
    network.load_state_dict(best)
    network.eval()
    return network


def _loss(network: nn.Module, loss_of: nn.Module, x: torch.Tensor, y: torch.Tensor) -> float:
    network.eval()
    with torch.no_grad():
        return float(loss_of(network(x), y))


def _copied(network: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items()}
