"""Training the neural ranker on logged impressions, and its export to the numpy that serves it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32, Int64
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from bowerbird.config import Settings
from bowerbird.nn.dropout import MaskStream
from bowerbird.nn.ranker import RankerModule, RankerSizes
from bowerbird.nn.seeded_draws import seeded_draws
from bowerbird.pipeline.release import Release
from bowerbird.randomness import generator
from bowerbird.ranking.card import RankerKind
from bowerbird.ranking.features import FEATURES
from bowerbird.ranking.lifelong import NEAREST
from bowerbird.ranking.network import POSITIONS, RankerNetwork
from bowerbird.ranking.network_inputs import (
    ACTION_ROWS,
    AGE_BUCKETS,
    BIN_ROWS,
    ID_ROWS,
    Quantiles,
    item_matrix,
)
from bowerbird.ranking.neural import WEIGHTS_FILE, hashed_items
from bowerbird.telemetry import SILENT, Progress
from bowerbird.training.loop import LoopSettings, train
from bowerbird.training.ranker_batches import Hidden, RankerRows
from bowerbird.training.ranker_examples import Examples

__all__ = ["FittedNetwork", "NeuralRankerSettings", "fit_network", "ranker_sizes"]


class NeuralRankerSettings(Settings):
    """The dials of the neural ranker."""

    token: int = Field(default=48, ge=8, le=256)
    """Width of tokens."""
    dropout: float = Field(default=0.1, ge=0.0, lt=1.0)
    """Rate of dropout."""
    requests: int = Field(default=64, ge=1)
    """Requests of a batch."""
    hidden: Hidden = Hidden()
    """What is hidden from the network while it learns."""
    label_matrix: dict[str, dict[str, float]] = Field(default_factory=dict)
    """Per head, the weight of examples whose label was another action; 1 where nothing is said."""
    loop: LoopSettings = LoopSettings(
        epochs=3, learning_rate=2e-3, weight_decay=0.02, warmup_steps=100, patience=2, average=0.99
    )
    """How long and how fast it learns."""


@dataclass(frozen=True)
class FittedNetwork:
    """A trained network with what it reads of items."""

    module: RankerModule
    quantiles: Quantiles
    actions: tuple[str, ...]
    matrix: Float32[np.ndarray, "item dim"]
    hashed: tuple[np.ndarray, np.ndarray]
    kind: RankerKind = "neural"

    def logits(self, examples: Examples) -> Float32[np.ndarray, "n action"]:
        """Raw scores at the positions the examples had."""
        rows = RankerRows(examples, self.quantiles, self.actions, self.matrix, self.hashed)
        return _logits(self.module, rows)

    def network(self) -> RankerNetwork:
        """The same in numpy."""
        weights = {name: one.detach().cpu().numpy() for name, one in self.module.named_parameters()}
        return RankerNetwork(weights, self.quantiles, self.module.sizes.attention_heads)

    def save(self, directory: Path) -> None:
        """Write the weights."""
        self.network().save(directory / WEIGHTS_FILE)


def fit_network(
    release: Release,
    train_on: Examples,
    held_out: Examples,
    actions: tuple[str, ...],
    seed: int,
    settings: NeuralRankerSettings | None = None,
    *,
    checkpoint: Path | None = None,
    progress: Progress = SILENT,
) -> FittedNetwork:
    """Train the network.

    Args:
        release: whose items and vectors it reads.
        train_on: what it learns from.
        held_out: what chooses the epoch.
        actions: the heads.
        seed: of the start, the order and what is hidden.
        settings: its dials.
        checkpoint: a file to keep the state in, and to go on from.
        progress: shows the epochs.

    Raises:
        InputError: the loss is not finite, or the checkpoint is of another run.
    """
    settings = settings or NeuralRankerSettings()
    matrix = item_matrix(release.vectors.get("item"), len(release.items))
    hashed = hashed_items(release)  # pyright: ignore[reportArgumentType] - cached_property
    quantiles = Quantiles.fitted(train_on.features[:, :-1])
    rows = [
        RankerRows(one, quantiles, actions, matrix, hashed, settings.label_matrix)
        for one in (train_on, held_out)
    ]
    masks = MaskStream()
    module = _begun(rows[0], settings, masks, matrix.shape[1], seed)
    task = _RankerTask(module, masks, rows[0], rows[1], settings, seed)
    digest = hashlib.blake2b(f"{settings.fingerprint()} {seed} {actions}".encode(), digest_size=8)
    for read in (train_on.features, train_on.labels, held_out.labels, matrix):
        digest.update(read.tobytes())
    train(
        task,
        settings.loop,
        name="train the ranker",
        fingerprint=digest.hexdigest(),
        checkpoint=checkpoint,
        progress=progress,
    )
    return FittedNetwork(module, quantiles, actions, matrix, hashed)


def ranker_sizes(item_dim: int, heads: int, token: int) -> RankerSizes:
    """The shape of a network that reads what serving gives it.

    Args:
        item_dim: width of item vectors.
        heads: actions that are predicted.
        token: width of tokens.
    """
    return RankerSizes(
        features=len(FEATURES),
        bin_rows=BIN_ROWS,
        item_dim=item_dim,
        id_rows=ID_ROWS,
        actions=ACTION_ROWS,
        ages=AGE_BUCKETS,
        positions=POSITIONS,
        nearest=NEAREST,
        heads=heads,
        token=token,
    )


def _begun(
    rows: RankerRows, settings: NeuralRankerSettings, masks: MaskStream, item_dim: int, seed: int
) -> RankerModule:
    """A network before its first step: drawn from the seed, each head at its action's rate."""
    sizes = ranker_sizes(item_dim, len(rows.actions), settings.token)
    with seeded_draws(seed):
        module = RankerModule(sizes, settings.dropout, masks)
    rates = np.clip(rows.rates, 1e-5, 1 - 1e-5)
    with torch.no_grad():
        module.out.bias.copy_(torch.from_numpy(np.log(rates / (1 - rates)).astype(np.float32)))
    return module


class _RankerTask:
    """Weighted cross-entropy of every head; the epoch is chosen by the held-out loss."""

    def __init__(
        self,
        module: RankerModule,
        masks: MaskStream,
        rows: RankerRows,
        held_out: RankerRows,
        settings: NeuralRankerSettings,
        seed: int,
    ) -> None:
        self.model, self._masks = module, masks
        self._rows, self._held_out = rows, held_out
        self._settings, self._seed = settings, seed

    def batches(self, epoch: int) -> Sequence[Int64[np.ndarray, "member"]]:
        """Requests of like histories together, in another order every epoch."""
        return self._rows.batches(self._settings.requests, generator(self._seed, "ranker epoch", epoch))

    def loss(self, batch: Int64[np.ndarray, "member"], step: int) -> Tensor:
        """``sum over heads of the mean of w (-y log p - (1 - y) log (1 - p))``."""
        self._masks.restart(self._seed, step)
        made = self._rows.batch(batch, self._settings.hidden, self._seed, step)
        loss = functional.binary_cross_entropy_with_logits(self.model(made), made.labels, weight=made.weights)
        return loss * made.labels.shape[1]

    def validation(self) -> float | None:
        """Minus the summed loss of the heads on held-out impressions, unweighted, everything in sight."""
        if len(self._held_out) == 0:
            return None
        logits, labels = _logits(self.model, self._held_out), self._held_out.labels
        return -float((np.logaddexp(0, logits) - labels * logits).mean(axis=0).sum())


def _logits(module: RankerModule, rows: RankerRows) -> Float32[np.ndarray, "n action"]:
    """Logits of all rows, in their order."""
    found = np.empty((len(rows.examples), len(rows.actions)), np.float32)
    module.eval()
    with torch.no_grad():
        for requests in rows.batches(256):
            found[rows.rows_of(requests)] = module(rows.batch(requests)).numpy()
    return found
