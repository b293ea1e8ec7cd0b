"""``bench knn``: what class is a picture? By its 20 nearest neighbours, and by a linear probe.

Frozen features stand beside a tower that was taught the names of the labels on the train part, and beside
the classifier alone, which has seen no label (ConSE).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32, Int64

from bowerbird.arrays import normalise, top_k_rows
from bowerbird.content.conse import ConSE, conse_bridge
from bowerbird.content.image_encoder import efficientnet_lite2
from bowerbird.content.item_parts import Block, ItemParts
from bowerbird.content.text_encoder import TextEncoder
from bowerbird.content.unified import TowerInput
from bowerbird.errors import InputError, NotReadyError
from bowerbird.evaluation.bench.cost import row_cost
from bowerbird.evaluation.bench.labelled import LabelColumn, Labelled, Parts, labelled_pictures, parts_of
from bowerbird.evaluation.bench.picture_vectors import PictureFeatures, picture_features
from bowerbird.evaluation.bench.report import (
    BenchData,
    BenchReport,
    BenchRow,
    Estimate,
)
from bowerbird.records.signal import Vectors
from bowerbird.telemetry import SILENT, Progress
from bowerbird.training.logistic import fitted_logistic

__all__ = ["run_knn"]

NEIGHBOURS = 20
PENALTIES = (1e-5, 1e-4, 1e-3)
"""Of the probe; the best on validation is taken."""
TAUGHT_EPOCHS = 20
Rows = Int64[np.ndarray, "_"]


@dataclass(frozen=True)
class _Space:
    """Vectors a contender looks in: the views of every picture it learns from, and one vector to be asked with."""

    name: str
    views: tuple[Float32[np.ndarray, "picture dim"], ...]
    asked: Float32[np.ndarray, "picture dim"]
    cpu_seconds: float
    peak_mb: float


def run_knn(
    images: Path,
    labels: Path,
    columns: Sequence[str],
    seed: int = 0,
    *,
    threads: int = 2,
    progress: Progress = SILENT,
) -> BenchReport:
    """Measure classification of pictures by neighbours, by a probe and by names alone.

    Args:
        images: where the pictures are.
        labels: a table that names pictures and has the columns, and perhaps a split.
        columns: columns of labels, each judged by itself.
        seed: draws a missing split and the training.
        threads: workers that encode.
        progress: shows encoding and training.

    Raises:
        NotFoundError: a file is not there.
        InputError: a column is missing or nothing is left to train and test on.
        MissingDependencyError: torch or weights are not installed.
    """
    image, text = efficientnet_lite2(threads=threads), TextEncoder(threads=threads)
    found = labelled_pictures(images, labels, columns)
    with row_cost() as encoding:
        features = picture_features(found.source, found.places, image, progress=progress)
    kept = np.flatnonzero(features.present)
    found = found.kept(kept, features.note)
    features = PictureFeatures(features.features[kept], features.present[kept], "", image)
    parts = parts_of(found, seed)
    bridge = conse_bridge(image, text)
    names = {one.name: _named(one, text) for one in found.columns}
    frozen = _frozen(features, encoding.cpu_s, encoding.peak_mb)
    spaces, notes = [*frozen], [*found.notes, parts.how]
    try:
        spaces.append(_taught(features, found, parts, names, bridge, seed, progress))
    except NotReadyError as error:
        notes.append(f"no tower: {error}")
    rows = []
    for one in found.columns:
        rows += _column_rows(one, parts, spaces, (features, bridge, names[one.name]), len(found.columns) > 1)
    data = BenchData(0, len(found), len(found.columns), found.hash)
    notes.append(
        f"kNN-{NEIGHBOURS}: votes weighted by cosine; probe: penalty chosen on validation; se over pictures"
    )
    return BenchReport("knn", "accuracy", data, rows, notes)


def _frozen(features: PictureFeatures, cpu_s: float, peak_mb: float) -> list[_Space]:
    """The encoder's own vectors: of one view, and learnt from all views and asked with their mean."""
    count = features.features.shape[1]
    single = [normalise(features.features[:, view]) for view in range(count)]
    mean = features.vectors(count).matrix
    return [
        _Space("frozen, one view", (single[0],), single[0], cpu_s, peak_mb),
        _Space(f"frozen, {count} views", tuple(single), mean, cpu_s, peak_mb),
    ]


def _taught(
    features: PictureFeatures,
    found: Labelled,
    parts: Parts,
    names: dict[str, Vectors],
    bridge: ConSE,
    seed: int,
    progress: Progress,
) -> _Space:
    """The space of a tower that was taught what the labels of the train part are called."""
    from bowerbird.training.unified import Pairs, UnifiedSettings, train_unified  # loads torch

    with row_cost() as cost:
        count = features.features.shape[1]
        sides = [_seen(features, view, bridge) for view in range(count)]
        train = parts.train
        said, item_of = [], []
        for one in found.columns:
            known = np.flatnonzero(one.codes[train] >= 0)
            for view in range(count):
                said.append(names[one.name].matrix[one.codes[train[known]]])
                item_of.append(view * len(train) + known)
        words = np.concatenate(said)
        inputs = (
            TowerInput("image", "image", features.encoder.space),
            TowerInput("conse", "text", bridge.text),
            TowerInput("text", "text", bridge.text),
        )
        seen = ItemParts(
            {
                name: Block(
                    np.concatenate([side.blocks[name].values[train] for side in sides]),
                    np.ones(count * len(train), dtype=bool),
                )
                for name in ("image", "conse")
            }
        )
        pairs = Pairs(
            inputs,
            seen,
            ItemParts({"text": Block(words, np.ones(len(words), dtype=bool))}),
            np.concatenate(item_of),
        )
        settings = UnifiedSettings(
            epochs=TAUGHT_EPOCHS, held_out=0.0, texts=min(len(found.columns), 4), dropout=0.4
        )
        tower = train_unified(pairs, settings, seed, progress=progress).tower
        views = tuple(tower.project(side).matrix for side in sides)
        asked = normalise(np.sum(views, axis=0))
    return _Space("ours, taught the names", views, asked, cost.cpu_s, cost.peak_mb)


def _seen(features: PictureFeatures, view: int, bridge: ConSE) -> ItemParts:
    one = PictureFeatures(features.features[:, view : view + 1], features.present, "", features.encoder)
    pictures = one.vectors()
    return ItemParts({"image": Block.of(pictures), "conse": Block.of(bridge.project(one.logits(), pictures))})


def _named(column: LabelColumn, text: TextEncoder) -> Vectors:
    """The text vector of each label: of its name alone and in a sentence."""
    sentences = text.encode([f"a photo of a {name}" for name in column.classes]).matrix
    return Vectors.full(text.space, normalise(sentences + text.encode(list(column.classes)).matrix))


def _column_rows(
    column: LabelColumn,
    parts: Parts,
    spaces: Sequence[_Space],
    names: tuple[PictureFeatures, ConSE, Vectors],
    several: bool,
) -> list[BenchRow]:
    """Every contender on one column; pictures without a label in it are left out."""
    train, valid, test = (part[column.codes[part] >= 0] for part in (parts.train, parts.valid, parts.test))
    if not len(train) or not len(test):
        raise InputError(
            f"column {column.name!r}: {len(train)} train and {len(test)} test labels; expected at least one each"
        )
    where = f"{column.name}: " if several else ""
    truth = column.codes[test]
    common = np.bincount(column.codes[train], minlength=len(column.classes)).argmax()
    with row_cost() as cost:
        guess = _accuracy(truth == common)
    rows = [
        BenchRow(where + "most common class", {"knn-20": guess, "probe": guess}, cost.cpu_s, cost.peak_mb)
    ]
    with row_cost() as cost:
        features, bridge, vectors = names
        right = _by_name(features, bridge, vectors, test) == truth
    zero = {"zero-shot": _accuracy(right)}
    rows.append(BenchRow(where + "ConSE, no labels", zero, cost.cpu_s, cost.peak_mb))
    for space in spaces:
        with row_cost() as cost:
            metrics = {
                "knn-20": _accuracy(_by_neighbours(space, column.codes, train, test) == truth),
                "probe": _accuracy(_by_probe(space, column, train, valid, test) == truth),
            }
        rows.append(
            BenchRow(
                where + space.name, metrics, space.cpu_seconds + cost.cpu_s, max(space.peak_mb, cost.peak_mb)
            )
        )
    return rows


def _accuracy(right: Bool[np.ndarray, " n"]) -> Estimate:
    return Estimate((float(right.mean()),), float(right.std() / np.sqrt(len(right))))


def _by_name(features: PictureFeatures, bridge: ConSE, names: Vectors, test: Rows) -> Rows:
    """The label whose name is nearest to what a classifier sees; what all names share is taken out."""
    count = features.features.shape[1]
    seen = bridge.project(features.logits(count), features.vectors(count)).matrix[test]
    directions = normalise(names.matrix - bridge.classes.mean(axis=0))
    return (seen @ directions.T).argmax(axis=1)


def _by_neighbours(space: _Space, codes: Rows, train: Rows, test: Rows) -> Rows:
    """The class with the most cosine among the nearest pictures of train."""
    similarity = space.asked[test] @ space.asked[train].T
    nearest = top_k_rows(similarity, min(NEIGHBOURS, len(train)))
    votes = np.zeros((len(test), int(codes.max()) + 1), dtype=np.float64)
    rows = np.repeat(np.arange(len(test)), nearest.shape[1])
    weights = np.maximum(np.take_along_axis(similarity, nearest, axis=1), 0).ravel()
    np.add.at(votes, (rows, codes[train][nearest].ravel()), weights)
    return votes.argmax(axis=1)


def _by_probe(space: _Space, column: LabelColumn, train: Rows, valid: Rows, test: Rows) -> Rows:
    """The class of a linear probe on standardised vectors, taught every view of the train pictures."""
    mean, spread = space.asked[train].mean(axis=0), space.asked[train].std(axis=0)
    scale = np.sqrt(np.float32(space.asked.shape[1])) * np.maximum(spread, 1e-3 * float(spread.mean()) + 1e-9)
    taught = np.concatenate([(view[train] - mean) / scale for view in space.views])
    codes = np.tile(column.codes[train], len(space.views))
    asked = (space.asked - mean) / scale
    best, kept = -1.0, np.zeros(len(test), dtype=np.int64)
    for penalty in PENALTIES if len(valid) else PENALTIES[1:2]:
        model = fitted_logistic(taught, codes, len(column.classes), penalty)
        accuracy = (
            float((model.logits(asked[valid]).argmax(axis=1) == column.codes[valid]).mean())
            if len(valid)
            else 0.0
        )
        if accuracy > best:
            best, kept = accuracy, model.logits(asked[test]).argmax(axis=1)
    return kept
