"""``bowerbird bench looks``: which products of a catalogue are in a photographed scene.

Scenes are split, pairs are not: no scene is learnt from and tested. A scene that shares half of its products
with a test scene (Jaccard .5 and more) is most likely another photo of the same room, so it is left out of
training too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Float64, Int64

from bowerbird.content.encoder import load_encoder
from bowerbird.content.looks import Companions, LooksModel, frozen_looks
from bowerbird.content.regions import load_regions
from bowerbird.errors import InputError
from bowerbird.evaluation.bench.cost import row_cost
from bowerbird.evaluation.bench.report import (
    BenchData,
    BenchReport,
    BenchRow,
    Estimate,
)
from bowerbird.evaluation.bench.scenes import (
    ScenesAndProducts,
    SceneVectors,
    encoded_scenes,
    scenes_and_products,
)
from bowerbird.metrics.uncertainty import standard_error
from bowerbird.randomness import generator
from bowerbird.telemetry import SILENT, Progress
from bowerbird.training.looks import LooksSettings, ScenePairs, trained_looks

__all__ = ["CUTS", "LooksPlan", "run_looks"]

CUTS = (10, 50)
SAME_ROOM = 0.5
"""Share of common products (Jaccard) from which two scenes count as one room."""

Scores = Float32[np.ndarray, "scene product"]


@dataclass(frozen=True)
class LooksPlan:
    """How the bench runs."""

    seeds: int = 3
    """Partitions into folds; also seeds of training."""
    folds: int = 5
    """Parts each partition has; every scene is tested once in each."""
    limit: int = 1000
    """Most pictured scenes."""
    encoder: str = "efficientnet-lite2"
    regions: str = "multi-scale"
    settings: LooksSettings = field(default_factory=LooksSettings)
    progress: Progress = SILENT

    def __post_init__(self) -> None:
        if self.seeds < 1 or self.folds < 2:
            raise InputError(
                f"looks: seeds = {self.seeds}, folds = {self.folds}; expected 1 and 2 at the least"
            )


@dataclass(frozen=True)
class _Fold:
    """One training: what is known and what is asked."""

    seed: int
    train: Int64[np.ndarray, " train"]
    test: Int64[np.ndarray, " test"]
    known: tuple[Int64[np.ndarray, "_"], ...]
    """Product rows of every scene that may be learnt from, with or without a picture."""


def run_looks(scenes: Path, products: Path, pairs: Path, plan: LooksPlan | None = None) -> BenchReport:
    """Recall of a scene's products among all, ours beside chance, popularity and frozen similarity.

    Args:
        scenes: pictures of scenes.
        products: pictures of products: the catalogue that is searched.
        pairs: which product is in which scene.
        plan: how it runs.

    Raises:
        NotFoundError: a file is not there.
        InputError: the files do not fit together, or too little can be used.
    """
    plan = plan or LooksPlan()
    data = scenes_and_products(scenes, products, pairs, plan.limit)
    encoder = load_encoder(plan.encoder, threads=2)
    with row_cost() as encoding:
        data, vectors = encoded_scenes(data, encoder, load_regions(plan.regions), plan.progress)
    folds = [fold for seed in range(plan.seeds) for fold in _folds(data, plan, seed)]
    models = _models(data, vectors, plan)
    rows = [_row(name, model, data, folds, plan) for name, model in models.items()]
    pair_count = sum(len(one) for one in data.within)
    shared = np.mean([_known_share(data, fold) for fold in folds])
    regions = f"{len(vectors.regions) / len(data.places):.0f} regions a scene by {plan.regions}"
    split = f"{plan.folds} folds, each scene tested once a seed" if data.tested is None else "the file's own"
    notes = [
        *data.notes,
        f"{regions}, vectors of {encoder.space.version}, {encoding.cpu_s:.0f} CPU s to encode",
        f"split by scene: {split}",
        f"{len(data.unseen):,} scenes without a picture are learnt from by `popularity` and `companions` only",
        "scenes that share half their products with a test scene are left out of training",
        f"products are shared: {shared:.0%} of test pairs have a product that also stands in a training scene",
        "recall is a share of all products of the scene; the seconds of `companions` come on top of the row above",
    ]
    return BenchReport(
        "looks",
        "products of a scene among all",
        BenchData(len(data.places), len(data.products), pair_count, data.hash),
        rows,
        notes,
    )


def _models(
    data: ScenesAndProducts, vectors: SceneVectors, plan: LooksPlan
) -> dict[str, Callable[[_Fold], Scores]]:
    """Each row's way from a fold to scores of its test scenes."""
    encoder_space = load_encoder(plan.encoder).space
    scene_pairs = ScenePairs(vectors.regions, vectors.bounds, vectors.products, data.within)
    made: dict[tuple[int, bytes], LooksModel] = {}

    def frozen(fold: _Fold) -> LooksModel:
        rows = _regions_of(vectors.bounds, fold.train)
        return frozen_looks(encoder_space, vectors.regions[rows], vectors.products[vectors.readable])

    def scored(model: LooksModel, fold: _Fold) -> Scores:
        regions = vectors.regions[_regions_of(vectors.bounds, fold.test)]
        lengths = np.diff(vectors.bounds)[fold.test]
        scores = model.scores(regions, np.concatenate([[0], np.cumsum(lengths)]), vectors.products)
        scores[:, ~vectors.readable] = -1.0  # a product nobody could look at is like nothing
        return scores

    def learnt(fold: _Fold) -> Scores:
        key = (fold.seed, fold.test.tobytes())
        if key not in made:
            made[key] = trained_looks(frozen(fold), scene_pairs, fold.train, plan.settings, fold.seed)
        return scored(made[key], fold)

    def nearest(fold: _Fold, *, whole: bool) -> Scores:
        out = np.zeros((len(fold.test), len(vectors.products)), dtype=np.float32)
        for at, scene in enumerate(fold.test.tolist()):
            start, end = vectors.bounds[scene : scene + 2]
            part = vectors.regions[start : start + 1 if whole else end]
            out[at] = (part @ vectors.products.T).max(axis=0)
        return out

    def popular(fold: _Fold) -> Scores:
        count = np.bincount(np.concatenate(fold.known), minlength=len(vectors.products))
        return np.tile(count.astype(np.float32), (len(fold.test), 1))

    def chance(fold: _Fold) -> Scores:
        draws = generator(fold.seed, "bench", "chance")
        return draws.random((len(fold.test), len(vectors.products)), dtype=np.float32)

    def companions(fold: _Fold) -> Scores:
        return Companions.of(fold.known, len(vectors.products)).added(learnt(fold))

    return {
        "random": chance,
        "popularity": popular,
        "visual: whole scene": lambda fold: nearest(fold, whole=True),
        "visual: best crop": lambda fold: nearest(fold, whole=False),
        "ours untrained: shared axes": lambda fold: scored(frozen(fold), fold),
        "ours: learnt from pairs": learnt,
        "ours: learnt + companions": companions,
    }


def _row(
    name: str,
    model: Callable[[_Fold], Scores],
    data: ScenesAndProducts,
    folds: Sequence[_Fold],
    plan: LooksPlan,
) -> BenchRow:
    recalls: dict[int, Float64[np.ndarray, "seed scene"]] = {
        cut: np.full((plan.seeds, len(data.places)), np.nan) for cut in CUTS
    }
    plan.progress.start(name, len(folds), "folds")
    with row_cost() as cost:
        for fold in folds:
            order = np.argsort(-model(fold), axis=1, kind="stable")[:, : max(CUTS)]
            for at, scene in enumerate(fold.test.tolist()):
                hits = np.isin(order[at], data.within[scene])
                for cut, table in recalls.items():
                    table[fold.seed, scene] = hits[:cut].sum() / len(data.within[scene])
            plan.progress.advance()
    plan.progress.finish()
    metrics = {f"recall@{cut}": _estimate(table) for cut, table in recalls.items()}
    settings = plan.settings.model_dump(mode="json") if name.startswith("ours: ") else {}
    return BenchRow(name, metrics, cost.cpu_s / plan.seeds, cost.peak_mb, settings)


def _estimate(table: Float64[np.ndarray, "seed scene"]) -> Estimate:
    """Mean over tested scenes for each seed; the error is the scenes' own, seeds averaged out."""
    tested = table[:, ~np.isnan(table).all(axis=0)]
    return Estimate(
        tuple(np.nanmean(tested, axis=1).tolist()),
        standard_error(np.nanmean(tested, axis=0)) if tested.shape[1] > 1 else None,
    )


def _folds(data: ScenesAndProducts, plan: LooksPlan, seed: int) -> list[_Fold]:
    count = len(data.places)
    if data.tested is not None:
        parts = [np.flatnonzero(data.tested)]
    else:
        order = generator(seed, "bench", "looks").permutation(count)
        parts = [np.sort(part) for part in np.array_split(order, min(plan.folds, count))]
    return [_fold(data, seed, part) for part in parts]


def _fold(data: ScenesAndProducts, seed: int, test: Int64[np.ndarray, " test"]) -> _Fold:
    asked = [data.within[scene] for scene in test]
    rest = np.setdiff1d(np.arange(len(data.places)), test)
    train = np.array([scene for scene in rest if not _same_room(data.within[scene], asked)], dtype=np.int64)
    if train.size == 0:
        raise InputError(
            f"looks: all {rest.size} training scenes share half their products with a test scene; "
            "expected scenes that differ"
        )
    unseen = [one for one in data.unseen if not _same_room(one, asked)]
    return _Fold(seed, train, test, (*(data.within[scene] for scene in train), *unseen))


def _same_room(one: Int64[np.ndarray, "_"], others: Sequence[Int64[np.ndarray, "_"]]) -> bool:
    for other in others:
        common = np.intersect1d(one, other, assume_unique=True).size
        if common >= SAME_ROOM * (one.size + other.size - common):
            return True
    return False


def _known_share(data: ScenesAndProducts, fold: _Fold) -> float:
    """Share of test pairs whose product also stands in a pictured training scene."""
    known = np.unique(np.concatenate([data.within[scene] for scene in fold.train]))
    return float(np.isin(np.concatenate([data.within[scene] for scene in fold.test]), known).mean())


def _regions_of(
    bounds: Int64[np.ndarray, " bound"], scenes: Int64[np.ndarray, " scene"]
) -> Int64[np.ndarray, " region"]:
    return np.concatenate([np.arange(*bounds[scene : scene + 2].tolist()) for scene in scenes])
