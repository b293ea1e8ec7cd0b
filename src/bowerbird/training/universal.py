"""Fits the universal vector: bases from who met what, and a network that foresees the days after many moments.

At each of several earlier moments the network reads everybody's counts and history and is asked what they do in the
days after: all their items (dense, not only the next one), all their kinds, whether and how often they come, what
they spend. What it computes before these answers is the learnt part of the vector.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float32, Float64, Int64
from scipy import sparse
from torch import nn
from torch.nn import functional

from bowerbird.clock import DAY_US
from bowerbird.errors import NotReadyError
from bowerbird.nn.seeded_draws import seeded_draws
from bowerbird.randomness import generator
from bowerbird.telemetry import require_memory
from bowerbird.training.losses import require_finite
from bowerbird.users.behaviour import Behaviour
from bowerbird.users.interaction_factors import FactorVectors
from bowerbird.users.interaction_svd import ItemBasis
from bowerbird.users.logistic import logistic_weights
from bowerbird.users.universal import COUNTS, UniversalEncoder, UniversalSettings, as_kinds, raw_inputs

HIDDEN = 256
RATE = 1e-3
WEIGHT_DECAY = 0.02
DROPOUT = 0.3
BATCH = 512
EPOCHS = 12
RIDGE = 20.0
"""Penalty of the linear futures."""
COPIES = 4
"""Of the examples' inputs: as read, joined, standardised, and as a tensor."""
COMES_DAYS = (7, 14, 28)
"""Windows after a moment in which a person comes back, or not."""


@dataclass(frozen=True)
class Examples:
    """Everybody at each moment: inputs, and what happened in the days after."""

    inputs: torch.Tensor
    items: sparse.csr_array
    """Share of each item in what an example met; empty rows for those who did not come."""
    kinds: sparse.csr_array
    comes: Bool[np.ndarray, "example window"]
    amounts: Float64[np.ndarray, "example amount"]
    """``log(1 + n)`` of steps and of money."""


def fit_universal(
    past: Behaviour, as_of: int, seed: int, settings: UniversalSettings | None = None
) -> UniversalEncoder:
    """The universal vector fitted on the steps before a time.

    Raises:
        NotReadyError: the log is too short for two moments.
        TooLargeError: it would not fit into memory.
    """
    settings = UniversalSettings() if settings is None else settings
    past = past.before(as_of)
    moments, future_days = training_moments(past, as_of, settings)
    _require_room(past, len(moments), settings)
    # bases from before the first outcome would be cleaner and know fewer items; outcomes are a small part of who met what
    items = ItemBasis.fitted(past, settings.basis_dim, seed)
    by_kind = as_kinds(past)
    kinds = ItemBasis.fitted(by_kind, settings.kinds_dim, seed) if by_kind is not None else ItemBasis.none()
    raw = [raw_inputs(past, moment, items, kinds, settings) for moment in moments]
    seen = [past.before(moment).counts() > 0 for moment in moments]
    known = np.concatenate([inputs[mask] for inputs, mask in zip(raw, seen, strict=True)])
    mean, scale = known.mean(axis=0), known.std(axis=0)
    scale = np.where(scale > 1e-6, scale, np.float32(1)).astype(np.float32)
    tastes = FactorVectors.fitted(past, settings.tastes, seed)
    examples = _examples(past, list(zip(moments, seen, strict=True)), (known - mean) / scale, future_days)
    with seeded_draws(int(generator(seed, "universal", "weights").integers(2**31))):
        layers = _trained(examples, settings, seed)
    counts = examples.inputs[:, :COUNTS].numpy().astype(np.float64)
    futures = np.stack(
        [logistic_weights(counts, came, RIDGE)[:-1] for came in examples.comes.T]
        + [_ridge(counts, amount) for amount in examples.amounts.T]
    ).astype(np.float32)
    encoder = UniversalEncoder(
        settings, items, kinds, tastes, mean, scale, layers, futures, np.ones(1, np.float32)
    )
    return replace(encoder, spread=_spread(encoder.said(examples.inputs.numpy()), settings.learnt_dim))


def _require_room(past: Behaviour, moments: int, settings: UniversalSettings) -> None:
    width = COUNTS + len(settings.half_lives_days) * (settings.basis_dim + settings.kinds_dim)
    examples = 4.0 * COPIES * moments * past.users_total * width
    weights = 4.0 * past.items_total * (4 * settings.learnt_dim + 4 * BATCH)
    lower = f"lower most_moments ({settings.most_moments}) or basis_dim ({settings.basis_dim})"
    require_memory(
        "user_universal",
        {
            "moments x people x inputs": (examples, lower),
            "items x (learnt + batch)": (weights, f"keep fewer items ({past.items_total:,})"),
        },
    )


def _spread(said: Float32[np.ndarray, "example said"], learnt: int) -> Float32[np.ndarray, "said"]:
    """One scale for all that is learnt, whose directions differ in size for a reason; one for each future."""
    spread = said.std(axis=0)
    spread[:learnt] = np.sqrt(np.mean(spread[:learnt] ** 2))
    return np.where(spread > 1e-6, spread, np.float32(1)).astype(np.float32)


def _ridge(inputs: np.ndarray, amounts: np.ndarray) -> np.ndarray:
    centred = amounts - amounts.mean()
    return np.linalg.solve(inputs.T @ inputs + RIDGE * np.eye(inputs.shape[1]), inputs.T @ centred)


def training_moments(past: Behaviour, as_of: int, settings: UniversalSettings) -> tuple[list[int], int]:
    """Moments, newest first, and the days after each that are looked at; every outcome is complete before ``as_of``.

    Raises:
        NotReadyError: the log is too short for two moments.
    """
    days = (as_of - int(past.at.min())) / DAY_US if len(past) else 0.0
    future = int(min(settings.future_days, days // 4))
    if future < 1:
        raise NotReadyError(f"universal vector: the log covers {days:.1f} days; at least 4 are needed")
    step = max(1, future // 2)
    moments = [as_of - (future + step * k) * DAY_US for k in range(settings.most_moments)]
    first = int(past.at.min()) + 2 * future * DAY_US
    return [moment for moment in moments if moment >= first] or moments[:1], future


def _examples(
    past: Behaviour,
    moments: list[tuple[int, Bool[np.ndarray, "user"]]],
    inputs: Float32[np.ndarray, "example input"],
    future_days: int,
) -> Examples:
    items, kinds, comes, amounts = [], [], [], []
    for moment, seen in moments:
        after = past.within(moment, moment + future_days * DAY_US)
        items.append(_shares(after, seen))
        by_kind = as_kinds(after)
        kinds.append(
            _shares(by_kind, seen) if by_kind is not None else sparse.csr_array((int(seen.sum()), 0))
        )
        windows = [min(days, future_days) for days in COMES_DAYS]
        came = [past.within(moment, moment + days * DAY_US).counts()[seen] > 0 for days in windows]
        comes.append(np.stack(came, axis=1))
        amounts.append(np.log1p(np.stack([after.counts()[seen], after.spent()[seen]], axis=1)))
    return Examples(
        torch.from_numpy(inputs.astype(np.float32)),
        sparse.csr_array(sparse.vstack(items)),
        sparse.csr_array(sparse.vstack(kinds)),
        np.concatenate(comes),
        np.concatenate(amounts),
    )


def _shares(after: Behaviour, seen: Bool[np.ndarray, "user"]) -> sparse.csr_array:
    table = after.met()
    lengths = np.maximum(np.diff(table.indptr), 1)
    table.data /= np.repeat(lengths, np.diff(table.indptr)).astype(np.float32)
    return sparse.csr_array(table[np.flatnonzero(seen)])


class FutureNetwork(nn.Module):
    """Inputs to the learnt part, and the learnt part to what is expected: a weight per item and per kind.

    Args:
        inputs: width of what is read.
        learnt: width of the learnt part.
        items: number of items.
        kinds: number of categories; 0 for none.
    """

    def __init__(self, inputs: int, learnt: int, items: int, kinds: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(inputs, HIDDEN), nn.GELU(), nn.Dropout(DROPOUT), nn.Linear(HIDDEN, learnt)
        )
        self.items = nn.Linear(learnt, items)
        self.kinds = nn.Linear(learnt, max(kinds, 1))

    def loss(self, examples: Examples, rows: Int64[np.ndarray, "row"]) -> torch.Tensor:
        """Cross-entropy with the shares of items, and of kinds, of the days after; everybody counts alike."""
        learnt = self.body(functional.dropout(examples.inputs[rows], 0.1, self.training))
        total = _softmax(self.items(learnt), examples.items[rows])
        if examples.kinds.shape[1]:
            total = total + _softmax(self.kinds(learnt), examples.kinds[rows])
        return total


def _softmax(logits: torch.Tensor, shares: sparse.csr_array) -> torch.Tensor:
    came = np.diff(shares.indptr) > 0
    wanted = torch.from_numpy(shares[came].toarray())
    if not len(wanted):
        return logits.sum() * 0
    return -(wanted * functional.log_softmax(logits[torch.from_numpy(came)], dim=1)).sum(dim=1).mean()


def _trained(examples: Examples, settings: UniversalSettings, seed: int) -> dict[str, np.ndarray]:
    network = FutureNetwork(
        examples.inputs.shape[1], settings.learnt_dim, examples.items.shape[1], examples.kinds.shape[1]
    )
    adam = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=WEIGHT_DECAY)
    random = generator(seed, "universal", "batches")
    came = np.flatnonzero(np.diff(examples.items.indptr) > 0)
    total = max(1, EPOCHS * -(-len(came) // BATCH))
    schedule = torch.optim.lr_scheduler.OneCycleLR(adam, RATE * 3, total_steps=total)
    for epoch in range(EPOCHS):
        order = random.permutation(came)
        network.train()
        for start in range(0, len(order), BATCH):
            rows = order[start : start + BATCH]
            adam.zero_grad(set_to_none=True)
            loss = network.loss(examples, rows)
            require_finite(loss, f"user_universal, epoch {epoch + 1}", f"RATE ({RATE:g})")
            loss.backward()
            adam.step()
            schedule.step()
    linear = [layer for layer in network.body if isinstance(layer, nn.Linear)]
    _to_logit_space(linear[-1], network)
    return {
        f"{name}{number}": value.detach().numpy()
        for number, layer in enumerate(linear)
        for name, value in (("w", layer.weight), ("b", layer.bias))
    }


@torch.no_grad()
def _to_logit_space(last: nn.Linear, network: FutureNetwork) -> None:
    """Turn the learnt part so that distances in it are distances between expectations.

    With ``W`` the weights of all expected items and kinds, centred (softmax does not see a constant), ``W = P S Q'``:
    the learnt ``z`` becomes ``z Q S``. Two people are then as far apart as what is expected of them.
    """
    heads = [network.items.weight, network.kinds.weight]
    weights = torch.cat([head - head.mean(dim=0, keepdim=True) for head in heads])
    squares, directions = torch.linalg.eigh(weights.T @ weights)
    turn = (
        directions.flip(1) * squares.flip(0).clamp(min=0).sqrt()
    )  # learnt x learnt, leading directions first
    last.bias.copy_(last.bias @ turn)
    last.weight.copy_(turn.T @ last.weight)
