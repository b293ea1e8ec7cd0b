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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor, nn
from torch.nn import functional

from bowerbird.content.tower_settings import UnifiedSettings
from bowerbird.content.unified import UnifiedTower
from bowerbird.errors import NotReadyError
from bowerbird.nn.precision import fast_type
from bowerbird.nn.seeded_draws import seeded_draws
from bowerbird.randomness import generator
from bowerbird.records.signal import Vectors
from bowerbird.telemetry import SILENT, Progress
from bowerbird.training.contrastive import info_nce, softened
from bowerbird.training.losses import require_finite
from bowerbird.training.neighbour_batches import NeighbourBatches
from bowerbird.training.tower_batches import SidesOfItems, TextsOfItems, exported, new_tower, restored
from bowerbird.training.tower_checkpoint import Checkpoint
from bowerbird.training.tower_optimiser import LearntScale, scheduled, tower_optimiser
from bowerbird.training.tower_pairs import Pairs, check_pairs, held_back
from bowerbird.training.tuning import LiveInput

__all__ = ["LEAST_PAIRS", "Pairs", "TrainedTower", "UnifiedSettings", "train_unified"]

WIDTHS = (32, 64, 128)
"""Prefixes of the vector that are trained to stand alone beside the whole: one of them in each step, and all of them where
encoders are tuned, which costs so much more that it does not matter."""
LEAST_PAIRS = 64
_JOINT_PART = 2
"""The whole item is trained on this part of each batch: it is the easier task."""
_JOINT_WEIGHT = 0.25


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
    start: UnifiedTower | None = None,
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
        start: a trained tower of the same inputs and words to go on from; None begins with random weights.
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
    training = _Training(pairs, settings or UnifiedSettings(), seed, start, toward, dict(live or {}))
    kept = Checkpoint(checkpoint, training.fingerprint())
    return training.run(kept, progress)


class _Training:
    """One training under way: data, tower, optimiser."""

    def __init__(
        self,
        pairs: Pairs,
        settings: UnifiedSettings,
        seed: int,
        start: UnifiedTower | None,
        toward: Vectors | None,
        live: dict[str, LiveInput],
    ) -> None:
        check_pairs(pairs, settings, start, toward, live)
        self.pairs, self.settings, self.seed = pairs, settings, seed
        self.texts = TextsOfItems(pairs.item_of, len(pairs.seen))
        self.data = SidesOfItems(pairs.inputs, pairs.seen, pairs.said, self.texts, live)
        paired = np.flatnonzero(self.data.paired)
        self.held, self.fit = held_back(paired, settings.held_out, seed)
        if max(len(self.fit), len(pairs.neighbours)) < LEAST_PAIRS:
            raise NotReadyError(
                f"unified space: {len(paired)} items have both sides and {len(pairs.neighbours)} pairs are kept together; "
                f"a tower needs {LEAST_PAIRS} of either; the fused vectors do without training"
            )
        kept = None if toward is None else toward.take(np.arange(len(pairs.seen)))
        self.toward = None if kept is None else (torch.from_numpy(kept.matrix), kept.present)
        self.kept_together = NeighbourBatches(pairs.neighbours, self.data, self.texts, settings)
        self._start = None if start is None else start.space.key
        with seeded_draws(_torch_seed(seed, "weights")):
            words = len(pairs.vocabulary.words)
            self.tower = new_tower(pairs.inputs, words, settings.dim, settings.dropout)
        if start is not None:
            restored(self.tower, start, self.data.standard)
        if settings.plain:
            self.tower.keep_plain()
        self._half = fast_type(torch.device("cpu")) == torch.bfloat16
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
        digest.update(pairs.item_of.tobytes() + pairs.neighbours.fingerprint_bytes())
        digest.update(repr((self._tuned, self._start)).encode())
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
        order, walks = draw.permutation(self.fit), draw.permutation(len(self.kept_together))
        steps = max(1, math.ceil(max(len(order), len(walks)) / self.settings.batch))
        for number, (rows, ways) in enumerate(
            zip(np.array_split(order, steps), np.array_split(walks, steps), strict=True)
        ):
            if not self._tuned:
                self._widths = (int(draw.choice(WIDTHS)),)
            scheduled(self.optimiser, (epoch * steps + number) / (steps * self.settings.epochs))
            loss = self._pair_loss(rows, draw) if len(rows) > 1 else torch.zeros(())
            if len(ways) > 1 and self.settings.neighbour_weight > 0:
                loss = loss + self.settings.neighbour_weight * self._neighbour_loss(ways, draw)
            where = f"unified space, epoch {epoch + 1}, step {number + 1} of {steps}"
            require_finite(loss, where, f"learning_rate ({self.settings.learning_rate:g})")
            if loss.requires_grad:
                self.optimiser.zero_grad()
                loss.backward()
                self.optimiser.step()

    def _vectors(self, *batch: Any) -> Tensor:
        """The tower's vectors; in numbers of half the size where the processor is faster with them, the loss never is."""
        with torch.autocast("cpu", torch.bfloat16, enabled=self._half):
            return self.tower(*batch)

    def _pair_loss(self, rows: Int64[np.ndarray, "n"], draw: np.random.Generator) -> Tensor:
        """What is seen finds what is said of it, and the whole item finds either."""
        dropped = self.settings.word_dropout
        batch = self.data.seen.batch(rows)
        seen, loss = self._vectors(*batch), torch.zeros(())
        part = rows[: max(2, len(rows) // _JOINT_PART)]
        joint, alike = seen[: len(part)], torch.zeros(())
        for turn, texts in enumerate(self.texts.drawn(rows, self.settings.texts, draw)):
            words = self.data.said.batch(texts, dropped, draw)
            words = self.data.as_asked(words, self.pairs.asked, self.settings.asked_share, draw)
            said = self._vectors(*words)
            same = self.data.same(rows, texts)
            one = self._loss(seen, said, same, target=self._target(texts, same), narrow=turn == 0)
            loss = loss + one / self.settings.texts
            if turn == 0:
                joint = self._vectors(*self.data.together(part, batch, words))
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

    def _neighbour_loss(self, ways: Int64[np.ndarray, "n"], draw: np.random.Generator) -> Tensor:
        """Whole items that people keep together find each other; popular ones are not pushed away for it."""
        batch = self.kept_together.batch(ways, draw)
        return self._loss(
            self._vectors(*batch.left),
            self._vectors(*batch.right),
            batch.same,
            batch.log_popularity,
            beside=None if batch.beside is None else self._vectors(*batch.beside),
            same_beside=batch.same_beside,
        )

    def _loss(
        self,
        left: Tensor,
        right: Tensor,
        same: Tensor,
        log_popularity: Tensor | None = None,
        *,
        target: Tensor | None = None,
        narrow: bool = True,
        beside: Tensor | None = None,
        same_beside: Tensor | None = None,
    ) -> Tensor:
        """The loss of the whole vectors and, with less weight, of one of their beginnings."""
        scale, dim = self.scale(), self.settings.dim

        def loss_of(width: int) -> Tensor:
            def cut(side: Tensor) -> Tensor:
                return side if width == dim else functional.normalize(side[:, :width], dim=1)

            return info_nce(
                cut(left),
                cut(right),
                scale,
                same=same,
                log_popularity=log_popularity,
                target=target,
                beside=None if beside is None else cut(beside),
                same_beside=same_beside,
            )

        loss = loss_of(dim)
        widths = [width for width in self._widths if width < dim]
        if narrow and self.settings.narrow_weight > 0:
            for width in widths:
                loss = loss + self.settings.narrow_weight / len(widths) * loss_of(width)
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


def _copied(tower: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in tower.state_dict().items()}


def _last_best(history: Sequence[float]) -> int:
    return max(place for place, value in enumerate(history) if value == max(history))


def _torch_seed(seed: int, name: str) -> int:
    return int(generator(seed, "unified", name).integers(2**62))
