"""``bowerbird bench score``: candidates per CPU-second when a history is encoded once, beside the naive way.

Weights are drawn from the seed: what scoring costs doesn't depend on them, and both ways must agree whatever
they are. The naive way runs the whole sequence again for each candidate.
"""

from __future__ import annotations

import hashlib

import numpy as np

from bowerbird.errors import InputError
from bowerbird.evaluation.bench.cost import row_cost
from bowerbird.evaluation.bench.report import (
    BenchData,
    BenchReport,
    BenchRow,
    Estimate,
)
from bowerbird.randomness import generator
from bowerbird.ranking.shared_history import SharedHistoryScorer
from bowerbird.telemetry import SILENT, Progress

__all__ = ["run_score"]

DIM, LAYERS, HEADS, ACTIONS = 64, 2, 4, 5
TOLERANCE = 1e-5
NAIVE_MOST = 100
"""Candidates the naive way is timed on; each costs the same."""


def run_score(
    histories: tuple[int, ...] = (100, 256),
    candidates: tuple[int, ...] = (200, 1000),
    repeats: int = 10,
    seeds: int = 3,
    progress: Progress = SILENT,
) -> BenchReport:
    """Candidates per CPU-second, ours and naive, for lengths of history and numbers of candidates.

    Args:
        histories: steps of a history.
        candidates: candidates of a request.
        repeats: requests timed per row and seed.
        seeds: how many draws of weights, histories and candidates.
        progress: shows the rows.

    Raises:
        InputError: a number is below 1, or the two ways disagree by more than 1e-5 of the largest score.
    """
    if min(*histories, *candidates, repeats, seeds) < 1:
        raise InputError("bench score: histories, candidates, repeats and seeds must each be at least 1")
    progress.start("score", len(histories) * len(candidates), "shapes")
    rows: list[BenchRow] = []
    worst = 0.0
    for steps in histories:
        for count in candidates:
            found = [_timed(steps, count, repeats, seed) for seed in range(seeds)]
            worst = max(worst, *(one["difference"][0] for one in found))
            rows += [_row(name, steps, count, found) for name in ("naive", "shared history", "shared, kept")]
            progress.advance()
    progress.finish()
    if worst > TOLERANCE:
        raise InputError(
            f"bench score: the two ways differ by {worst:.1e} of the largest score, more than {TOLERANCE}"
        )
    key = hashlib.blake2b(repr((histories, candidates, seeds)).encode(), digest_size=8).hexdigest()
    return BenchReport(
        "score",
        f"dim {DIM}, {LAYERS} layers, {HEADS} heads, {ACTIONS} actions; drawn weights",
        BenchData(seeds, sum(candidates), sum(histories), key),
        rows,
        (
            f"largest difference from the naive way: {worst:.1e} of the largest score",
            f"naive: timed on at most {NAIVE_MOST} candidates, each costs the same",
            "shared history: the history encoded in every request; shared, kept: since the person's last event",
        ),
    )


def _timed(steps: int, count: int, repeats: int, seed: int) -> dict[str, tuple[float, float]]:
    """Per way, CPU-seconds per candidate and peak MB; and the largest relative difference."""
    draw = generator(seed, f"bench score {steps} {count}")
    scorer = SharedHistoryScorer.drawn(DIM, LAYERS, HEADS, ACTIONS, seed)
    history = draw.normal(size=(steps, DIM)).astype(np.float32)
    rows = draw.normal(size=(count, DIM)).astype(np.float32)
    few = rows[:NAIVE_MOST]
    with row_cost() as naive:
        slow = scorer.scores_naively(history, few)
    encoded = scorer.encoded(history)
    fast = scorer.scores(encoded, rows)  # also the first run, which allocates
    with row_cost() as shared:
        for _ in range(repeats):
            scorer.scores(scorer.encoded(history), rows)
    with row_cost() as kept:
        for _ in range(repeats):
            scorer.scores(encoded, rows)
    difference = float(np.abs(fast[: len(few)] - slow).max() / np.abs(slow).max())
    return {
        "naive": (naive.cpu_s / len(few), naive.peak_mb),
        "shared history": (shared.cpu_s / (repeats * count), shared.peak_mb),
        "shared, kept": (kept.cpu_s / (repeats * count), kept.peak_mb),
        "difference": (difference, 0.0),
    }


def _row(name: str, steps: int, count: int, found: list[dict[str, tuple[float, float]]]) -> BenchRow:
    tick = 1e-9  # a clock too coarse to see a tiny run must not divide by zero
    rates = tuple(1.0 / max(one[name][0], tick) for one in found)
    faster = tuple(one["naive"][0] / max(one[name][0], tick) for one in found)
    return BenchRow(
        f"{name}, history {steps}, {count} candidates",
        {"candidates/cpu-s": Estimate(rates), "times naive": Estimate(faster)},
        sum(one[name][0] for one in found) * count / len(found),
        max(one[name][1] for one in found),
        {"history": steps, "candidates": count},
    )
