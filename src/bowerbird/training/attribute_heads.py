"""Training the heads of :mod:`bowerbird.content.attributes`: columns learn together, gaps are no labels.

The loss is the sum over columns of the cross-entropy of the items that have a label there, so an item with one
label teaches the shared layer as well. What is chosen (mixture, temperature, logit adjustment) is chosen on
validation items; no test item is seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32, Int64
from pydantic import Field

from bowerbird.arrays import normalise
from bowerbird.config import Settings
from bowerbird.content.attributes import (
    AttributeHeads,
    AttributeSettings,
    ColumnHead,
    Member,
    Voters,
    calibrated,
    voted,
    votes_of,
)
from bowerbird.errors import InputError
from bowerbird.metrics.classification import macro_f1
from bowerbird.nn.seeded_draws import seeded_draws
from bowerbird.randomness import generator
from bowerbird.telemetry import SILENT, Progress
from bowerbird.training.logistic import softmax
from bowerbird.training.losses import require_finite

__all__ = ["AttributeTraining", "HeadSettings", "trained_heads"]

_LEAST_STEPS = 200
"""A small set is passed over more often: twelve passes over seventy items teach nothing."""
_MIXES = (1.0, 0.8, 0.6, 0.4, 0.2, 0.0)
_TEMPERATURES = tuple(np.geomspace(0.4, 3.0, 25).tolist())
_TAUS = (0.0, 0.25, 0.5, 0.75, 1.0)
_CLEAR_GAIN = 0.005
"""A logit adjustment must beat none by this much macro-F1 on validation: a few rare items decide otherwise."""


class HeadSettings(Settings):
    """How the networks are trained. Chosen on validation parts of one set."""

    members: int = Field(default=2, ge=1, le=20)
    """Networks whose scores are averaged."""
    hidden: int = Field(default=384, ge=1, le=8192)
    """Width of the shared layer."""
    epochs: int = Field(default=12, ge=1, le=1000)
    """Passes over the training items."""
    batch: int = Field(default=128, ge=1)
    """Items a step."""
    rate: float = Field(default=1e-3, gt=0, le=1)
    """AdamW's largest learning rate; it falls to zero along a cosine."""
    decay: float = Field(default=0.1, ge=0)
    """Weight decay."""
    dropout: float = Field(default=0.4, ge=0, lt=1)
    """Share of the shared layer left out in training."""
    noise: float = Field(default=0.1, ge=0, lt=1)
    """Share of the features left out in training."""


@dataclass(frozen=True)
class AttributeTraining:
    """What heads learn from.

    Args:
        features: one row per item, any space.
        names: the columns.
        classes: each column's classes.
        codes: class of each item in each column; -1 where not known.
        one_space: whether the features are vectors of one space, whose weak axes are weak for a reason; they are
            then scaled as a whole. Features of many kinds are each scaled to deviation 1.
    """

    features: Float32[np.ndarray, "item dim"]
    names: tuple[str, ...]
    classes: tuple[tuple[str, ...], ...]
    codes: Int64[np.ndarray, "column item"]
    one_space: bool = False


def trained_heads(
    data: AttributeTraining,
    train: Int64[np.ndarray, " train"],
    valid: Int64[np.ndarray, " valid"],
    settings: HeadSettings | None = None,
    predicting: AttributeSettings | None = None,
    seed: int = 0,
    progress: Progress = SILENT,
) -> AttributeHeads:
    """Heads fitted on some items and calibrated on others.

    A column without labels in validation keeps the networks' own probabilities; a column with one class is
    always that class.

    Args:
        data: features and labels.
        train: rows to fit on.
        valid: rows to choose on.
        settings: how to train.
        predicting: how to predict.
        seed: draws initial weights, batches and dropout.
        progress: shows epochs.

    Raises:
        InputError: nothing to train on.
    """
    dials, rules = settings or HeadSettings(), predicting or AttributeSettings()
    if train.size == 0 or not len(data.names) or not (data.codes[:, train] >= 0).any():
        raise InputError(f"trained_heads: no label among {train.size} training items; expected at least one")
    own = data.features[train]
    mean, scale = own.mean(axis=0), np.maximum(own.std(axis=0), 1e-4)
    if data.one_space:
        scale = np.full_like(scale, np.sqrt(np.square(scale).mean()))
    z = (data.features - mean) / scale
    progress.start("train attribute heads", dials.members * dials.epochs, "epochs")
    sizes = [len(one) for one in data.classes]
    members = tuple(
        _trained_member(z[train], data.codes[:, train], sizes, dials, generator(seed, "heads", at), progress)
        for at in range(dials.members)
    )
    progress.finish()
    voters = Voters(normalise(z[train]), data.codes[:, train])
    logits = [member.logits(z[valid]) for member in members]
    near, weight = votes_of(normalise(z[valid]), voters, rules)
    columns = []
    for at, name in enumerate(data.names):
        count = np.bincount(data.codes[at, train][data.codes[at, train] >= 0], minlength=sizes[at])
        prior = ((count + 0.5) / (count.sum() + 0.5 * sizes[at])).astype(np.float32)
        known = data.codes[at, valid] >= 0
        networks = softmax(np.mean([one[at] for one in logits], axis=0))[known]
        votes = voted(near, weight, data.codes[at, train], sizes[at], prior)[known]
        chosen = _chosen(networks, votes, data.codes[at, valid][known], prior)
        columns.append(ColumnHead(name, data.classes[at], prior, *chosen))
    return AttributeHeads(mean, scale.astype(np.float32), members, tuple(columns), voters, rules)


def _chosen(
    networks: Float32[np.ndarray, "item class_"],
    votes: Float32[np.ndarray, "item class_"],
    truth: Int64[np.ndarray, " item"],
    prior: Float32[np.ndarray, " class_"],
) -> tuple[float, float, float]:
    """Mixture and temperature of the least log loss, then the logit adjustment of the best macro-F1."""
    if truth.size < 2:
        return 1.0, 1.0, 0.0
    rows = np.arange(truth.size)
    tried = {}
    for mix in _MIXES:
        for temperature in _TEMPERATURES:
            p = calibrated(networks, votes, mix, temperature)[rows, truth]
            tried[mix, temperature] = float(-np.log(np.maximum(p, 1e-12)).mean())
    mix, temperature = min(tried, key=tried.__getitem__)
    p = np.log(calibrated(networks, votes, mix, temperature))
    f1 = {tau: macro_f1(truth, (p - tau * np.log(prior)).argmax(axis=1)) for tau in _TAUS}
    best = max(_TAUS, key=lambda tau: f1[tau])
    return mix, temperature, best if f1[best] > f1[0.0] + _CLEAR_GAIN else 0.0


def _trained_member(
    z: Float32[np.ndarray, "item dim"],
    codes: Int64[np.ndarray, "column item"],
    sizes: Sequence[int],
    dials: HeadSettings,
    draws: np.random.Generator,
    progress: Progress,
) -> Member:
    with seeded_draws(int(draws.integers(2**31))):
        dim = z.shape[1]
        hidden = torch.nn.Linear(dim, dials.hidden)
        direct = [torch.nn.Linear(dim, size) for size in sizes]
        through = [torch.nn.Linear(dials.hidden, size, bias=False) for size in sizes]
        for one in direct:
            torch.nn.init.zeros_(one.weight)
        modules = torch.nn.ModuleList([hidden, *direct, *through])
        adam = torch.optim.AdamW(modules.parameters(), lr=dials.rate, weight_decay=dials.decay)
        batch = min(dials.batch, max(len(z) // 8, 1))
        each = -(-len(z) // batch)
        epochs = max(dials.epochs, -(-_LEAST_STEPS // each))
        steps = epochs * each
        plan = torch.optim.lr_scheduler.CosineAnnealingLR(adam, steps)
        rows, labels = torch.from_numpy(z), torch.from_numpy(codes)
        for epoch in range(epochs):
            for some in torch.from_numpy(draws.permutation(len(z))).split(batch):
                x = torch.nn.functional.dropout(rows[some], dials.noise)
                middle = torch.nn.functional.dropout(torch.relu(hidden(x)), dials.dropout)
                losses = [
                    torch.nn.functional.cross_entropy(a(x) + b(middle), labels[at, some], ignore_index=-1)
                    for at, (a, b) in enumerate(zip(direct, through, strict=True))
                    if bool((labels[at, some] >= 0).any())
                ]
                if losses:
                    loss = torch.stack(losses).sum()
                    require_finite(loss, f"attribute heads, epoch {epoch + 1}", f"rate ({dials.rate:g})")
                    adam.zero_grad()
                    loss.backward()
                    adam.step()
                plan.step()
            if epoch < dials.epochs:
                progress.advance()

    def numbers(tensor: torch.Tensor) -> np.ndarray:
        return np.ascontiguousarray(tensor.detach().numpy())

    return Member(
        numbers(hidden.weight.T),
        numbers(hidden.bias),
        tuple(numbers(one.weight.T) for one in direct),
        tuple(numbers(one.weight.T) for one in through),
        tuple(numbers(one.bias) for one in direct),
    )
