"""Whether a release may answer: checked beside the one that does, before requests are given to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bowerbird.errors import BowerbirdError, NotReadyError
from bowerbird.pipeline.release import Release
from bowerbird.pipeline.understanding import understood
from bowerbird.randomness import generator
from bowerbird.records.request import Request
from bowerbird.retrieval.index import ExactIndex
from bowerbird.surfaces.answers import Answers

PROBES = 64
DEPTH = 20
LEAST_RECALL = 0.95
"""Share of the exact neighbours an index must find."""
MOST_MISSING = 0.2
"""Share of feature values that may be missing beyond those missing before."""


@dataclass(frozen=True)
class CheckReport:
    """What was found."""

    version: str
    recall: dict[str, float]
    """Per space: the share of the exact neighbours its index finds."""
    replayed: int
    overlap: float
    """Share of the old slates' items that are in the new ones."""
    score_drift: float
    """Median change of the score of an item in both, as a share of the old slates' median score."""
    feature_drift: float
    """Share of the ranker's inputs that changed by more than a hundredth."""
    missing_features: float
    """Share of the ranker's inputs that are missing now and were not before."""


def checked(old: Answers | None, new: Answers, requests: Sequence[Request]) -> CheckReport:
    """Probe a release's indexes against exact search and replay requests on it; what also warms it.

    Scores may change, that is what a new model is for: drift is reported. What may not is refused.

    Args:
        old: what answers now; None at the start.
        new: what would answer.
        requests: newest ones, replayed on both.

    Raises:
        NotReadyError: an index finds too few of its neighbours, a replayed request fails, comes back empty, or
            the ranker's inputs went missing. The message says which.
    """
    release = new.release
    recall = {space: recall_probe(release, space) for space in release.indexes if space in release.vectors}
    for space, found in recall.items():
        if found < LEAST_RECALL:
            raise NotReadyError(
                f"release {release.version} is refused: the index of {space!r} finds {found:.0%} of its nearest items "
                f"(at least {LEAST_RECALL:.0%} are needed), so it was made from other vectors; "
                f"run `bowerbird build`, or `bowerbird rollback`"
            )
    found = [_replay(old, new, replace(one, request_id="")) for one in requests] if old is not None else []
    lost = _mean([one.missing for one in found], 0.0)
    if lost > MOST_MISSING:
        raise NotReadyError(
            f"release {release.version} is refused: {lost:.0%} of the ranker's inputs went missing; run `bowerbird build`"
        )
    drifts = [drift for one in found for drift in one.drifts]
    return CheckReport(
        release.version,
        recall,
        len(found),
        _mean([one.overlap for one in found], 1.0),
        float(np.median(drifts)) if drifts else 0.0,
        _mean([one.moved for one in found], 0.0),
        lost,
    )


@dataclass(frozen=True)
class _Replay:
    """One request on both releases."""

    overlap: float
    drifts: list[float]
    moved: float
    missing: float


def _replay(old: Answers, new: Answers, request: Request) -> _Replay:
    version = new.release.version
    try:
        before, after = old.answer(request), new.answer(request)
    except BowerbirdError as error:
        raise NotReadyError(
            f"release {version} is refused: a request that was answered fails now ({error})"
        ) from error
    if before.entries and not after.entries:
        raise NotReadyError(
            f"release {version} is refused: {request.surface} answers nothing where it did before"
        )
    scores = {entry.item_id: entry.score for entry in before.entries}
    both = [(scores[one.item_id], one.score) for one in after.entries if one.item_id in scores]
    scale = (float(np.median(np.abs(list(scores.values())))) if scores else 0.0) or 1.0
    moved, missing = _features(
        old.release, new.release, request, [name for name in scores if name in new.release.row_of]
    )
    overlap = len(both) / max(len(scores), 1)
    return _Replay(overlap, [abs(now - then) / scale for then, now in both], moved, missing)


def _mean(values: list[float], without: float) -> float:
    return float(np.mean(values)) if values else without


def recall_probe(release: Release, space: str, seed: int = 0) -> float:
    """Share of the exact nearest items that a release's index finds, over seeded probes."""
    vectors = release.vectors[space]
    there = np.flatnonzero(vectors.present)
    if len(there) == 0:
        return 1.0
    chosen = generator(seed, "recall probe").choice(there, size=min(PROBES, len(there)), replace=False)
    probes, n = vectors.take(np.sort(chosen).astype(np.int32)), min(DEPTH, len(there))
    exact = ExactIndex(vectors).search(probes, n)[0]
    found = release.indexes[space].search(probes, n)[0]
    hits = [len(np.intersect1d(one, other)) for one, other in zip(exact, found, strict=True)]
    return float(np.sum(hits) / exact.size)


def _features(old: Release, new: Release, request: Request, names: list[str]) -> tuple[float, float]:
    """Shares of a slate's ranker inputs that changed, and that went missing, between two releases."""
    if old.scorer is None or new.scorer is None or not names:
        return 0.0, 0.0
    tables = []
    for release in (old, new):
        rows = np.array([release.row_of[name] for name in names], dtype=np.int32)
        tables.append(release.scorer.features(understood(release, request), rows))  # pyright: ignore[reportOptionalMemberAccess]
    before, after = tables
    if before.shape != after.shape:
        return 1.0, 0.0
    lost = np.isnan(after) & ~np.isnan(before)
    changed = ~np.isclose(before, after, rtol=0.01, atol=0.01, equal_nan=True)
    return float(changed.mean()), float(lost.mean())
