"""Training of the item tower on somebody's own catalogue: minutes on a processor.

Two sides of an item are pulled together: what is seen and what is said (a picture and its captions, a
product photo and its title). Where behaviour is known, an item and its neighbours in what people keep
together are pulled together too. Pairs held back from training decide when to stop.

Source: PinCLIP (arXiv:2603.03544): image-text and neighbour losses over one fused tower, Matryoshka widths;
OmniSearchSage (arXiv:2404.16260): a new tower trained toward the frozen vectors of the old one.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32, Int64
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from bowerbird.config import Settings
from bowerbird.content.item_parts import ItemParts, WordVocabulary
from bowerbird.content.unified import TowerInput, UnifiedTower
from bowerbird.errors import InputError, NotReadyError
from bowerbird.nn.seeded_draws import seeded_draws
from bowerbird.randomness import generator
from bowerbird.records.signal import Vectors
from bowerbird.telemetry import SILENT, Progress
from bowerbird.training.contrastive import info_nce, softened
from bowerbird.training.losses import require_finite
from bowerbird.training.tower_batches import SidesOfItems, TextsOfItems, exported, new_tower
from bowerbird.training.tower_checkpoint import Checkpoint
from bowerbird.training.tower_optimiser import LearntScale, scheduled, tower_optimiser
from bowerbird.training.tuning import LiveInput

WIDTHS = (32, 64, 128)
"""Prefixes of the vector that are trained to stand alone beside the whole: one of them in each step, and all of them where
encoders are tuned, which costs so much more that it does not matter."""
LEAST_PAIRS = 64
_JOINT_PART = 2
"""The whole item is trained on this part of each batch: it is the easier task."""
_JOINT_WEIGHT = 0.25
_MODALITY_DROPOUT = 0.2
_MOST_HELD = 500


class UnifiedSettings(Settings):
    """The dials of the training."""

    dim: int = Field(default=256, ge=64, le=1024, multiple_of=64)
    """Width of the vectors."""
    epochs: int = Field(default=20, ge=1, le=1000)
    """Passes over the items."""
    batch: int = Field(default=1500, ge=16, le=65536)
    """Items in a step; all of a batch are each other's negatives."""
    learning_rate: float = Field(default=2e-3, gt=0)
    """Peak of a warm-up and cosine schedule."""
    tuned_rate: float = Field(default=3e-4, gt=0)
    """Peak for the layers of encoders that learn too."""
    weight_decay: float = Field(default=0.05, ge=0)
    """Decay of matrices."""
    dropout: float = Field(default=0.4, ge=0, lt=1)
    """Share of each input vector left out."""
    word_dropout: float = Field(default=0.3, ge=0, lt=1)
    """Share of the words left out."""
    texts: int = Field(default=2, ge=1, le=16)
    """Texts of an item used in a step."""
    neighbour_weight: float = Field(default=1.0, ge=0)
    """Weight of the neighbour loss beside the picture-words loss."""
    narrow_weight: float = Field(default=0.5, ge=0)
    """Weight of the losses of narrower vectors beside that of the whole."""
    soft_share: float = Field(default=0.5, ge=0, lt=1)
    """Share of each pair's target that is spread over pairs whose texts mean nearly the same."""
    plain: bool = False
    """Only the sum of linear projections, without attention and hidden layer: the baseline."""
    held_out: float = Field(default=0.05, ge=0, le=0.5)
    """Share of the items held back to choose the best epoch; 0 keeps the last."""


@dataclass(frozen=True)
class Pairs:
    """What a tower is trained on.

    Args:
        inputs: the modalities and where their vectors live.
        seen: one side of each item, row by row.
        said: the other side; several rows may belong to one item.
        item_of: item row of each row of ``said``.
        vocabulary: what the columns of ``said.words`` are.
        neighbours: item rows of pairs that people keep together, (pair, 2); empty for none.
    """

    inputs: tuple[TowerInput, ...]
    seen: ItemParts
    said: ItemParts
    item_of: Int64[np.ndarray, "text"]
    vocabulary: WordVocabulary = field(default_factory=lambda: WordVocabulary(()))
    neighbours: Int64[np.ndarray, "pair 2"] = field(default_factory=lambda: np.zeros((0, 2), np.int64))


@dataclass(frozen=True)
class TrainedTower:
    """A tower and how it came about."""

    tower: UnifiedTower
    epochs: int
    """Epochs trained."""
    best_epoch: int
    """The epoch whose weights were kept, counted from 1."""
    history: tuple[float, ...]
    """Per epoch, mean reciprocal rank of held-out pairs both ways, in [0, 1]; empty without held-out pairs."""


def train_unified(
    pairs: Pairs,
    settings: UnifiedSettings | None = None,
    seed: int = 0,
    *,
    toward: Vectors | None = None,
    live: Mapping[str, LiveInput] | None = None,
    checkpoint: Path | None = None,
    progress: Progress = SILENT,
) -> TrainedTower:
    """A tower that brings together what is seen, what is said and what is kept together.

    The same pairs, settings and seed give the same weights, also when the training was killed and resumed.

    Args:
        pairs: what to learn from.
        settings: the defaults when absent.
        seed: of initial weights, batches and dropout.
        toward: vectors of an older tower, a row per item: the new tower learns to stay comparable with them
            (measure it, see :func:`bowerbird.content.alignment.agreement`).
        live: modalities whose last layers learn with the tower, by name, row by row as in ``pairs``; when it returns,
            they hold the weights that go with the tower, and their vectors stand in for the blocks of that name.
        checkpoint: where to keep the state after each epoch; None keeps nothing.
        progress: shows epochs.

    Raises:
        NotReadyError: fewer than 64 items have both sides or a neighbour.
        InputError: the two sides do not fit each other, or the loss is no number: the checkpoint then holds the last
            whole epoch.
    """
    training = _Training(pairs, settings or UnifiedSettings(), seed, toward, dict(live or {}))
    kept = Checkpoint(checkpoint, training.fingerprint())
    return training.run(kept, progress)


class _Training:
    """One training under way: data, tower, optimiser."""

    def __init__(
        self,
        pairs: Pairs,
        settings: UnifiedSettings,
        seed: int,
        toward: Vectors | None,
        live: dict[str, LiveInput],
    ) -> None:
        _check(pairs, settings, toward, live)
        self.pairs, self.settings, self.seed = pairs, settings, seed
        self.texts = TextsOfItems(pairs.item_of, len(pairs.seen))
        self.data = SidesOfItems(pairs.inputs, pairs.seen, pairs.said, self.texts, live)
        paired = np.flatnonzero(self.data.paired)
        self.held, self.fit = _held_back(paired, settings.held_out, seed)
        if max(len(self.fit), len(pairs.neighbours)) < LEAST_PAIRS:
            raise NotReadyError(
                f"unified space: {len(paired)} items have both sides and {len(pairs.neighbours)} pairs are kept together; "
                f"a tower needs {LEAST_PAIRS} of either; the fused vectors do without training"
            )
        kept = None if toward is None else toward.take(np.arange(len(pairs.seen)))
        self.toward = None if kept is None else (torch.from_numpy(kept.matrix), kept.present)
        self.log_popularity = _log_popularity(pairs.neighbours, len(pairs.seen))
        with seeded_draws(_torch_seed(seed, "weights")):
            words = len(pairs.vocabulary.words)
            self.tower = new_tower(pairs.inputs, words, settings.dim, settings.dropout)
        if settings.plain:
            self.tower.keep_plain()
        self.scale = LearntScale()
        self._widths: tuple[int, ...] = WIDTHS
        self._tuned = sorted(live)
        tops = {name: one.top for name, one in live.items()}
        self.learnt = nn.ModuleDict({"tower": self.tower, "scale": self.scale, "tops": nn.ModuleDict(tops)})
        rates = (settings.learning_rate, settings.tuned_rate)
        self.optimiser = tower_optimiser(
            (self.tower, self.scale), tops.values(), rates, settings.weight_decay
        )

    def fingerprint(self) -> str:
        """Of everything the weights depend on."""
        pairs, digest = self.pairs, hashlib.blake2b(digest_size=16)
        digest.update(
            f"{self.settings.fingerprint()}/{self.seed}/{pairs.inputs}/{pairs.vocabulary.words}".encode()
        )
        digest.update(pairs.item_of.tobytes() + pairs.neighbours.tobytes())
        digest.update(repr(self._tuned).encode())
        for side in (pairs.seen, pairs.said):
            for name in sorted(side.blocks):
                digest.update(name.encode() + side.blocks[name].values.tobytes())
        if self.toward is not None:
            digest.update(self.toward[0].numpy().tobytes())
        return digest.hexdigest()

    def run(self, kept: Checkpoint, progress: Progress) -> TrainedTower:
        """All epochs, or those a killed training left; the weights of the best one."""
        modules: dict[str, nn.Module] = {"learnt": self.learnt}
        history: list[float] = []
        best = _copied(self.learnt)
        found = kept.restore(modules, self.optimiser)
        if found is not None:
            best, history = found[0], [float(value) for value in found[1]]
        progress.start("train the unified space", self.settings.epochs, "epochs")
        progress.advance(len(history))
        for epoch in range(len(history), self.settings.epochs):
            with seeded_draws(_torch_seed(self.seed, f"epoch {epoch}")):
                self._epoch(epoch)
            history.append(self._held_out_rank() if len(self.held) else 0.0)
            if not len(self.held) or history[-1] >= max(history):
                best = _copied(self.learnt)
            kept.save(modules, self.optimiser, best, history)
            progress.advance()
        self.learnt.load_state_dict(best)
        self.learnt.eval()
        kept.drop()
        best_epoch = len(history) if not len(self.held) else 1 + _last_best(history)
        note = f"best of {len(history)} epochs: {best_epoch}" if len(self.held) else f"{len(history)} epochs"
        progress.finish(note)
        tower = exported(self.tower, self.pairs.inputs, self.data.standard, self.pairs.vocabulary)
        return TrainedTower(tower, len(history), best_epoch, tuple(history) if len(self.held) else ())

    def _epoch(self, epoch: int) -> None:
        draw = generator(self.seed, "unified", "epoch", epoch)
        self.learnt.train()
        together = self.pairs.neighbours
        order, walks = draw.permutation(self.fit), draw.permutation(len(together))
        steps = max(1, math.ceil(max(len(order), len(walks)) / self.settings.batch))
        for number, (rows, ways) in enumerate(
            zip(np.array_split(order, steps), np.array_split(walks, steps), strict=True)
        ):
            if not self._tuned:
                self._widths = (int(draw.choice(WIDTHS)),)
            scheduled(self.optimiser, (epoch * steps + number) / (steps * self.settings.epochs))
            loss = self._pair_loss(rows, draw) if len(rows) > 1 else torch.zeros(())
            if len(ways) > 1 and self.settings.neighbour_weight > 0:
                loss = loss + self.settings.neighbour_weight * self._neighbour_loss(together[ways], draw)
            where = f"unified space, epoch {epoch + 1}, step {number + 1} of {steps}"
            require_finite(loss, where, f"learning_rate ({self.settings.learning_rate:g})")
            if loss.requires_grad:
                self.optimiser.zero_grad()
                loss.backward()
                self.optimiser.step()

    def _pair_loss(self, rows: Int64[np.ndarray, "n"], draw: np.random.Generator) -> Tensor:
        """What is seen finds what is said of it, and the whole item finds either."""
        dropped = self.settings.word_dropout
        batch = self.data.seen.batch(rows)
        seen, loss = self.tower(*batch), torch.zeros(())
        part = rows[: max(2, len(rows) // _JOINT_PART)]
        joint, alike = seen[: len(part)], torch.zeros(())
        for turn, texts in enumerate(self.texts.drawn(rows, self.settings.texts, draw)):
            words = self.data.said.batch(texts, dropped, draw)
            said = self.tower(*words)
            same = self.data.same(rows, texts)
            one = self._loss(seen, said, same, target=self._target(texts, same), narrow=turn == 0)
            loss = loss + one / self.settings.texts
            if turn == 0:
                joint = self.tower(*self.data.together(part, batch, words))
                alike = same[: len(part), : len(part)]
        loss = loss + _JOINT_WEIGHT * self._loss(joint, seen[: len(part)], alike)
        if self.toward is not None:
            old, there = self.toward
            known = np.flatnonzero(there[part])
            if len(known) > 1:
                loss = loss + info_nce(joint[known], old[torch.from_numpy(part[known])], self.scale())
        return loss

    def _target(self, texts: Int64[np.ndarray, "n"], same: Tensor) -> Tensor | None:
        """How much of each pair's target lies on each other pair, by what their texts mean; None where nobody can say."""
        meaning, share = self.data.meaning(texts), self.settings.soft_share
        return None if meaning is None or share == 0 else softened(meaning, share, same=same)

    def _neighbour_loss(self, ways: Int64[np.ndarray, "n 2"], draw: np.random.Generator) -> Tensor:
        """Whole items that people keep together find each other; popular ones are not pushed away for it."""
        ends = []
        for column in (0, 1):
            rows = ways[:, column]
            (texts,) = self.texts.drawn(rows, 1, draw)
            ends.append(
                self.tower(
                    *self.data.joint(rows, texts, self.settings.word_dropout, draw, drop=_MODALITY_DROPOUT)
                )
            )
        same = torch.from_numpy(ways[:, 1][:, None] == ways[:, 1][None, :])
        return self._loss(ends[0], ends[1], same, torch.from_numpy(self.log_popularity[ways[:, 1]]))

    def _loss(
        self,
        left: Tensor,
        right: Tensor,
        same: Tensor,
        log_popularity: Tensor | None = None,
        *,
        target: Tensor | None = None,
        narrow: bool = True,
    ) -> Tensor:
        """The loss of the whole vectors and, with less weight, of one of their beginnings."""
        scale = self.scale()
        loss = info_nce(left, right, scale, same=same, log_popularity=log_popularity, target=target)
        widths = [width for width in self._widths if width < self.settings.dim]
        if narrow and widths and self.settings.narrow_weight > 0:
            for width in widths:
                one, other = (functional.normalize(side[:, :width], dim=1) for side in (left, right))
                beginning = info_nce(
                    one, other, scale, same=same, log_popularity=log_popularity, target=target
                )
                loss = loss + self.settings.narrow_weight / len(widths) * beginning
        return loss

    @torch.no_grad()
    def _held_out_rank(self) -> float:
        """Mean reciprocal rank of held-out items by one of their texts, and the other way round.

        A recall would be full from the first epochs on where few items are held back.
        """
        self.learnt.eval()
        (texts,) = self.texts.drawn(self.held, 1, generator(self.seed, "unified", "held out"))
        seen = self.tower(*self.data.seen.batch(self.held))
        said = self.tower(*self.data.said.batch(texts))
        scores = (seen @ said.T).numpy()
        own = np.diagonal(scores)
        ranks = np.concatenate([(scores > own[:, None]).sum(axis=1), (scores > own[None, :]).sum(axis=0)])
        return float((1 / (1 + ranks)).mean())


def _check(
    pairs: Pairs, settings: UnifiedSettings, toward: Vectors | None, live: Mapping[str, LiveInput]
) -> None:
    both = set(pairs.seen.blocks) & set(pairs.said.blocks)
    if both or (pairs.seen.words is not None):
        raise InputError(
            f"unified training: {', '.join(sorted(both)) or 'words'} on both sides; expected each modality on one, words among what is said"
        )
    if len(pairs.item_of) != len(pairs.said):
        raise InputError(
            f"unified training: {len(pairs.said)} texts, {len(pairs.item_of)} item rows; expected one each"
        )
    if toward is not None and (len(toward) != len(pairs.seen) or toward.space.dim != settings.dim):
        raise InputError(
            f"unified training: {len(toward)} vectors of {toward.space.dim} numbers to train toward; "
            f"expected {len(pairs.seen)} of {settings.dim}"
        )
    for name, one in live.items():
        side = pairs.seen if name in pairs.seen.blocks else pairs.said
        if name not in side.blocks or len(one) != len(side):
            raise InputError(
                f"unified training: {len(one)} live rows of {name!r}; expected a modality of the pairs and as many rows "
                f"({len(pairs.seen)} seen, {len(pairs.said)} said)"
            )


def _held_back(paired: Int64[np.ndarray, "n"], share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Items to choose the epoch on, and items to train on; none is held back where there are few."""
    count = min(int(len(paired) * share), _MOST_HELD)
    if count < 10:
        return np.zeros(0, np.int64), paired
    order = generator(seed, "unified", "split").permutation(paired)
    return np.sort(order[:count]), np.sort(order[count:])


def _log_popularity(neighbours: Int64[np.ndarray, "pair 2"], items: int) -> Float32[np.ndarray, "item"]:
    counts = np.bincount(neighbours[:, 1], minlength=items).astype(np.float64)
    return np.log(np.maximum(counts, 1) / max(len(neighbours), 1)).astype(np.float32)


def _copied(tower: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in tower.state_dict().items()}


def _last_best(history: Sequence[float]) -> int:
    return max(place for place, value in enumerate(history) if value == max(history))


def _torch_seed(seed: int, name: str) -> int:
    return int(generator(seed, "unified", name).integers(2**62))
