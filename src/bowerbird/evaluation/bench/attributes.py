"""``bowerbird bench attributes``: several label columns read off pictures, with confidence and abstention.

The baseline of every number is one plain logistic regression a column on the frozen vector, its penalty chosen
on validation. Only pictures are read: titles are not, so that the numbers are about seeing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32, Int64

from bowerbird.arrays import normalise
from bowerbird.content.attributes import AttributeSettings, Prediction, Voters, voted, votes_of
from bowerbird.content.picture_features import WideFeatures
from bowerbird.errors import InputError
from bowerbird.evaluation.bench.cost import row_cost
from bowerbird.evaluation.bench.labelled import LabelColumn, Labelled, Parts, labelled_pictures, parts_of
from bowerbird.evaluation.bench.report import (
    BenchData,
    BenchReport,
    BenchRow,
    Estimate,
)
from bowerbird.metrics.classification import accuracy_at_coverage, best_of_class, macro_f1, top_label_ece
from bowerbird.metrics.uncertainty import standard_error
from bowerbird.telemetry import SILENT, Progress
from bowerbird.training.attribute_heads import AttributeTraining, HeadSettings, trained_heads
from bowerbird.training.logistic import fitted_logistic, softmax

__all__ = ["AttributesPlan", "PictureMatrices", "encoded_pictures", "measured_attributes", "run_attributes"]

COVERAGES = (0.9, 0.8, 0.5)
PENALTIES = (1e-1, 1e-2, 1e-3)
"""Penalties the logistic regression may have."""
NEIGHBOURS = 20

Rows = Int64[np.ndarray, " row"]


@dataclass(frozen=True)
class AttributesPlan:
    """How the bench runs."""

    seeds: int = 3
    """Runs; each draws another split where the file has none."""
    settings: HeadSettings = field(default_factory=HeadSettings)
    progress: Progress = SILENT

    def __post_init__(self) -> None:
        if self.seeds < 1:
            raise InputError(f"attributes: seeds = {self.seeds}; expected at least 1")


@dataclass(frozen=True)
class PictureMatrices:
    """What models read of the labelled pictures, row by row."""

    frozen: Float32[np.ndarray, "picture dim"]
    wide: Float32[np.ndarray, "picture width"]


@dataclass(frozen=True)
class _Run:
    """One seed's parts and what a model may read."""

    seed: int
    parts: Parts
    labelled: Labelled


Model = Callable[[_Run], list[Prediction]]
"""Predictions of every column for the test rows."""


def run_attributes(
    images: Path, labels: Path, columns: Sequence[str], plan: AttributesPlan | None = None
) -> BenchReport:
    """Read, encode and measure.

    Args:
        images: pictures.
        labels: a table that names them, with the columns and perhaps ``split``.
        columns: label columns.
        plan: how it runs.

    Raises:
        NotFoundError: a file is not there.
        InputError: the files do not fit together, or too little can be used.
    """
    plan = plan or AttributesPlan()
    labelled = labelled_pictures(images, labels, columns)
    parts_of(_varied(labelled), 0)  # what is wrong with the labels is told before pictures are encoded
    labelled, matrices = encoded_pictures(labelled, WideFeatures(threads=2), plan.progress)
    return measured_attributes(labelled, matrices, plan)


def encoded_pictures(
    labelled: Labelled, encoder: WideFeatures, progress: Progress
) -> tuple[Labelled, PictureMatrices]:
    """Features of the pictures that can be read, and the labels of those.

    Raises:
        InputError: not one picture can be read.
    """
    order = np.argsort(labelled.places, kind="stable")  # pictures come in reading order
    stream = (file.data for _, file in labelled.source.pictures(labelled.places.tolist()))
    parts = []
    progress.start("encode pictures", len(labelled), "pictures")
    with row_cost() as cost:
        for chunk in encoder.chunks(stream):
            parts.append(chunk)
            progress.advance(len(chunk.present))
    progress.finish()
    present = np.concatenate([chunk.present for chunk in parts])
    if not present.any():
        raise InputError(f"{labelled.source.place}: none of {len(labelled):,} labelled pictures can be read")
    note = f"{encoder.version}, {cost.cpu_s:.0f} CPU s to encode"
    if not present.all():
        note = f"{(~present).sum():,} pictures could not be read; {note}"
    matrices = PictureMatrices(
        np.concatenate([chunk.frozen for chunk in parts])[present],
        np.concatenate([chunk.wide for chunk in parts])[present],
    )
    return labelled.kept(order[present], note), matrices


def _varied(labelled: Labelled) -> Labelled:
    """Without the columns in which there is nothing to tell apart; a note each."""
    varied = tuple(one for one in labelled.columns if len(one.classes) > 1)
    if not varied:
        names = ", ".join(one.name for one in labelled.columns)
        raise InputError(f"attributes: no column of {names} has two classes; nothing to tell apart")
    notes = [
        f"column {one.name!r} has {len(one.classes)} class and is left out: nothing to tell apart"
        for one in labelled.columns
        if len(one.classes) < 2
    ]
    return replace(labelled, columns=varied, notes=(*labelled.notes, *notes))


def measured_attributes(labelled: Labelled, matrices: PictureMatrices, plan: AttributesPlan) -> BenchReport:
    """The table, of features that are already there.

    Args:
        labelled: the labels.
        matrices: features of the same rows.
        plan: how it runs.

    Raises:
        InputError: no column has two classes.
    """
    labelled = _varied(labelled)
    notes = list(labelled.notes)
    runs = [_Run(seed, parts_of(labelled, seed), labelled) for seed in range(plan.seeds)]
    frozen, wide = matrices.frozen, matrices.wide
    models: dict[str, Model] = {
        "most frequent class": _frequent,
        "frozen + logistic regression": lambda run: _logistic(run, normalise(frozen)),
        f"frozen + kNN-{NEIGHBOURS}": lambda run: _nearest(run, normalise(frozen)),
        "ours, frozen features": lambda run: _heads(run, frozen, plan),
        "ours": lambda run: _heads(run, np.concatenate([frozen, wide], axis=1), plan),
    }
    rows = [_row(name, model, runs, plan) for name, model in models.items()]
    tested = sum(len(run.parts.test) for run in runs) / len(runs)
    notes += [
        runs[0].parts.how,
        f"{tested:,.0f} test pictures",
        "means over columns; macro-F1 over classes that are true or predicted",
        "ece: 15 bins of equal width; p@1: is the test picture that a class scores highest of that class",
        "acc@90 is the accuracy of the surest 90 %",
        "penalty, mixture, temperature and logit adjustment are chosen on validation",
    ]
    data = BenchData(
        0, len(labelled), sum(int((one.codes >= 0).sum()) for one in labelled.columns), labelled.hash
    )
    return BenchReport(
        "attributes",
        ", ".join(one.name for one in labelled.columns),
        data,
        rows,
        notes,
    )


def _row(name: str, model: Model, runs: Sequence[_Run], plan: AttributesPlan) -> BenchRow:
    plan.progress.start(name, len(runs), "seeds")
    measured = []
    with row_cost() as cost:
        for run in runs:
            measured.append(_measured(run, model(run)))
            plan.progress.advance()
    plan.progress.finish()
    metrics = {}
    for metric in measured[0][0]:
        error = measured[0][1] if metric == "accuracy" else None
        metrics[metric] = Estimate(tuple(one[0][metric] for one in measured), error)
    settings = plan.settings.model_dump(mode="json") if name.startswith("ours") else {}
    return BenchRow(name, metrics, cost.cpu_s / len(runs), cost.peak_mb, settings)


def _measured(run: _Run, predictions: Sequence[Prediction]) -> tuple[dict[str, float], float | None]:
    """Means over columns, then each column's macro-F1 and calibration error; and the accuracy's error."""
    by_column: dict[str, dict[str, float]] = {}
    right_of_item = np.full((len(predictions), len(run.parts.test)), np.nan)
    for at, (column, found) in enumerate(zip(run.labelled.columns, predictions, strict=True)):
        truth = column.codes[run.parts.test]
        known = truth >= 0
        if not known.any():
            continue
        right = found.code[known] == truth[known]
        right_of_item[at, known] = right
        sure = found.confidence[known]
        curve = accuracy_at_coverage(right, sure, COVERAGES)
        by_column[column.name] = {
            "macro-f1": macro_f1(truth[known], found.code[known]),
            "accuracy": float(right.mean()),
            "ece": top_label_ece(right, sure),
            "p@1": float(best_of_class(found.probability[known], truth[known]).mean()),
            **{f"acc@{share:.0%}"[:-1]: float(value) for share, value in zip(COVERAGES, curve, strict=True)},
        }
    if not by_column:
        raise InputError("attributes: no test picture has a label; expected labels in the test part")
    metrics = {
        metric: float(np.mean([one[metric] for one in by_column.values()]))
        for metric in next(iter(by_column.values()))
    }
    for name, one in by_column.items():
        metrics[f"f1:{name}"], metrics[f"ece:{name}"] = one["macro-f1"], one["ece"]
    items = np.nanmean(right_of_item[:, ~np.isnan(right_of_item).all(axis=0)], axis=0)
    return metrics, standard_error(items) if items.size > 1 else None


def _frequent(run: _Run) -> list[Prediction]:
    found = []
    for column in run.labelled.columns:
        share = _shares(column.codes[run.parts.train], len(column.classes))
        found.append(_prediction(column, np.tile(share, (len(run.parts.test), 1))))
    return found


def _logistic(run: _Run, features: Float32[np.ndarray, "picture dim"]) -> list[Prediction]:
    """One regression a column on standardised features; the penalty of the best macro-F1 on validation."""
    train, valid, test = run.parts.train, run.parts.valid, run.parts.test
    mean, scale = features[train].mean(axis=0), np.maximum(features[train].std(axis=0), 1e-6)
    z = (features - mean) / scale
    found = []
    for column in run.labelled.columns:
        own, judged = train[column.codes[train] >= 0], valid[column.codes[valid] >= 0]
        if own.size == 0:
            found.append(_prediction(column, np.tile(_shares(own, len(column.classes)), (len(test), 1))))
            continue
        best, best_f1, start = None, -1.0, None
        for penalty in PENALTIES:
            start = fitted_logistic(z[own], column.codes[own], len(column.classes), penalty, start)
            said = start.logits(z[judged]).argmax(axis=1)
            f1 = macro_f1(column.codes[judged], said) if judged.size else 0.0
            if f1 > best_f1:
                best, best_f1 = start, f1
        assert best is not None
        found.append(_prediction(column, softmax(best.logits(z[test]))))
    return found


def _nearest(run: _Run, features: Float32[np.ndarray, "picture dim"]) -> list[Prediction]:
    train, test = run.parts.train, run.parts.test
    codes = np.stack([column.codes[train] for column in run.labelled.columns])
    voters = Voters(features[train], codes)
    near, weight = votes_of(features[test], voters, AttributeSettings(neighbours=NEIGHBOURS))
    found = []
    for at, column in enumerate(run.labelled.columns):
        share = _shares(codes[at], len(column.classes))
        found.append(_prediction(column, voted(near, weight, codes[at], len(column.classes), share)))
    return found


def _heads(run: _Run, features: Float32[np.ndarray, "picture dim"], plan: AttributesPlan) -> list[Prediction]:
    columns = run.labelled.columns
    data = AttributeTraining(
        features,
        tuple(one.name for one in columns),
        tuple(one.classes for one in columns),
        np.stack([one.codes for one in columns]),
    )
    heads = trained_heads(data, run.parts.train, run.parts.valid, plan.settings, seed=run.seed)
    return heads.predictions(features[run.parts.test])


def _prediction(column: LabelColumn, probability: Float[np.ndarray, "item class_"]) -> Prediction:
    """The likeliest class with its probability."""
    p = np.asarray(probability, dtype=np.float32)
    code, confidence = p.argmax(axis=1), p.max(axis=1)
    return Prediction(column.name, column.classes, p, code, confidence, confidence < 0)


def _shares(codes: Rows, classes: int) -> Float32[np.ndarray, " class_"]:
    count = np.bincount(codes[codes >= 0], minlength=classes) + 1e-3
    return (count / count.sum()).astype(np.float32)
