"""``bench staleness``: how good a person's vector still is when it is days old.

The same network is trained twice, on the next action and on all actions of the weeks after. Vectors made so many days
before a moment are asked what people do in the days after it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
from jaxtyping import Float32, Float64, Int64

from bowerbird.arrays import top_k_rows
from bowerbird.clock import DAY_US, format_time
from bowerbird.errors import InputError
from bowerbird.evaluation.bench.cost import row_cost
from bowerbird.evaluation.bench.report import (
    BenchData,
    BenchReport,
    BenchRow,
    Estimate,
)
from bowerbird.evaluation.bench.user_probe_data import read_probe_data
from bowerbird.metrics.uncertainty import standard_error
from bowerbird.telemetry import SILENT, Progress
from bowerbird.users.behaviour import Behaviour

__all__ = ["AGES_DAYS", "run_staleness"]

AGES_DAYS = (0, 1, 3, 7, 14, 28)
"""How old vectors are."""
LEAST_PEOPLE = 30
K = 10

Scores = Callable[[int], Float32[np.ndarray, "person item"]]
"""Scores of everybody asked about, by vectors made at a time."""


def run_staleness(
    events: pa.Table,
    horizon_days: int = 7,
    seeds: int = 3,
    *,
    future_days: float = 28.0,
    where: str = "events",
    progress: Progress = SILENT,
) -> BenchReport:
    """Recall@10 of the next days by vectors 0 to 28 days old, for both objectives and for popularity.

    With ``T`` the end of the log less the horizon: networks are trained on actions before ``T``; a vector of age ``a``
    reads actions before ``T - a``; targets are the distinct items of ``T`` to the end. The same people are asked about at
    every age: those with an action before ``T - 28`` and one after ``T``. Items met before ``T`` leave the ranking
    unless people repeat items.

    Args:
        events: see :func:`~bowerbird.evaluation.bench.user_probe_data.read_probe_data`.
        horizon_days: days after ``T``, 1 or more.
        seeds: runs of each network.
        future_days: days after a position the long-term objective draws from.
        where: what to call the events in a message.
        progress: shows trainings.

    Raises:
        InputError: the events have no times, or cover too few days or people.
    """
    data = read_probe_data(events, None, where)
    behaviour = data.behaviour
    end = int(behaviour.at.max()) + 1
    asked_at = end - horizon_days * DAY_US
    oldest = asked_at - AGES_DAYS[-1] * DAY_US
    days = (end - int(behaviour.at.min())) / DAY_US
    least = horizon_days + 2 * AGES_DAYS[-1]
    if days < least:
        raise InputError(
            f"{where}: the events cover {days:.1f} days; staleness up to {AGES_DAYS[-1]} days with a horizon of "
            f"{horizon_days} needs {least}; give more events or a shorter --horizon-days"
        )
    after = behaviour.within(asked_at, end)
    people = np.flatnonzero((after.counts() > 0) & (behaviour.before(oldest).counts() > 0))
    if people.size < LEAST_PEOPLE:
        raise InputError(
            f"{where}: {people.size} people act both before {format_time(oldest)} and after {format_time(asked_at)}; "
            f"{LEAST_PEOPLE} are needed"
        )
    past = behaviour.before(asked_at)
    trial = _Trial(past, after, people, asked_at)
    objectives: list[tuple[str, float | None]] = [("long-term", future_days), ("next action", None)]
    rows = [_trained_row(name, future, trial, seeds, progress) for name, future in objectives]
    rows.append(_popular_row(trial, seeds))
    notes = [
        f"{people.size:,} people asked about in the {horizon_days} days after {format_time(asked_at)}",
        "loss@14d is the share of recall lost in 14 days, of the mean over seeds",
        "items met before are out of the ranking"
        if trial.seen_out
        else "items met before stay in, since people repeat",
        *data.notes,
    ]
    counted = BenchData(behaviour.users_total, behaviour.items_total, len(behaviour), data.hash)
    return BenchReport("staleness", f"{horizon_days} days", counted, rows, notes)


class _Trial:
    """Who is asked about, and how an answer is graded."""

    def __init__(
        self, past: Behaviour, after: Behaviour, people: Int64[np.ndarray, "person"], asked_at: int
    ) -> None:
        self.past, self.people, self.asked_at = past, people, asked_at
        keys = past.users.astype(np.int64) * past.items_total + past.items
        self.seen_out = np.unique(keys).size > 0.9 * keys.size
        place = np.full(past.users_total, -1)
        place[people] = np.arange(people.size)
        self._wanted = _marked(place[after.users], after.items, (people.size, past.items_total))
        self._seen = _marked(place[past.users], past.items, (people.size, past.items_total))
        if self.seen_out:
            self._wanted &= ~self._seen

    def recall(self, scores: Float32[np.ndarray, "person item"]) -> Float64[np.ndarray, "person"]:
        """Share of what each person met that is among the best ten, of ten at most; people with nothing new are left out."""
        if self.seen_out:
            scores = np.where(self._seen, -np.inf, scores)
        best = top_k_rows(scores, K)
        hits = np.take_along_axis(self._wanted, best, axis=1).sum(axis=1)
        total = self._wanted.sum(axis=1)
        return hits[total > 0] / np.minimum(total[total > 0], K)


def _marked(rows: Int64[np.ndarray, "n"], columns: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    marked = np.zeros(shape, dtype=bool)
    marked[rows[rows >= 0], columns[rows >= 0]] = True
    return marked


def _trained_row(
    name: str, future_days: float | None, trial: _Trial, seeds: int, progress: Progress
) -> BenchRow:
    from bowerbird.training.long_term import LongTermSettings, fit_long_term  # loads torch

    settings = LongTermSettings(future_days=future_days)
    runs, cpu_s, peak_mb = [], [], 0.0
    for seed in range(seeds):
        with row_cost() as cost:
            encoder = fit_long_term(trial.past, seed, settings, progress)
            items = encoder.items()
            runs.append(
                [
                    trial.recall(
                        encoder.vectors(trial.past, trial.asked_at - age * DAY_US)[trial.people] @ items.T
                    )
                    for age in AGES_DAYS
                ]
            )
        cpu_s.append(cost.cpu_s)
        peak_mb = max(peak_mb, cost.peak_mb)
    return _row(name, runs, float(np.mean(cpu_s)), peak_mb, settings.model_dump(mode="json"))


def _popular_row(trial: _Trial, seeds: int) -> BenchRow:
    """Popularity in the 28 days before the vector was made."""
    with row_cost() as cost:
        run = []
        for age in AGES_DAYS:
            made_at = trial.asked_at - age * DAY_US
            lately = trial.past.within(made_at - AGES_DAYS[-1] * DAY_US, made_at)
            counts = np.bincount(lately.items, minlength=trial.past.items_total).astype(np.float32)
            run.append(trial.recall(np.broadcast_to(counts, (trial.people.size, counts.size))))
    return _row("popular", [run] * seeds, cost.cpu_s, cost.peak_mb, {})


def _row(
    name: str, runs: list[list[Float64[np.ndarray, "person"]]], cpu_s: float, peak_mb: float, settings: dict
) -> BenchRow:
    metrics = {}
    for place, age in enumerate(AGES_DAYS):
        values = [run[place] for run in runs]
        error = standard_error(np.mean(values, axis=0)) if values[0].size > 1 else None
        metrics[f"recall@{K} {age}d"] = Estimate(tuple(float(value.mean()) for value in values), error)
    fresh, old = metrics[f"recall@{K} 0d"], metrics[f"recall@{K} 14d"]
    if fresh.mean > 0:
        metrics["loss@14d"] = Estimate((1.0 - old.mean / fresh.mean,))
    return BenchRow(name, metrics, cpu_s, peak_mb, settings)
