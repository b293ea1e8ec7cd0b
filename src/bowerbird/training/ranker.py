"""Training the ranker: boosted trees per action, point-in-time, calibrated on later days.

The log's newest part is cut by time into three: trees are trained on the first, calibrated on the
second, and the numbers reported come from the third, which nothing was fitted to.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import lightgbm
import numpy as np
from jaxtyping import Bool, Float32, Int64

from bowerbird.errors import NotReadyError
from bowerbird.metrics.calibration import auc, ece_equal_mass
from bowerbird.pipeline.release import Release
from bowerbird.pipeline.understanding import person_context
from bowerbird.randomness import generator
from bowerbird.ranking.calibration import Calibration, fitted_calibration
from bowerbird.ranking.features import FEATURES, POSITION, FeatureMaker
from bowerbird.ranking.trees import CARD_FILE, GRAPH_FILE, one_thread_session
from bowerbird.records.event import Events
from bowerbird.records.request import Request
from bowerbird.records.signal import Vectors
from bowerbird.telemetry import SILENT, Progress
from bowerbird.training.examples import LABELS, Impressions, impressions
from bowerbird.training.tree_graph import tree_graph

SHARES = (0.70, 0.85)
"""Trees see requests before the first quantile of time, calibration those up to the second."""
MOST_REQUESTS = (5_000, 2_000, 2_000)
"""Requests drawn from each part; more add minutes and little."""
LEAST_POSITIVES = 30
"""An action with fewer positives in training is not predicted."""
TREES = {
    "objective": "binary",
    "learning_rate": 0.1,
    "num_leaves": 16,
    "min_data_in_leaf": 80,
    "feature_fraction": 0.7,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,  # two of its threads spin on a busy machine: five times the CPU; actions run side by side
    "verbosity": -1,
}
ROUNDS = 150
PATIENCE = 15
ACTIONS_AT_ONCE = 2


@dataclass(frozen=True)
class Examples:
    """Rows a ranker learns from: features with the position last, and what followed."""

    features: Float32[np.ndarray, "n feature"]
    labels: Bool[np.ndarray, "n label"]
    requests: Int64[np.ndarray, "n"]

    def __len__(self) -> int:
        return len(self.features)


@dataclass(frozen=True)
class TrainedRanker:
    """What training leaves: one graph, one calibration per action, and honest numbers."""

    actions: tuple[str, ...]
    graph: bytes
    calibrations: tuple[Calibration, ...]
    report: dict[str, dict[str, float]]
    """Per action: AUC, ECE-15, base rate and examples on the newest, unseen part."""

    @property
    def note(self) -> str:
        """The numbers in one line."""
        return ", ".join(
            f"{action} AUC {one['auc']:.3f} ECE {one['ece']:.4f}" for action, one in self.report.items()
        )

    def save(self, directory: Path) -> None:
        """Write the graph and its card."""
        card = {
            "actions": self.actions,
            "features": FEATURES,
            "calibrations": [
                {"logits": one.logits, "probabilities": one.probabilities} for one in self.calibrations
            ],
            "report": self.report,
        }
        (directory / GRAPH_FILE).write_bytes(self.graph)
        (directory / CARD_FILE).write_text(json.dumps(card, indent=1), encoding="utf-8")


def train_ranker(release: Release, events: Events, seed: int, progress: Progress = SILENT) -> TrainedRanker:
    """Train on the impressions of a log.

    Args:
        release: what features read; no ranker needed.
        events: the log.
        seed: of the draw of requests and of the trees.
        progress: shows the making of examples.

    Raises:
        NotReadyError: no action has enough positives.
    """
    log = impressions(events, release.people, release.items.vocabulary)
    parts = _parts(log, seed)
    progress.start("ranker examples", sum(map(len, parts)), "requests")
    train, calibrate, report = (examples(release, log, part, progress) for part in parts)
    progress.finish()
    enough = np.minimum(train.labels.sum(axis=0), calibrate.labels.sum(axis=0)) >= LEAST_POSITIVES
    actions = [action for action, some in zip(LABELS, enough, strict=True) if some]
    if not actions:
        raise NotReadyError(
            f"ranker: {len(log)} requests hold too few of {', '.join(LABELS)}; "
            f"at least {LEAST_POSITIVES} of one action are needed"
        )
    with ThreadPoolExecutor(ACTIONS_AT_ONCE) as pool:
        boosters = list(
            pool.map(lambda action: _booster(train, calibrate, LABELS.index(action), seed), actions)
        )
    graph = tree_graph(boosters, len(FEATURES) + 1)
    session = one_thread_session(graph)
    (logits,) = session.run(None, {"features": calibrate.features})
    calibrations = [
        fitted_calibration(logits[:, place], calibrate.labels[:, LABELS.index(action)])
        for place, action in enumerate(actions)
    ]
    (logits,) = session.run(None, {"features": report.features})
    numbers = {
        action: _numbers(calibrations[place](logits[:, place]), report.labels[:, LABELS.index(action)])
        for place, action in enumerate(actions)
    }
    return TrainedRanker(tuple(actions), graph, tuple(calibrations), numbers)


def _parts(log: Impressions, seed: int) -> list[Int64[np.ndarray, "request"]]:
    """Requests of the three parts, drawn evenly from the newest ones, in order of time."""
    total = len(log)
    cuts = [int(total * share) for share in SHARES]
    bounds = [(0, cuts[0]), (cuts[0], cuts[1]), (cuts[1], total)]
    parts = []
    for number, ((low, high), most) in enumerate(zip(bounds, MOST_REQUESTS, strict=True)):
        newest = np.arange(max(low, high - 2 * most), high)
        if len(newest) > most:
            newest = np.sort(generator(seed, "ranker", number).choice(newest, most, replace=False))
        parts.append(newest.astype(np.int64))
    return parts


def examples(
    release: Release, log: Impressions, requests: Int64[np.ndarray, "request"], progress: Progress = SILENT
) -> Examples:
    """Features of every impression of some requests, each as of its own time."""
    maker = FeatureMaker(release)  # pyright: ignore[reportArgumentType] - cached_property
    queries = _query_vectors(release, log, requests)
    features, labels, numbers = [], [], []
    for number in requests.tolist():
        shown = log.shown(number)
        request = Request(shown.surface, shown.at, user_id=release.people.id(shown.user_row))
        query = {"item": queries[shown.query]} if shown.query in queries else {}
        context = person_context(release, request, shown.user_row, query_vectors=query, with_interests=False)
        position = np.log1p(shown.positions.astype(np.float32))[:, None]
        features.append(np.concatenate([maker(context, shown.rows), position], axis=1))
        labels.append(shown.labels)
        numbers.append(np.full(len(shown.rows), number, dtype=np.int64))
        progress.advance()
    if not features:
        width = len(FEATURES) + 1
        return Examples(
            np.empty((0, width), np.float32), np.empty((0, len(LABELS)), bool), np.empty(0, np.int64)
        )
    return Examples(np.concatenate(features), np.concatenate(labels), np.concatenate(numbers))


def _query_vectors(
    release: Release, log: Impressions, requests: Int64[np.ndarray, "request"]
) -> dict[str, Vectors]:
    """The distinct queries of some requests in the fused space."""
    column = log.table.column("query")
    texts = sorted(
        {text for number in requests.tolist() if (text := column[int(log.offsets[number])].as_py())}
    )
    encoded = release.queries.encode_many(texts)
    return (
        {text: encoded.take(np.array([row])) for row, text in enumerate(texts)} if encoded is not None else {}
    )


def _booster(train: Examples, held_out: Examples, place: int, seed: int) -> lightgbm.Booster:
    """Trees for one action, stopped when the held-out loss no longer falls."""
    names = [*FEATURES, POSITION]
    data = lightgbm.Dataset(train.features, train.labels[:, place].astype(np.int32), feature_name=names)
    valid = data.create_valid(held_out.features, held_out.labels[:, place].astype(np.int32))
    booster = lightgbm.train(
        {**TREES, "seed": seed},
        data,
        num_boost_round=ROUNDS,
        valid_sets=[valid],
        callbacks=[lightgbm.early_stopping(PATIENCE, verbose=False)],
    )
    return lightgbm.Booster(model_str=booster.model_to_string(num_iteration=booster.best_iteration))


def _numbers(probabilities: Float32[np.ndarray, "n"], happened: Bool[np.ndarray, "n"]) -> dict[str, float]:
    known = 0 < happened.sum() < len(happened)
    return {
        "auc": auc(happened, probabilities) if known else float("nan"),
        "ece": ece_equal_mass(happened, probabilities) if len(happened) else float("nan"),
        "base_rate": float(happened.mean()) if len(happened) else float("nan"),
        "examples": float(len(happened)),
    }


__all__ = ["Examples", "TrainedRanker", "examples", "train_ranker"]
