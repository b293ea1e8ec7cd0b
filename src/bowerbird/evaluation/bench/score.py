"""``bowerbird bench score``: candidates per CPU-second when a history is encoded once, beside the naive way.

Weights are drawn from the seed: what scoring costs doesn't depend on them, and both ways must agree whatever
they are. The naive way puts each candidate behind its own copy of the history and runs them in batches, of the
size that was fastest; at the last layer it works out the candidate's place only. Both run in one thread of numpy.
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
WAYS = ("naive", "one by one", "shared history", "shared, kept")
ALONE_MOST = 50
"""Candidates that are also run one after the other."""
NAIVE_MOST = 200
"""Candidates the naive way is timed on; each costs the same."""
BATCHES = (4, 16, 64)
"""Sizes of a batch the naive way may choose from."""


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
            rows += [_row(name, steps, count, found) for name in WAYS]
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
            f"naive: a copy of the history per candidate, the fastest of batches of {BATCHES}, at most {NAIVE_MOST} timed",
            "one by one: one sequence after the other",
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
    with row_cost() as alone:
        slow = scorer.scores_naively(history, few[:ALONE_MOST])
    costs = []
    batched = slow
    for size in BATCHES:
        scorer.scores_in_batches(history, few[:size], size)  # the first run allocates
        with row_cost() as cost:
            batched = scorer.scores_in_batches(history, few, size)
        costs.append(cost)
    naive = min(costs, key=lambda one: one.cpu_s)
    encoded = scorer.encoded(history)
    fast = scorer.scores(encoded, rows)  # also the first run, which allocates
    with row_cost() as shared:
        for _ in range(repeats):
            scorer.scores(scorer.encoded(history), rows)
    with row_cost() as kept:
        for _ in range(repeats):
            scorer.scores(encoded, rows)
    difference = float(np.abs(fast[: len(few)] - batched).max() / np.abs(batched).max())
    difference = max(difference, float(np.abs(fast[: len(slow)] - slow).max() / np.abs(slow).max()))
    return {
        "one by one": (alone.cpu_s / len(slow), alone.peak_mb),
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
