"""Training a ranker on the log: examples, trees or a network or the better of both, calibration, honest numbers.

The log's newest part is cut by time into three: models are trained on the first; the second stops them, chooses
between them and calibrates; the numbers reported come from the third, which nothing was fitted to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Float32

from bowerbird.errors import NotReadyError
from bowerbird.extras import installed
from bowerbird.metrics.calibration import auc, ece_equal_mass, log_loss
from bowerbird.pipeline.release import Release
from bowerbird.ranking.calibration import ActionCalibrations, fitted_calibrations
from bowerbird.ranking.card import RankerCard, RankerKind
from bowerbird.ranking.features import are_cold
from bowerbird.records.event import Events
from bowerbird.telemetry import SILENT, Progress
from bowerbird.training.impressions import LABELS, Impressions, impressions
from bowerbird.training.ranker_examples import Examples, examples, parts
from bowerbird.training.tree_ranker import fit_trees

__all__ = [
    "FittedRanker",
    "RankerChoice",
    "RankerData",
    "TrainedRanker",
    "fitted_kind",
    "ranker_data",
    "train_ranker",
]

RankerChoice = Literal["trees", "neural", "auto"]
MOST_REQUESTS = (8_000, 3_000, 3_000)
"""Requests drawn from each part; 20,000 add a hundredth of AUC and a quarter of a minute, twice in an evaluation."""
KINDS: tuple[RankerKind, ...] = ("trees", "neural")
LEAST_POSITIVES = 30
"""An action with fewer positives in training is not predicted."""
LEAST_CALIBRATED = 25
"""Nor is one with fewer in the part that calibrates: they fix a level to a fifth of itself."""


@runtime_checkable
class FittedRanker(Protocol):
    """A model of any kind, before calibration."""

    @property
    def kind(self) -> RankerKind:
        """Which scorer reads what it saves."""
        ...

    def logits(self, examples: Examples) -> Float32[np.ndarray, "n action"]:
        """Raw scores at the positions the examples had."""
        ...

    def save(self, directory: Path) -> None:
        """Write its weights."""
        ...


@dataclass(frozen=True)
class RankerData:
    """What rankers of one log are trained, chosen and reported on."""

    release: Release
    log: Impressions
    train: Examples
    calibrate: Examples
    report: Examples
    actions: tuple[str, ...]


@dataclass(frozen=True)
class TrainedRanker:
    """What training leaves: weights, calibration and honest numbers."""

    model: FittedRanker
    card: RankerCard

    @property
    def note(self) -> str:
        """The numbers in one line."""
        return f"{self.card.kind}: " + ", ".join(
            f"{action} AUC {one['auc']:.3f} ECE {one['ece']:.4f}" for action, one in self.card.report.items()
        )

    def save(self, directory: Path) -> None:
        """Write weights and card."""
        self.model.save(directory)
        self.card.save(directory)


def train_ranker(
    release: Release,
    events: Events,
    seed: int,
    choice: RankerChoice = "trees",
    *,
    checkpoint: Path | None = None,
    progress: Progress = SILENT,
) -> TrainedRanker:
    """Train on the impressions of a log.

    Args:
        release: what features read; no ranker needed.
        events: the log.
        seed: of the draw of requests and of the models.
        choice: which kind; ``auto`` trains both where torch is installed, and keeps the one
            with the smaller loss on the second part.
        checkpoint: where the network's training keeps its state, and goes on from.
        progress: shows the making of examples and the epochs.

    Raises:
        NotReadyError: no action has enough positives, or a network was asked for that cannot be trained here.
    """
    kinds: tuple[RankerKind, ...] = KINDS if choice == "auto" else (choice,)
    if choice == "auto" and not installed("torch"):
        kinds = ("trees",)
    data = ranker_data(release, events, seed, progress, kinds)
    fitted = [fitted_kind(kind, data, seed, checkpoint=checkpoint, progress=progress) for kind in kinds]
    losses = {one.kind: cross_fitted_loss(one, data) for one in fitted} if len(fitted) > 1 else {}
    best = min(fitted, key=lambda one: losses[one.kind]) if losses else fitted[0]
    calibrations = calibrated(best, data)
    return TrainedRanker(
        best, RankerCard(best.kind, calibrations, reported(best, calibrations, data.report), losses)
    )


def ranker_data(
    release: Release,
    events: Events,
    seed: int,
    progress: Progress = SILENT,
    kinds: Sequence[RankerKind] = KINDS,
) -> RankerData:
    """Examples of the three parts of a log, and which actions can be learnt.

    Args:
        release: what features read.
        events: the log.
        seed: of the draw of requests.
        progress: moved on by every request.
        kinds: what will be trained; trees alone need less.

    Raises:
        NotReadyError: no action has enough positives.
    """
    log = impressions(events, release.people, release.items.vocabulary)
    numbers = parts(log, MOST_REQUESTS, seed)
    progress.start("ranker examples", sum(map(len, numbers)), "requests")
    train, calibrate, report = (
        examples(release, log, part, progress, lifelong="neural" in kinds) for part in numbers
    )
    progress.finish()
    enough = train.labels.sum(axis=0) >= LEAST_POSITIVES
    enough &= calibrate.labels.sum(axis=0) >= LEAST_CALIBRATED
    actions = tuple(action for action, some in zip(LABELS, enough, strict=True) if some)
    if not actions:
        raise NotReadyError(
            f"ranker: {len(log)} requests hold too few of {', '.join(LABELS)}; "
            f"at least {LEAST_POSITIVES} of one action are needed to learn from, and {LEAST_CALIBRATED} later ones"
        )
    return RankerData(release, log, train, calibrate, report, actions)


def fitted_kind(
    kind: RankerKind,
    data: RankerData,
    seed: int,
    *,
    checkpoint: Path | None = None,
    progress: Progress = SILENT,
) -> FittedRanker:
    """One kind of model, trained.

    Raises:
        NotReadyError: a network was asked for, and torch is not installed.
    """
    return _FITS[kind](data, seed, checkpoint, progress)


def _trees(data: RankerData, seed: int, checkpoint: Path | None, progress: Progress) -> FittedRanker:
    return fit_trees(data.train, data.calibrate, data.actions, seed)


def _neural(data: RankerData, seed: int, checkpoint: Path | None, progress: Progress) -> FittedRanker:
    if not installed("torch"):
        raise NotReadyError(
            "neural ranker: torch is not installed; `pip install 'bowerbird[train]'`, or set [ranker] kind = \"trees\""
        )
    from bowerbird.training.neural_ranker import fit_network  # loads torch

    return fit_network(
        data.release,
        data.train,
        data.calibrate,
        data.actions,
        seed,
        checkpoint=checkpoint,
        progress=progress,
    )


_FITS: Mapping[RankerKind, Callable[[RankerData, int, Path | None, Progress], FittedRanker]] = {
    "trees": _trees,
    "neural": _neural,
}


def labels_of(data: Examples, actions: tuple[str, ...]) -> Bool[np.ndarray, "n action"]:
    """The labels of some actions."""
    return data.labels[:, [LABELS.index(action) for action in actions]]


def calibrated(model: FittedRanker, data: RankerData) -> ActionCalibrations:
    """The model's calibration on the second part."""
    held = data.calibrate
    return fitted_calibrations(
        data.actions, model.logits(held), labels_of(held, data.actions), are_cold(held.features)
    )


def cross_fitted_loss(model: FittedRanker, data: RankerData) -> float:
    """The summed log loss of the heads on the second part, each half calibrated on the other.

    Halves are odd and even requests, so that rows of one request stay together.
    """
    held = data.calibrate
    logits, labels, cold = model.logits(held), labels_of(held, data.actions), are_cold(held.features)
    odd = held.owners % 2 == 1
    total = 0.0
    for half in (odd, ~odd):
        maps = fitted_calibrations(data.actions, logits[~half], labels[~half], cold[~half])
        found = maps.probabilities(logits[half], cold[half])
        total += sum(
            log_loss(labels[half, place], found[action]) * half.mean()
            for place, action in enumerate(data.actions)
        )
    return total


def reported(
    model: FittedRanker, calibrations: ActionCalibrations, data: Examples
) -> dict[str, dict[str, float]]:
    """Per action, how good and how honest the probabilities are on examples nothing was fitted to."""
    found = calibrations.probabilities(model.logits(data), are_cold(data.features)) if len(data) else {}
    labels = labels_of(data, calibrations.actions)
    return {
        action: numbers(found.get(action, np.empty(0, np.float32)), labels[:, place])
        for place, action in enumerate(calibrations.actions)
    }


def numbers(probabilities: Float[np.ndarray, "n"], happened: Bool[np.ndarray, "n"]) -> dict[str, float]:
    """AUC, log loss, ECE-15, base rate and count of one action; NaN where undefined."""
    known = 0 < happened.sum() < len(happened)
    some = len(happened) > 0
    return {
        "auc": auc(happened, probabilities) if known else float("nan"),
        "log_loss": log_loss(happened, probabilities) if some else float("nan"),
        "ece": ece_equal_mass(happened, probabilities) if some else float("nan"),
        "base_rate": float(happened.mean()) if some else float("nan"),
        "examples": float(len(happened)),
    }
