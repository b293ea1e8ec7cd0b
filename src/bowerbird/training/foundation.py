"""One encoder for all surfaces: pretrained on everything people did anywhere, then tuned to one surface at a small rate.

A surface with few actions cannot teach an encoder what a shop is; all surfaces together can. Pretraining asks three
things of a history: the next action, an action soon after, and from one place all that follows; tuning asks what
comes next on one surface. Items that are new have no learnt part worth having, so while tuning the learnt part of what
is scored is now and then another item's, and that of young items is often left out: content has to do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int64
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from bowerbird.config import Settings
from bowerbird.metrics import target_rank
from bowerbird.nn.causal_blocks import GatedBlock
from bowerbird.nn.dropout import MaskStream
from bowerbird.nn.precision import fast_type, in_type
from bowerbird.nn.seeded_draws import seeded_draws
from bowerbird.nn.sequence_encoder import ItemVectors, SequenceEncoder
from bowerbird.randomness import generator
from bowerbird.telemetry import SILENT, Progress
from bowerbird.training.batches import padded, rung, token_batches, windows
from bowerbird.training.loop import LoopSettings, Task, best_device, train
from bowerbird.training.losses import sampled_softmax
from bowerbird.training.memory import TrainingShape, refuse_too_large
from bowerbird.training.negatives import MixedNegatives, counted
from bowerbird.training.surface_log import SurfaceCases, SurfaceLog

__all__ = [
    "PRETRAINED",
    "FoundationModel",
    "FoundationSettings",
    "Pretraining",
    "Reader",
    "new_model",
    "pretrain",
    "scores",
    "train_task",
]

PRETRAINED = ("items.", "encoder.", "kinds")
"""What pretraining teaches, by the beginnings of names; the head is new to each surface."""
PATIENCE = 3
READ_TOKENS = 8192
"""Places of a padded batch when nothing is learnt."""


class FoundationSettings(Settings):
    """The encoder and how it is trained."""

    dim: int = Field(default=64, ge=8, le=512)
    """Width of vectors."""
    blocks: int = Field(default=2, ge=1, le=8)
    """Gated blocks."""
    heads: int = Field(default=2, ge=1, le=8)
    """Heads of attention; the width is a multiple."""
    length: int = Field(default=64, ge=4, le=1024)
    """Newest actions read."""
    ahead: int = Field(default=16, ge=1)
    """Actions the multi- and the future-token loss look ahead."""
    negatives: int = Field(default=512, ge=16)
    """Items a target is told from."""
    dropout: float = Field(default=0.3, ge=0.0, lt=1.0)
    """Share of values dropped in training."""
    epochs: int = Field(default=12, ge=1)
    """The most epochs; validation stops earlier."""
    tokens: int = Field(default=512, ge=64)
    """Places of a batch; small, because a surface with few actions has few batches."""
    learning_rate: float = Field(default=2e-3, gt=0.0)
    """The largest step size."""
    tuned_share: float = Field(default=0.1, ge=0.0, le=1.0)
    """Share of the step size for what was pretrained, while it is tuned."""
    other_ids: float = Field(default=0.1, ge=0.0, lt=1.0)
    """Share of scored items whose learnt part is another item's, while tuning."""
    young_dropout: float = Field(default=0.7, ge=0.0, le=1.0)
    """Share of young scored items without a learnt part, while tuning."""
    young_days: float = Field(default=7.0, ge=0.0)
    """Days since an item was first met for which it is young."""


class FoundationModel(nn.Module):
    """Item vectors, what was done where, an encoder over both, and a head for one surface.

    ``u_i = E(v + k)_i`` with ``k`` the vector of action and surface; tuned, ``u + W2 gelu(W1 u)``, which begins as ``u``.

    Source: PinFM (arXiv 2507.12704): pretrained module and fine-tuned head; actions and surfaces as added vectors.
    """

    def __init__(self, items: ItemVectors, encoder: SequenceEncoder, kinds: int, dim: int) -> None:
        super().__init__()
        self.items, self.encoder = items, encoder
        self.kinds = nn.Parameter(torch.randn(kinds, dim) * 0.02)
        self.widen, self.narrow = nn.Linear(dim, dim), nn.Linear(dim, dim)
        nn.init.zeros_(self.narrow.weight)
        nn.init.zeros_(self.narrow.bias)

    def forward(self, items: Tensor, kinds: Tensor) -> Tensor:
        """What each position asks with: batch x position x dim.

        Args:
            items: vectors of the items, batch x position x dim, padded on the right.
            kinds: codes of action and surface.
        """
        hidden = self.encoder(items + functional.embedding(kinds, self.kinds))
        return hidden + self.narrow(functional.gelu(self.widen(hidden)))


def new_model(log: SurfaceLog, settings: FoundationSettings, seed: int) -> FoundationModel:
    """A model with random weights.

    Raises:
        TooLargeError: training it would not fit into memory.
    """
    shape = TrainingShape(
        items=log.items_total, dim=settings.dim, blocks=settings.blocks, heads=settings.heads,
        tokens=settings.tokens, length=settings.length, negatives=settings.negatives,
    )  # fmt: skip
    refuse_too_large(shape, "foundation encoder")
    with seeded_draws(int(generator(seed, "foundation", "weights").integers(2**31))):
        masks = MaskStream()
        blocks = [
            GatedBlock(settings.dim, settings.heads, settings.dropout, settings.length, masks)
            for _ in range(settings.blocks)
        ]
        content = None if log.content is None else torch.from_numpy(log.content)
        items = ItemVectors(log.items_total, settings.dim, masks, content)
        encoder = SequenceEncoder(settings.dim, blocks, settings.dropout, masks)
        return FoundationModel(items, encoder, log.kinds_total, settings.dim)


class Reader:
    """What pretraining and tuning share: windows, batches, hidden vectors, validation.

    Args:
        model: what is trained.
        log: what people did, to learn from.
        settings: the dials.
        cases: what the epoch is chosen by.
        seed: decides windows and batches.
    """

    def __init__(
        self,
        model: FoundationModel,
        log: SurfaceLog,
        settings: FoundationSettings,
        cases: SurfaceCases | None,
        seed: int,
    ) -> None:
        self.device = best_device()
        self.model = model.to(self.device)
        self.log, self.settings, self.seed = log, settings, seed
        self._cases = cases
        counts = counted(log.items[log.wanted], log.items_total)
        self.negatives = MixedNegatives(counts, log.items_total, settings.negatives)

    def batches(
        self, epoch: int, wanted: Bool[np.ndarray, "step"] | None = None
    ) -> Sequence[tuple[np.ndarray, np.ndarray]]:
        """Windows of like lengths, first actions and ends; only those that hold a wanted step."""
        random = generator(self.seed, "foundation batches", epoch)
        starts, stops = windows(self.log.sequences, self.settings.length, random)
        if wanted is not None:
            reached = np.concatenate([[0], np.cumsum(wanted)])
            some = reached[stops] > reached[starts]
            starts, stops = starts[some], stops[some]
        groups = token_batches(stops - starts, self.settings.tokens, random)
        return [(starts[group], stops[group]) for group in groups]

    def framed(self, batch: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray, int]:
        """The windows with empty ones up to one of few numbers of rows, and one of few widths: new shapes cost."""
        starts, stops = batch
        longest = self.settings.length + 1
        width = rung(int((stops - starts).max()), longest)
        empty = np.zeros(
            rung(starts.size, max(1, self.settings.tokens // width)) - starts.size, dtype=np.int64
        )
        return np.concatenate([starts, empty]), np.concatenate([stops, empty]), width

    def hidden(self, starts: np.ndarray, stops: np.ndarray, width: int, table: Tensor) -> Tensor:
        """What each place of some framed windows asks with: row x position x dim."""
        columns = (padded(one, starts, stops, width) for one in (self.log.items, self.log.kinds))
        read, kinds = (self.tensor(one.astype(np.int64)) for one in columns)
        return in_type(self.model, fast_type(self.device), functional.embedding(read, table), kinds)

    def validation(self) -> float | None:
        """NDCG@10 of the cases; None without any."""
        if self._cases is None or not self._cases.target.size:
            return None
        ranks = self._cases.ranks(scores(self.model, self._cases, self.settings.length, self.log.met))
        return float(target_rank.ndcg(ranks, 10).mean())

    def tensor(self, values: np.ndarray) -> Tensor:
        """Values where the model is."""
        return torch.as_tensor(values, device=self.device)


class Pretraining:
    """Batches and losses of pretraining; see :class:`bowerbird.training.loop.Task`.

    ``L = (L_next + L_multi + L_future) / 3``, each a sampled softmax over items people liked: at every place the next
    action; at every place one of the next ``ahead`` actions; at one place in the middle all of the next ``ahead``.

    Source: PinFM (arXiv 2507.12704), its three losses; of the multi-token sum we draw one term per place.

    Args:
        reader: the model and what it reads.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    @property
    def model(self) -> FoundationModel:
        """What is trained."""
        return self._reader.model

    def batches(self, epoch: int) -> Sequence[tuple[np.ndarray, np.ndarray]]:
        """Windows of like lengths: first actions and ends."""
        return self._reader.batches(epoch)

    def validation(self) -> float | None:
        """See :meth:`Reader.validation`."""
        return self._reader.validation()

    def loss(self, batch: tuple[np.ndarray, np.ndarray], step: int) -> Tensor:
        """The mean of the three losses."""
        starts, stops, width = self._reader.framed(batch)
        self.model.encoder.masks.restart(self._reader.seed, step)
        random = generator(self._reader.seed, "foundation loss", step)
        asked, targets, weights = self.pairs(starts, stops, width, random)
        if not asked.size:
            return self.model.items.ids.sum() * 0.0
        table = self.model.items()
        hidden = self._reader.hidden(starts, stops, width, table).flatten(0, 1)
        target = self._reader.log.items[targets].astype(np.int64)
        drawn = self._reader.negatives.draw(target, random)
        scored = functional.embedding(self._reader.tensor(np.concatenate([target, drawn.items])), table).to(
            hidden.dtype
        )
        return sampled_softmax(
            hidden[self._reader.tensor(asked)],
            scored,
            self._reader.tensor(target),
            drawn,
            counted=self._reader.tensor(weights),
        )

    def pairs(
        self, starts: np.ndarray, stops: np.ndarray, width: int, random: np.random.Generator
    ) -> tuple[Int64[np.ndarray, "pair"], Int64[np.ndarray, "pair"], Float32[np.ndarray, "pair"]]:
        """Which place of the padded batch is asked for which step of the log, and the weight of each pair.

        Returns:
            Places ``row * width + position``; steps of the log; weights, the same in all for each loss that has a pair.
        """
        here = starts[:, None] + np.arange(width)
        inside = here < stops[:, None]
        place = np.arange(here.size).reshape(here.shape)
        last = stops[:, None] - 1
        soon = here + random.integers(1, self._reader.settings.ahead + 1, here.shape)
        middle = (stops - starts) // 2
        since = (starts + middle)[:, None] + 1 + np.arange(self._reader.settings.ahead)
        asked = np.broadcast_to((np.arange(starts.size) * width + middle)[:, None], since.shape)
        found = []
        for where, step, follows in (
            (place, here + 1, inside & (here + 1 <= last)),
            (place, soon, inside & (soon <= last)),
            (asked, since, since <= last),
        ):
            fits = follows & self._reader.log.wanted[np.where(follows, step, 0)]
            count = int(fits.sum())
            found.append((where[fits], step[fits], np.full(count, 1.0 / max(count, 1), dtype=np.float32)))
        where, step, weight = (np.concatenate(part) for part in zip(*found, strict=True))
        return where.astype(np.int64), step.astype(np.int64), weight


def pretrain(
    log: SurfaceLog,
    settings: FoundationSettings,
    cases: SurfaceCases | None,
    seed: int,
    progress: Progress = SILENT,
) -> FoundationModel:
    """A model trained on everything people did on all surfaces.

    Raises:
        InputError: the loss is not finite.
    """
    reader = Reader(new_model(log, settings, seed), log, settings, cases, seed)
    train_task(Pretraining(reader), settings, "pretraining", progress)
    return reader.model


def train_task(
    task: Task,
    settings: FoundationSettings,
    name: str,
    progress: Progress,
    shares: Mapping[str, float] | None = None,
) -> None:
    """Train the task's model, with the dials of the settings."""
    loop = LoopSettings(epochs=settings.epochs, learning_rate=settings.learning_rate, patience=PATIENCE)
    train(task, loop, name=name, progress=progress, shares=shares)


def scores(
    model: FoundationModel, cases: SurfaceCases, length: int, met: Bool[np.ndarray, "item"]
) -> Float32[np.ndarray, "case item"]:
    """Scores of all items for each case.

    Args:
        model: in any mode; it is left in it.
        cases: who is asked about.
        length: newest actions read.
        met: items that the model was trained on; the others go by their content alone.
    """
    log, device = cases.log, model.items.ids.device
    stops = log.sequences.bounds[1:][cases.users]
    starts = np.maximum(log.sequences.bounds[:-1][cases.users], stops - length)
    found = np.zeros((cases.users.size, log.items_total), dtype=np.float32)
    was_training = model.training
    model.eval()
    with torch.no_grad():
        everything = torch.arange(log.items_total, device=device)
        table = model.items.candidates(everything, everything, torch.as_tensor(met, device=device))
        for group in token_batches(stops - starts, READ_TOKENS):
            columns = (padded(one, starts[group], stops[group]) for one in (log.items, log.kinds))
            read, kinds = (torch.as_tensor(one.astype(np.int64), device=device) for one in columns)
            hidden = model(functional.embedding(read, table), kinds)
            last = torch.as_tensor(stops[group] - starts[group] - 1, device=device)
            asked = hidden[torch.arange(group.size, device=device), last]
            found[group] = (asked @ table.T).cpu().numpy()
    model.train(was_training)
    return found
