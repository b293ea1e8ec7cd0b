"""Slates for test cases: ours through the surface itself, the baselines over the whole eligible catalogue.

Baselines pass the surface's own filters (seen, hidden, near-duplicates), so that only the ranking differs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int32, Int64

from bowerbird import plugins
from bowerbird.arrays import top_k
from bowerbird.evaluation.cases import Case
from bowerbird.evaluation.outcome import Latency
from bowerbird.metrics import accuracy
from bowerbird.pipeline.release import Release
from bowerbird.pipeline.settings import SurfaceSettings
from bowerbird.pipeline.understanding import person_context
from bowerbird.randomness import generator
from bowerbird.records.candidates import Candidates
from bowerbird.records.request import Context, Request
from bowerbird.records.slate import Slate
from bowerbird.retrieval.behaviour import Trending
from bowerbird.telemetry import SILENT, Progress, measured

DEPTH = 8
"""Baselines look at this many times the slate's length before filters."""

Baseline = Callable[[Context], Float32[np.ndarray, "item"]]
"""Scores every item for a context; ``-inf`` is never shown."""


def popularity(release: Release) -> Baseline:
    """What gathers responses now, decayed; all-time counts where times are only an order."""
    source = Trending(release.joined_counts, release.logical_time)

    def scores(context: Context) -> Float32[np.ndarray, "item"]:
        found = source.find(context, len(release.items), np.ones(len(release.items), dtype=bool))
        return _placed(len(release.items), found.rows, found.scores)

    return scores


def random(release: Release, seed: int) -> Baseline:
    """A shuffle of the catalogue, one per request."""

    def scores(context: Context) -> Float32[np.ndarray, "item"]:
        request = context.request
        draw = generator(seed, "random", request.user_id or "", str(request.as_of))
        return draw.random(len(release.items)).astype(np.float32)

    return scores


def nearest_content(release: Release) -> Baseline | None:
    """What looks and reads most like the anchor; None without item vectors."""
    vectors = release.vectors.get("item")
    if vectors is None:
        return None

    def scores(context: Context) -> Float32[np.ndarray, "item"]:
        near = vectors.matrix @ vectors.matrix[context.anchor_row]
        return np.where(vectors.present, near, -np.inf).astype(np.float32)

    return scores


def shared_words(release: Release) -> Baseline | None:
    """BM25 over titles, descriptions and categories; None without words."""
    index = release.lexical
    if index is None:
        return None

    def scores(context: Context) -> Float32[np.ndarray, "item"]:
        found = index.scores(context.request.query or "")
        return np.where(found > 0, found, -np.inf).astype(np.float32)

    return scores


@dataclass(frozen=True)
class Ranked:
    """The slates of all models for the same cases.

    Args:
        cases: the requests.
        slates: per model, item rows best first; -1 fills a short slate.
        latency: of our own.
    """

    cases: tuple[Case, ...]
    slates: Mapping[str, Int32[np.ndarray, "case n"]]
    latency: Latency

    def values(
        self, metric: str, k: int, model: str, wanted: Bool[np.ndarray, "item"] | None = None
    ) -> Float64[np.ndarray, "case"]:
        """One value per case: ``recall``, ``hit`` or ``ndcg`` at ``k``.

        Args:
            metric: which.
            k: cutoff.
            model: whose slates.
            wanted: count only targets among these items; cases without one give NaN.
        """
        targets = [
            case.targets if wanted is None else case.targets[wanted[case.targets]] for case in self.cases
        ]
        counts = np.array([len(one) for one in targets], dtype=np.int64)
        slates = self.slates[model]
        hits = np.zeros(slates.shape, dtype=bool)
        for row, own in enumerate(targets):
            hits[row] = np.isin(slates[row], own)
        known = counts > 0
        values = np.full(len(targets), np.nan)
        values[known] = _METRICS[metric](hits[known], counts[known], k)
        return values

    def coverage(self, model: str, eligible: int) -> float:
        """Share of the eligible catalogue some slate of a model shows."""
        shown = self.slates[model]
        return len(np.unique(shown[shown >= 0])) / max(eligible, 1)


def _hit(
    hits: Bool[np.ndarray, "case n"], relevant: Int64[np.ndarray, "case"], k: int
) -> Float64[np.ndarray, "case"]:
    return accuracy.hit_rate(hits, k)


_METRICS: Mapping[str, Callable[..., Float64[np.ndarray, "case"]]] = {
    "recall": accuracy.recall,
    "hit": _hit,
    "ndcg": accuracy.ndcg,
}


def ranked(
    answer: Callable[..., Slate],
    release: Release,
    settings: SurfaceSettings,
    cases: Sequence[Case],
    baselines: Mapping[str, Baseline],
    progress: Progress = SILENT,
) -> Ranked:
    """Ask every case of us and of the baselines.

    Args:
        answer: answers a request: the surface itself.
        release: what baselines read; its models learnt from the past of the cases only.
        settings: the surface's declaration: slate length, eligible items, filters.
        cases: the requests.
        baselines: by name.
        progress: advanced once per case.
    """
    row_of, n = release.row_of, settings.n
    slates = {name: np.full((len(cases), n), -1, dtype=np.int32) for name in ("ours", *baselines)}
    wall, cpu = [], []
    for place, case in enumerate(cases):
        with measured() as cost:
            slate = answer(case.request)
        wall.append(cost.wall_s * 1000)
        cpu.append(cost.cpu_s * 1000)
        _fill(slates["ours"][place], np.array([row_of[name] for name in slate.item_ids], dtype=np.int32))
        context = plain_context(release, case.request)
        for name, baseline in baselines.items():
            _fill(slates[name][place], filtered_top(release, settings, context, baseline(context), n))
        progress.advance()
    return Ranked(tuple(cases), slates, _latency(wall, cpu))


def plain_context(release: Release, request: Request) -> Context:
    """What baselines and filters read of a request: who, what they did and saw; no clusters, nothing encoded."""
    user = int(release.people.rows([request.user_id])[0]) if request.user_id is not None else -1
    anchor = release.item_row(request.item_id) if request.item_id is not None else -1
    return person_context(release, request, user, anchor_row=anchor, with_interests=False)


def filtered_top(
    release: Release, settings: SurfaceSettings, context: Context, scores: Float32[np.ndarray, "item"], n: int
) -> Int32[np.ndarray, "m"]:
    """The best ``n`` eligible items by a score that pass a surface's filters."""
    allowed = release.eligible(settings.eligible, context.as_of)
    rows = top_k(np.where(allowed, scores, -np.inf), DEPTH * n)
    found = scores[rows].astype(np.float32)
    candidates = Candidates(
        rows.astype(np.int32),
        ("baseline",),
        found[None, :],
        np.full((1, len(rows)), -1, dtype=np.int32),
        scores={"value": found},
    )
    for name in settings.filters:
        gone = plugins.load("filters", name)(context, candidates, release)
        candidates = candidates.take(np.flatnonzero(~gone))
    return candidates.rows[:n]


def _fill(places: Int32[np.ndarray, "n"], rows: Int32[np.ndarray, "m"]) -> None:
    places[: min(len(rows), len(places))] = rows[: len(places)]


def _placed(
    items: int, rows: Int32[np.ndarray, "n"], scores: Float32[np.ndarray, "n"]
) -> Float32[np.ndarray, "item"]:
    """Scores in item order; what was not found is never shown."""
    placed = np.full(items, -np.inf, dtype=np.float32)
    placed[rows] = scores
    return placed


def _latency(wall_ms: list[float], cpu_ms: list[float]) -> Latency:
    if not wall_ms:
        return Latency(0, 0.0, 0.0, 0.0)
    p50, p99 = np.quantile(wall_ms, [0.5, 0.99])
    return Latency(len(wall_ms), float(p50), float(p99), float(np.mean(cpu_ms)))


__all__ = [
    "Baseline",
    "Ranked",
    "filtered_top",
    "nearest_content",
    "plain_context",
    "popularity",
    "random",
    "ranked",
    "shared_words",
]
