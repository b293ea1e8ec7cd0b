"""``bench knn``: what class is a picture? By its 20 nearest neighbours, and by a linear probe.

Frozen features stand beside a tower that was taught the names of the labels on the train part (on frozen features, and
with the encoder's last layers learning too), and beside the classifier alone, which has seen no label: by text vectors of
what it sees (ConSE), and by what its classes have to do with each label, in a picture and in those like it (ours).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Int64
from scipy.special import softmax

from bowerbird.arrays import normalise, top_k_rows
from bowerbird.content.conse import ConSE, conse_bridge
from bowerbird.content.image_encoder import ImageEncoder, efficientnet_lite2
from bowerbird.content.item_parts import Block, ItemParts
from bowerbird.content.text_encoder import TextEncoder
from bowerbird.content.unified import TowerInput
from bowerbird.content.unlabelled_names import as_neighbours_say, label_shares
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
from bowerbird.training.tower_effort import tower_effort

__all__ = ["run_knn"]

NEIGHBOURS = 20
TEMPERATURE = 0.07
"""Of the weights of neighbours, as is usual."""
LEAST_TUNED = 2000
"""Pictures to train on from which the encoder learns too: classes teach it sooner than captions do."""
PENALTIES = (1e-5, 1e-4, 1e-3)
"""Of the probe; the best on validation is taken."""
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
    tune: bool | None = None,
    threads: int = 2,
    kept: Path | None = None,
    progress: Progress = SILENT,
) -> BenchReport:
    """Measure classification of pictures by neighbours, by a probe and by names alone.

    Args:
        images: where the pictures are.
        labels: a table that names pictures and has the columns, and perhaps a split.
        columns: columns of labels, each judged by itself.
        seed: draws a missing split and the training.
        tune: let the encoder's last layers learn too, some minutes more; None does so where there are at least
            2,000 pictures to train on.
        threads: workers that encode.
        kept: a folder where encoded pictures stay for the next run.
        progress: shows encoding and training.

    Raises:
        NotFoundError: a file is not there.
        InputError: a column is missing or nothing is left to train and test on.
        MissingDependencyError: torch or weights are not installed.
    """
    found = labelled_pictures(images, labels, columns)
    parts_of(found, seed)  # what is wrong with the split is told before pictures are encoded
    image, text = efficientnet_lite2(threads=threads), TextEncoder(threads=threads)
    with row_cost() as encoding:
        features = picture_features(
            found.source, found.places, image, below=tune is not False, kept=kept, progress=progress
        )
    read = np.flatnonzero(features.present)
    found = found.kept(read, features.note)
    places = None if features.places is None else features.places[read]
    features = PictureFeatures(features.features[read], features.present[read], "", image, places)
    parts = parts_of(found, seed)
    bridge = conse_bridge(image, text)
    names = {one.name: _named(one, text) for one in found.columns}
    frozen = _frozen(features, encoding.cpu_s, encoding.peak_mb)
    spaces, notes = [*frozen], [*found.notes, parts.how]
    try:
        wanted = len(parts.train) >= LEAST_TUNED if tune is None else tune
        kinds = (False, True) if wanted and places is not None else (False,)
        for tuned in kinds:
            spaces += _taught(features, found, parts, names, bridge, seed, progress, tuned=tuned)
    except NotReadyError as error:
        notes.append(f"no tower: {error}")
    rows = []
    for one in found.columns:
        guesses = {
            "ConSE, no labels": _by_name(features, bridge, names[one.name], parts.test),
            "ours, no labels": _by_shares(features, label_shares(text, one.classes), parts),
        }
        rows += _column_rows(one, parts, spaces, guesses, len(found.columns) > 1)
    data = BenchData(0, len(found), len(found.columns), found.hash)
    notes.append(
        f"kNN-{NEIGHBOURS}: votes weighted by exp(cosine / {TEMPERATURE:g}); probe: penalty chosen on validation; se over pictures"
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
    *,
    tuned: bool,
) -> list[_Space]:
    """The space of a tower that was taught what the labels of the train part are called.

    Where the encoder's last layers learnt with it, the encoder's own vectors are a second space.
    """
    from bowerbird.training.tuning import LivePictures, new_picture_top, tuned_vectors  # loads torch
    from bowerbird.training.unified import UnifiedSettings, train_unified

    effort = tower_effort(len(parts.train), tuned=tuned)
    texts = min(len(found.columns), 4)
    # labels with like names are still different labels, so no target is softened
    settings = UnifiedSettings(
        batch=effort.batch, epochs=effort.epochs, held_out=0.0, texts=texts, soft_share=0.0
    )
    with row_cost() as cost:
        # views of places are drawn anew in each step, so one row for a picture is enough
        views = range(features.features.shape[1])
        sides = (
            [_seen(features, views, bridge)] if tuned else [_seen(features, (one,), bridge) for one in views]
        )
        pairs = _lessons(features.encoder, found, parts.train, names, sides)
        live = {}
        if tuned and features.places is not None:
            live["image"] = LivePictures(features.places, parts.train, new_picture_top())
        tower = train_unified(pairs, settings, seed, live=live, progress=progress).tower
        if tuned and features.places is not None:
            everything = LivePictures(features.places, np.arange(len(found)), live["image"].top)
            own = tuned_vectors(everything)
            sides = [ItemParts({**sides[0].blocks, "image": Block(own, features.present)})]
        else:
            own = None
        seen = tuple(tower.project(side).matrix for side in sides)
        asked = normalise(np.sum(seen, axis=0))
    name = "ours, taught the names" + (", encoder tuned" if tuned else "")
    spaces = [_Space(name, seen, asked, cost.cpu_s, cost.peak_mb)]
    if own is not None:
        spaces.append(_Space("ours, the tuned encoder alone", (own,), own, cost.cpu_s, cost.peak_mb))
    return spaces


def _lessons(
    encoder: ImageEncoder,
    found: Labelled,
    train: Rows,
    names: dict[str, Vectors],
    sides: Sequence[ItemParts],
) -> Any:
    """Pairs: each view of each train picture beside the name of each label it has."""
    from bowerbird.training.unified import Pairs  # loads torch

    said, item_of = [], []
    for one in found.columns:
        known = np.flatnonzero(one.codes[train] >= 0)
        for view in range(len(sides)):
            said.append(names[one.name].matrix[one.codes[train[known]]])
            item_of.append(view * len(train) + known)
    words = np.concatenate(said)
    inputs = (
        TowerInput("image", "image", encoder.space),
        TowerInput("conse", "text", names[found.columns[0].name].space),
        TowerInput("text", "text", names[found.columns[0].name].space),
    )
    everywhere = np.ones(len(sides) * len(train), dtype=bool)
    blocks = {
        name: Block(np.concatenate([side.blocks[name].values[train] for side in sides]), everywhere)
        for name in ("image", "conse")
    }
    spoken = ItemParts({"text": Block(words, np.ones(len(words), dtype=bool))})
    return Pairs(inputs, ItemParts(blocks), spoken, np.concatenate(item_of))


def _seen(features: PictureFeatures, views: Sequence[int], bridge: ConSE) -> ItemParts:
    """What the tower reads of each picture: the mean of some views, and what the classifier sees in them."""
    some = PictureFeatures(features.features[:, list(views)], features.present, "", features.encoder)
    pictures = some.vectors(len(views))
    seen = bridge.project(some.logits(len(views)), pictures)
    return ItemParts({"image": Block.of(pictures), "conse": Block.of(seen)})


def _named(column: LabelColumn, text: TextEncoder) -> Vectors:
    """The text vector of each label: of its name alone and in a sentence."""
    sentences = text.encode([f"a photo of a {name}" for name in column.classes]).matrix
    return Vectors.full(text.space, normalise(sentences + text.encode(list(column.classes)).matrix))


def _column_rows(
    column: LabelColumn,
    parts: Parts,
    spaces: Sequence[_Space],
    guesses: Mapping[str, Rows],
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
    for name, every in guesses.items():
        right = every[np.isin(parts.test, test)] == truth
        rows.append(BenchRow(where + name, {"zero-shot": _accuracy(right)}, cost.cpu_s, cost.peak_mb))
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


def _by_shares(
    features: PictureFeatures, shares: Float32[np.ndarray, "imagenet_class label"], parts: Parts
) -> Rows:
    """The label that the classes seen in a picture, and in train pictures like it, belong to most; no label is read."""
    count = features.features.shape[1]
    rows = np.concatenate([parts.train, parts.test])
    scores = softmax(features.logits(count)[rows], axis=1) @ shares
    said = as_neighbours_say(scores, features.vectors(count).matrix[rows], np.arange(len(parts.train)))
    return said[len(parts.train) :].argmax(axis=1)


def _by_neighbours(space: _Space, codes: Rows, train: Rows, test: Rows) -> Rows:
    """The class with the most weight, ``exp(cosine / 0.07)``, among the nearest pictures of train.

    Source: Wu et al. 2018, arXiv:1805.01978, section 3.4 (the weight); Caron et al. 2021, arXiv:2104.14294 (20 neighbours).
    """
    similarity = space.asked[test] @ space.asked[train].T
    nearest = top_k_rows(similarity, min(NEIGHBOURS, len(train)))
    votes = np.zeros((len(test), int(codes.max()) + 1), dtype=np.float64)
    rows = np.repeat(np.arange(len(test)), nearest.shape[1])
    weights = np.exp((np.take_along_axis(similarity, nearest, axis=1) - 1) / TEMPERATURE).ravel()
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
