"""Examples a ranker learns from: every impression with what was known before it and what followed.

One function makes them for every kind of ranker, through the context and the features that serving uses, each
request as of its own time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int8, Int32, Int64

from bowerbird.pipeline.release import Release
from bowerbird.pipeline.understanding import person_context
from bowerbird.randomness import generator
from bowerbird.ranking.features import FEATURES, FeatureMaker
from bowerbird.ranking.lifelong import CompactItems, NearestSteps
from bowerbird.ranking.network_inputs import STEPS, long_term_vector
from bowerbird.ranking.scorer import Scorer
from bowerbird.records.request import Context, Request
from bowerbird.records.signal import Vectors
from bowerbird.telemetry import SILENT, Progress
from bowerbird.training.impressions import LABELS, Impressions, Shown

__all__ = ["Asked", "Examples", "contexts", "examples", "parts", "predicted"]

SHARES = (0.70, 0.85)
"""Models see requests before the first quantile of time; the second part chooses and calibrates, the third is read."""

SLATE = 8
"""Impressions of a request that a limit on requests has in mind."""


@dataclass(frozen=True)
class Asked:
    """Who asked, one row per request.

    Args:
        as_of: when.
        bounds: request ``r`` owns steps ``bounds[r]:bounds[r + 1]``, its newest :data:`~bowerbird.ranking.network_inputs.STEPS`, oldest first.
        rows: item row of each step.
        at: time of each step.
        actions: code of each step.
        persons: long-term vectors; zeros where there is none.
    """

    as_of: Int64[np.ndarray, "request"]
    bounds: Int64[np.ndarray, "bound"]
    rows: Int32[np.ndarray, "step"]
    at: Int64[np.ndarray, "step"]
    actions: Int8[np.ndarray, "step"]
    persons: Float32[np.ndarray, "request dim"]


@dataclass(frozen=True)
class Examples:
    """Rows a ranker learns from, the rows of a request together.

    Args:
        features: the position last, as ``log1p``.
        labels: which of :data:`~bowerbird.training.impressions.LABELS` followed.
        requests: number of each row's request in the log.
        owners: place of each row's request in :attr:`asked`, ascending.
        rows: item rows.
        positions: 0 is the top.
        nearest: each row's nearest actions of all time; none where they were not asked for.
        asked: who asked.
    """

    features: Float32[np.ndarray, "n feature"]
    labels: Bool[np.ndarray, "n label"]
    requests: Int64[np.ndarray, "n"]
    owners: Int64[np.ndarray, "n"]
    rows: Int32[np.ndarray, "n"]
    positions: Int32[np.ndarray, "n"]
    nearest: NearestSteps
    asked: Asked

    def __len__(self) -> int:
        return len(self.features)


def parts(log: Impressions, most: tuple[int, int, int], seed: int) -> list[Int64[np.ndarray, "request"]]:
    """Requests to train on, to choose and calibrate on, and to report, in order of time.

    Args:
        log: the impressions.
        most: requests of each part at most, drawn evenly from the newest ones; as many more where slates are shorter
            than :data:`SLATE` as hold as much in all.
        seed: of the draw.
    """
    total = len(log)
    longer = max(1.0, SLATE * total / max(len(log.rows), 1))
    cuts = [int(total * share) for share in SHARES]
    bounds = [(0, cuts[0]), (cuts[0], cuts[1]), (cuts[1], total)]
    found = []
    for number, ((low, high), limit) in enumerate(zip(bounds, most, strict=True)):
        enough = int(limit * longer)
        newest = np.arange(max(low, high - 2 * enough), high)
        if len(newest) > enough:
            newest = np.sort(generator(seed, "ranker", number).choice(newest, enough, replace=False))
        found.append(newest.astype(np.int64))
    return found


def contexts(
    release: Release, log: Impressions, requests: Int64[np.ndarray, "request"]
) -> Iterator[tuple[Shown, Context]]:
    """What some requests showed, and what was known when they asked."""
    queries = _query_vectors(release, log, requests)
    for number in requests.tolist():
        shown = log.shown(number)
        request = Request(shown.surface, shown.at, user_id=release.people.id(shown.user_row))
        query = {"item": queries[shown.query]} if shown.query in queries else {}
        yield (
            shown,
            person_context(release, request, shown.user_row, query_vectors=query, with_interests=False),
        )


def examples(
    release: Release,
    log: Impressions,
    requests: Int64[np.ndarray, "request"],
    progress: Progress = SILENT,
    *,
    lifelong: bool = True,
) -> Examples:
    """Every impression of some requests, each as of its own time.

    Args:
        release: what is read.
        log: the impressions.
        requests: which of them.
        progress: moved on by every request.
        lifelong: look up each row's nearest actions, a third of the cost; trees don't read them.
    """
    maker = FeatureMaker(release)  # pyright: ignore[reportArgumentType] - cached_property
    vectors = release.vectors.get("item")
    compact = CompactItems.of(vectors) if lifelong and vectors is not None else None
    features, shown_all, nearest, histories, persons = [], [], [], [], []
    for shown, context in contexts(release, log, requests):
        position = np.log1p(shown.positions.astype(np.float32))[:, None]
        features.append(np.concatenate([maker(context, shown.rows), position], axis=1))
        shown_all.append(shown)
        found = compact.nearest(context.history, shown.rows, shown.at) if compact is not None else None
        nearest.append(found if found is not None else NearestSteps.none(len(shown.rows)))
        histories.append(context.history.last(STEPS))
        persons.append(long_term_vector(context, vectors))
        progress.advance()
    sizes = [len(one.rows) for one in shown_all]
    return Examples(
        _joined(features, (0, len(FEATURES) + 1), np.float32),
        _joined([one.labels for one in shown_all], (0, len(LABELS)), bool),
        np.repeat(requests, sizes),
        np.repeat(np.arange(len(sizes), dtype=np.int64), sizes),
        _joined([one.rows for one in shown_all], (0,), np.int32),
        _joined([one.positions for one in shown_all], (0,), np.int32),
        NearestSteps.joined(nearest),
        Asked(
            np.array([one.at for one in shown_all], np.int64),
            np.cumsum([0, *map(len, histories)]).astype(np.int64),
            _joined([one.rows for one in histories], (0,), np.int32),
            _joined([one.at for one in histories], (0,), np.int64),
            _joined([one.actions for one in histories], (0,), np.int8),
            _joined([one[None] for one in persons], (0, vectors.space.dim if vectors else 1), np.float32),
        ),
    )


def predicted(
    release: Release, scorer: Scorer, log: Impressions, requests: Int64[np.ndarray, "request"]
) -> dict[str, Float32[np.ndarray, "n"]]:
    """A scorer's probability of every impression of some requests, at the position it had."""
    found = [
        scorer.probabilities(context, shown.rows, shown.positions)
        for shown, context in contexts(release, log, requests)
    ]
    return {action: _joined([one[action] for one in found], (0,), np.float32) for action in scorer.actions}


def _joined(arrays: list[np.ndarray], empty: tuple[int, ...], kind: type) -> np.ndarray:
    return np.concatenate(arrays) if arrays else np.empty(empty, kind)


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
