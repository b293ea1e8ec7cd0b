"""Trained sequence encoders as recommenders: from interactions to a fitted model and its scores."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float32, Int32, Int64
from pydantic import Field

from bowerbird.config import Settings
from bowerbird.extras import needed
from bowerbird.recommenders.guidance import Effort, Guidance, held_out
from bowerbird.recommenders.interactions import Interactions
from bowerbird.recommenders.recommender import Histories
from bowerbird.recommenders.sequence_inputs import sequence_data, sequence_data_of, validation_cases
from bowerbird.telemetry import SILENT
from bowerbird.users.calendar import known_values
from bowerbird.users.next_item import GAP_BUCKETS

if TYPE_CHECKING:
    from torch import nn

    from bowerbird.nn.dropout import MaskStream
    from bowerbird.training.next_item import NextItemModel
    from bowerbird.training.workers import Workers

__all__ = [
    "Blocks",
    "FittedSequence",
    "Recipe",
    "SequenceRecommender",
    "SequenceSettings",
    "fit_sequence",
    "too_small",
]

EPOCHS: dict[Effort, int] = {"quick": 12, "standard": 40, "thorough": 80}
MOST_TARGETS: dict[Effort, int] = {"quick": 8_000_000, "standard": 32_000_000, "thorough": 96_000_000}
"""Targets learnt from in all epochs together; large data gets fewer epochs."""
UPDATES = 5_120
"""Batches are made so large that a standard training has about this many; large data has more."""
SHORT, LONG = 50, 200
LEAST_TARGETS = 2_000
"""Fewer events to learn from than this say less to an encoder than to a count of neighbours."""


class SequenceSettings(Settings):
    """The encoder's shape and how it is trained; what is None is decided by the data."""

    dim: int = Field(default=64, ge=8, le=1024)
    """Width of item vectors and of the encoder."""
    blocks: int = Field(default=2, ge=1, le=16)
    """Blocks of the encoder."""
    heads: int = Field(default=2, ge=1, le=16)
    """Heads of attention."""
    dropout: float | None = Field(default=None, ge=0.0, lt=1.0)
    """Dropout rate; None: .5 where items are met rarely, .2 where they are met often."""
    length: int | None = Field(default=None, ge=2, le=2000)
    """The latest events that are read; None: 50, or 200 where histories are long."""
    negatives: int = Field(default=512, ge=0)
    """Negatives of the sampled softmax, half from the batch, half uniform; 0: full cross-entropy."""
    learning_rate: float = Field(default=2e-3, gt=0.0)
    """The largest step size."""
    weight_decay: float = Field(default=0.0, ge=0.0)
    """Decay of matrices."""
    calendar: bool = False
    """Whether hour, day of the week and month of the question (UTC) are read where the data has times."""


Blocks = Callable[["SequenceSettings", float, int, "MaskStream"], "list[nn.Module]"]
"""Makes the encoder's blocks from settings, dropout rate, reach and the dropout stream."""


@dataclass(frozen=True)
class Recipe:
    """What one kind of encoder is made of."""

    settings: SequenceSettings
    blocks: Blocks
    positions: bool = False
    """Whether positions have learnt vectors; else the blocks know distances."""
    times: bool = False
    """Whether time gaps are read where the data has times."""
    content: Float32[np.ndarray, "item width"] | None = None
    """Content of the items, read and scored beside the learnt vectors."""
    topics: Int32[np.ndarray, " item"] | None = None
    """Topic of each item, from 1 on, 0 for none, where the encoder is to be asked about topics."""


@dataclass(frozen=True)
class FittedSequence:
    """A trained encoder and what it takes to ask it."""

    model: NextItemModel
    length: int
    chosen: dict[str, Any] = field(default_factory=dict)
    """What was decided by the data, and how training went; printed in the report."""
    earlier_cpu_s: float = 0.0
    """CPU-seconds of training before it went on from a checkpoint."""

    def scores(self, histories: Histories) -> Float32[np.ndarray, "user item"]:
        """``score_j = h . W_j`` with the hidden vector of the last position; zeros for an empty history."""
        return self.queries(histories) @ self.item_vectors().T

    def queries(self, histories: Histories) -> Float32[np.ndarray, "user dim"]:
        """What each history asks with."""
        from bowerbird.training.next_item import query_vectors

        return query_vectors(self.model, sequence_data(histories), self.length)

    def topic_queries(
        self, histories: Histories, topics: Int64[np.ndarray, "user topic"]
    ) -> Float32[np.ndarray, "user topic dim"]:
        """What each history asks with about each of its topics."""
        from bowerbird.training.next_item import topic_vectors

        return topic_vectors(self.model, sequence_data(histories), self.length, topics)

    def item_vectors(self) -> Float32[np.ndarray, "item dim"]:
        """The item vectors, in rows of the catalogue."""
        import torch

        with torch.no_grad():
            return self.model.items().cpu().numpy()


class SequenceRecommender:
    """A recommender that is one trained encoder.

    Args:
        name: what progress and errors call it.
        summary: one line for ``--models list``.
        recipe: what is trained.
    """

    uses_seed = True

    def __init__(self, name: str, summary: str, recipe: Recipe) -> None:
        self._name, self.summary, self._recipe = name, summary, recipe

    @property
    def settings(self) -> SequenceSettings:
        """The encoder's shape and how it is trained."""
        return self._recipe.settings

    def variants(self) -> Sequence[SequenceRecommender]:
        """Three dropout rates."""
        recipes = [
            replace(self._recipe, settings=self.settings.model_copy(update={"dropout": rate}))
            for rate in (0.2, 0.35, 0.5)
        ]
        return [SequenceRecommender(self._name, self.summary, recipe) for recipe in recipes]

    def fit(self, train: Interactions, seed: int) -> FittedSequence:
        """Trained with some users' last events held back to choose the epoch."""
        return self.fit_guided(train, seed, Guidance())

    def fit_guided(self, train: Interactions, seed: int, guidance: Guidance) -> FittedSequence:
        """Trained on train, the epoch chosen on validation."""
        return fit_sequence(train, seed, guidance, self._recipe, self._name)


def too_small(train: Interactions) -> str | None:
    """Why the data is too small to train an encoder on, in words; None when it is not."""
    targets = len(train) - int(np.unique(train.users).size)
    if targets >= LEAST_TARGETS:
        return None
    return (
        f"{targets:,} events with one before them are too few to train an encoder on "
        f"({LEAST_TARGETS:,} are the least)"
    )


def fit_sequence(
    train: Interactions, seed: int, guidance: Guidance, recipe: Recipe, name: str
) -> FittedSequence:
    """Train an encoder.

    Args:
        train: what is learnt from; some is held back when the guidance has no validation part.
        seed: decides everything random.
        guidance: validation, effort, progress.
        recipe: what is trained.
        name: what progress calls it.

    Raises:
        MissingDependencyError: torch is not installed.
        InputError: it would not fit into memory, or the loss is not finite.
    """
    untrained = "choose models without training, e.g. --models seqknn,ease-recency"
    needed("torch", "train", f"{name}: training", untrained)
    from bowerbird.training.workers import ALONE

    if guidance.workers > 1:
        return _fitted_on_ray(train, seed, guidance, recipe, name)
    return _fitted(train, seed, guidance, recipe, name, ALONE)


@dataclass(frozen=True)
class _Part:
    """What each of several workers runs: its part of each update. The first writes the weights down."""

    train: Interactions
    seed: int
    guidance: Guidance
    recipe: Recipe
    name: str

    def __call__(self, workers: Workers, folder: Path) -> None:
        import torch
        from safetensors.torch import save

        fitted = _fitted(self.train, self.seed, self.guidance, self.recipe, self.name, workers)
        spent_s = torch.tensor(time.process_time(), dtype=torch.float64)
        workers.sum(spent_s)
        facts = {"chosen": fitted.chosen, "cpu_s": float(spent_s) + fitted.earlier_cpu_s}
        (folder / "facts.json").write_text(json.dumps(facts), encoding="utf-8")
        (folder / "weights").write_bytes(save(fitted.model.state_dict()))


def _fitted_on_ray(
    train: Interactions, seed: int, guidance: Guidance, recipe: Recipe, name: str
) -> FittedSequence:
    """Trained by several workers together; the first one's weights come back."""
    from safetensors.torch import load

    from bowerbird.training.workers import on_ray

    within = replace(guidance, progress=SILENT)  # bars stay with who watches them
    guidance.progress.start(f"{name}, {guidance.workers} workers", None, "trainings")
    files = on_ray(_Part(train, seed, within, recipe, name), guidance.workers)
    guidance.progress.advance()
    guidance.progress.finish()
    facts = json.loads(files["facts.json"])
    chosen: dict[str, Any] = facts["chosen"]
    model = _network(train, recipe, chosen["dropout"], chosen["length"], seed)
    model.load_state_dict(load(files["weights"]))
    model.eval()
    return FittedSequence(model, chosen["length"], chosen | {"workers": guidance.workers}, facts["cpu_s"])


def _fitted(
    train: Interactions, seed: int, guidance: Guidance, recipe: Recipe, name: str, workers: Workers
) -> FittedSequence:
    """One worker's training. With several, each has as many batches as before of a share of their size."""
    from bowerbird.training.loop import LoopSettings
    from bowerbird.training.loop import train as run
    from bowerbird.training.memory import TrainingShape, refuse_too_large
    from bowerbird.training.next_item import NextItemTask

    learnt, cases = held_out(train, guidance, seed)
    settings = recipe.settings
    lengths = np.bincount(learnt.users, minlength=learnt.users_total)
    length = settings.length or _length(lengths)
    targets = int(np.maximum(lengths - 1, 0).sum())
    tokens = max(_tokens(targets * _epochs(targets, "standard"), length) // workers.count, length)
    rate = settings.dropout if settings.dropout is not None else _dropout(learnt)
    shape = TrainingShape(
        items=learnt.items_total, dim=settings.dim, blocks=settings.blocks, heads=settings.heads,
        tokens=tokens, length=length, negatives=settings.negatives,
    )  # fmt: skip
    refuse_too_large(shape)
    model = _network(learnt, recipe, rate, length, seed)
    task = NextItemTask(
        model,
        sequence_data_of(learnt, times=recipe.times),
        length=length,
        tokens=tokens,
        negatives=settings.negatives,
        cases=None if cases is None else validation_cases(cases),
        seed=seed,
        topics=recipe.topics,
    )
    loop = LoopSettings(
        epochs=_epochs(targets, guidance.effort),
        learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
        accumulate=workers.count,
    )
    kept, fingerprint = _checkpoint(learnt, seed, guidance, recipe, name)
    trained = run(
        task,
        loop,
        name=name,
        fingerprint=fingerprint,
        checkpoint=kept,
        progress=guidance.progress,
        workers=workers,
    )
    chosen = {
        "length": length, "dropout": rate, "tokens": tokens, "epochs": len(trained.validations),
        "best_epoch": trained.best_epoch, "validation_ndcg@10": max(trained.validations, default=None),
    }  # fmt: skip
    return FittedSequence(model, length, chosen, trained.earlier_cpu_s)


def _checkpoint(
    learnt: Interactions, seed: int, guidance: Guidance, recipe: Recipe, name: str
) -> tuple[Path | None, str]:
    """Where the run keeps its state, and the run's name: of data, settings, effort and seed."""
    if guidance.checkpoints is None:
        return None, ""
    digest = hashlib.blake2b(digest_size=6)
    together = [f"{guidance.workers} workers"] if guidance.workers > 1 else []
    for part in (learnt.hash, recipe.settings.model_dump_json(), guidance.effort, str(seed), *together):
        digest.update(part.encode() + b"\n")
    if recipe.content is not None:
        digest.update(recipe.content.tobytes())
    if recipe.topics is not None:
        digest.update(recipe.topics.tobytes())
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower())
    return guidance.checkpoints / f"{plain}-{seed}-{digest.hexdigest()}.checkpoint", digest.hexdigest()


def _network(learnt: Interactions, recipe: Recipe, rate: float, length: int, seed: int) -> NextItemModel:
    """The network with its first, random weights."""
    import torch

    from bowerbird.nn.dropout import MaskStream
    from bowerbird.nn.seeded_draws import seeded_draws
    from bowerbird.nn.sequence_encoder import ItemVectors, SequenceEncoder
    from bowerbird.training.next_item import NextItemModel

    settings, at = recipe.settings, learnt.at if recipe.times else None
    calendar = None if at is None or not settings.calendar else known_values(at)
    with seeded_draws(seed):
        masks = MaskStream()
        content = None if recipe.content is None else torch.from_numpy(recipe.content)
        items = ItemVectors(learnt.items_total, settings.dim, masks, content)
        encoder = SequenceEncoder(
            settings.dim,
            recipe.blocks(settings, rate, length, masks),
            rate,
            masks,
            positions=length if recipe.positions else 0,
            gaps=GAP_BUCKETS if at is not None else 0,
            calendar=torch.from_numpy(calendar) if calendar is not None and calendar.any() else None,
            topics=0 if recipe.topics is None else int(recipe.topics.max(initial=0)),
        )
        return NextItemModel(items, encoder)


def _length(lengths: Int64[np.ndarray, " user"]) -> int:
    """Long windows where the mean event stands in a long history."""
    events = lengths.sum()
    weighted = float((lengths.astype(np.float64) ** 2).sum() / max(1, events))
    return LONG if weighted > 2 * SHORT else SHORT


def _epochs(targets: int, effort: Effort) -> int:
    return max(1, min(EPOCHS[effort], round(MOST_TARGETS[effort] / max(1, targets))))


def _tokens(targets: int, length: int) -> int:
    """The power of 2, up to 4,096, that makes about :data:`UPDATES` batches of all targets together."""
    return max(int(min(4096, max(256, 2 ** round(np.log2(max(1.0, targets / UPDATES)))))), length)


def _dropout(train: Interactions) -> float:
    """Rarely met items are learnt by heart, so sparse data needs more of it."""
    per_item = len(train) / max(1, int(np.unique(train.items).size))
    return 0.5 if per_item < 30 else 0.3 if per_item < 100 else 0.2
