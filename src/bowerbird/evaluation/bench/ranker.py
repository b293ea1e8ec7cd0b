"""``bowerbird bench ranker``: kinds of rankers on one log, by head, on its newest part, which nothing was fitted to.

The baseline is each item's own response rate of the last 30 days, smoothed and calibrated as the others are. Every kind
learns from the same impressions, is calibrated on the same later ones and is read on the newest; what an answer costs is
measured through the scorer that serves.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from bowerbird.errors import InputError
from bowerbird.evaluation.bench.cost import row_cost
from bowerbird.evaluation.bench.report import BenchData, BenchReport, BenchRow, Estimate
from bowerbird.pipeline.release import Release
from bowerbird.randomness import generator
from bowerbird.ranking.card import RankerCard, RankerKind
from bowerbird.ranking.features import FEATURES, STAT_ACTIONS
from bowerbird.ranking.neural import NeuralScorer
from bowerbird.ranking.scorer import Scorer
from bowerbird.ranking.trees import TreeScorer
from bowerbird.records.event import Events
from bowerbird.telemetry import SILENT, Progress, measured
from bowerbird.training.ranker import (
    KINDS,
    FittedRanker,
    RankerData,
    calibrated,
    cross_fitted_loss,
    fitted_kind,
    ranker_data,
    reported,
)
from bowerbird.training.ranker_examples import Examples, contexts

__all__ = ["KINDS", "run_ranker"]

TIMED = 40
"""Requests an answer's cost is measured on."""
RATES = "item's rate"
_SCORERS: Mapping[RankerKind, Callable[..., Scorer]] = {"trees": TreeScorer.load, "neural": NeuralScorer.load}


@dataclass(frozen=True)
class _Fitted:
    """One kind with one seed."""

    report: Mapping[str, Mapping[str, float]]
    chosen_loss: float
    ms: float | None
    cpu_s: float
    peak_mb: float


class _ItemRates:
    """What happened of an item lately, as a model: its smoothed rate of each action, clicks' where none is counted."""

    kind: RankerKind = "trees"  # never saved

    def __init__(self, actions: tuple[str, ...]) -> None:
        counted = [action if action in STAT_ACTIONS else "click" for action in actions]
        self._columns = [FEATURES.index(f"item_{action}_rate_30d") for action in counted]

    def logits(self, examples: Examples) -> Float32[np.ndarray, "n action"]:
        """The rates' logits."""
        rate = np.clip(examples.features[:, self._columns], 1e-6, 1 - 1e-6)
        return np.log(rate / (1 - rate)).astype(np.float32)

    def save(self, directory: Path) -> None:
        """Nothing: there are no weights."""


def _of_rates(data: RankerData) -> _Fitted:
    with row_cost() as cost:
        model = _ItemRates(data.actions)
        report = reported(model, calibrated(model, data), data.report)
        loss = cross_fitted_loss(model, data)
    return _Fitted(report, loss, None, cost.cpu_s, cost.peak_mb)


def run_ranker(
    release: Release,
    events: Events,
    kinds: tuple[RankerKind, ...] = KINDS,
    seeds: int = 1,
    candidates: int = 500,
    progress: Progress = SILENT,
) -> BenchReport:
    """AUC, log loss and ECE-15 of each head, and CPU-milliseconds of a request, by kind.

    Args:
        release: what rankers read; its own ranker plays no part.
        events: the log.
        kinds: what is compared.
        seeds: how many trainings; a seed draws the requests too.
        candidates: of a timed request; as many as there are where there are fewer.
        progress: shows the trainings.

    Raises:
        InputError: a number is below 1, or no kind is named.
        NotReadyError: the log holds too little, or a kind cannot be trained here.
    """
    if min(seeds, candidates) < 1 or not kinds:
        raise InputError("bench ranker: seeds and candidates must be at least 1, and a kind must be named")
    found: dict[str, list[_Fitted]] = {name: [] for name in (RATES, *kinds)}
    data: RankerData | None = None
    for seed in range(seeds):
        data = ranker_data(release, events, seed, progress)
        found[RATES].append(_of_rates(data))
        for kind in kinds:
            found[kind].append(_fitted(kind, data, seed, candidates, progress))
    assert data is not None
    rows = [row for name, fitted in found.items() for row in _rows(name, fitted)]
    key = hashlib.blake2b(data.report.labels.tobytes(), digest_size=8).hexdigest()
    report = data.report
    return BenchReport(
        "ranker",
        f"trained on {len(data.train):,} impressions, calibrated on {len(data.calibrate):,} later ones, read on the newest",
        BenchData(len(release.people), len(release.items), len(events), key),
        rows,
        (
            f"{len(report):,} impressions of {len(report.asked.as_of):,} requests are read",
            f"request ms: CPU, {min(candidates, len(release.items))} candidates, features included, mean of {TIMED} people",
            "choosing loss: summed over heads on the second part, each half calibrated on the other; what `auto` goes by",
        ),
    )


def _fitted(kind: RankerKind, data: RankerData, seed: int, candidates: int, progress: Progress) -> _Fitted:
    progress.start(f"{kind}, seed {seed}", None)
    with row_cost() as cost:
        model = fitted_kind(kind, data, seed)
    calibrations = calibrated(model, data)
    card = RankerCard(kind, calibrations, reported(model, calibrations, data.report))
    ms = _request_ms(model, card, data, candidates)
    progress.finish()
    return _Fitted(card.report, cross_fitted_loss(model, data), ms, cost.cpu_s, cost.peak_mb)


def _request_ms(model: FittedRanker, card: RankerCard, data: RankerData, candidates: int) -> float:
    """CPU-milliseconds of scoring, through what serving loads."""
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder))
        card.save(Path(folder))
        scorer = _SCORERS[card.kind](Path(folder), data.release)
    draw = generator(0, "bench ranker")
    newest = np.arange(max(0, len(data.log) - TIMED), len(data.log), dtype=np.int64)
    asked = [context for _, context in contexts(data.release, data.log, newest)]
    total = len(data.release.items)
    rows = [draw.choice(total, min(candidates, total), replace=False).astype(np.int32) for _ in asked]
    scorer.probabilities(asked[0], rows[0])  # the first works out what all share
    with measured() as cost:
        for context, some in zip(asked, rows, strict=True):
            scorer.probabilities(context, some)
    return cost.cpu_s * 1000 / len(asked)


def _rows(name: str, found: list[_Fitted]) -> list[BenchRow]:
    """A row of all heads together, and one for each; a head that some run could not be read on is in neither."""
    heads = [action for action in found[0].report if all(action in one.report for one in found)]
    some = sorted({action for one in found for action in one.report} - set(heads))
    cpu_s = sum(one.cpu_s for one in found) / len(found)
    peak = max(one.peak_mb for one in found)
    summed = tuple(float(np.nansum([one.report[action]["log_loss"] for action in heads])) for one in found)
    timed = tuple(one.ms for one in found if one.ms is not None)
    rows = [
        BenchRow(
            f"{name}, all",
            {
                "log loss": Estimate(summed),
                **({"request ms": Estimate(timed)} if timed else {}),
                "choosing loss": Estimate(tuple(one.chosen_loss for one in found)),
            },
            cpu_s,
            peak,
            {"heads not read in every run": some} if some else {},
        )
    ]
    for action in heads:
        runs = [one.report[action] for one in found]
        metrics = {
            metric: Estimate(tuple(run[key] for run in runs))
            for metric, key in (("auc", "auc"), ("log loss", "log_loss"), ("ece-15", "ece"))
        }
        base = {"base rate": runs[0]["base_rate"], "examples": runs[0]["examples"]}
        rows.append(BenchRow(f"{name}, {action}", metrics, 0.0, peak, base))
    return rows
