"""Choosing, fitting and pricing the models of one table, the same way for every model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64

from bowerbird.errors import InputError
from bowerbird.evaluation.bench.cost import row_cost
from bowerbird.evaluation.bench.report import BenchData, BenchRow, Estimate
from bowerbird.metrics.uncertainty import standard_error
from bowerbird.recommenders.guidance import Effort, Guidance, fitted_with
from bowerbird.recommenders.interactions import Interactions
from bowerbird.recommenders.recommender import FittedRecommender, Recommender, recommender
from bowerbird.telemetry import SILENT, Progress

__all__ = [
    "BenchPlan",
    "Measurement",
    "bench_data",
    "chosen_models",
    "estimates",
    "fitted_row",
    "fitted_rows",
    "required_content",
]


@dataclass(frozen=True)
class BenchPlan:
    """Which models run and how often; the same for all tasks with recommenders."""

    models: tuple[str, ...]
    """Plugin names, in the order of the table's rows."""
    seeds: int = 1
    """Runs of each model that draws random numbers; seeds ``0..seeds - 1``."""
    tune: bool = False
    """Choose each model's settings on validation, from its declared grid."""
    refit: bool = False
    """Add a row per model fitted on train and validation together."""
    progress: Progress = SILENT
    """Where long work says how far it is."""
    effort: Effort = "standard"
    """How long trained models may train."""
    checkpoints: Path | None = None
    """A folder where trained models keep their state, so that a bench that was killed goes on."""
    workers: int = 1
    """Workers of a Ray cluster that train an encoder together; 1: this process."""

    def __post_init__(self) -> None:
        if self.seeds < 1:
            raise InputError(f"seeds = {self.seeds}; expected at least 1")
        if not self.models:
            raise InputError("models: found none; expected at least one name, see --models list")


def bench_data(interactions: Interactions) -> BenchData:
    """What a table says of the interactions it stands on."""
    return BenchData(interactions.users_total, interactions.items_total, len(interactions), interactions.hash)


def required_content(interactions: Interactions, asker: str) -> Float32[np.ndarray, "item width"]:
    """The items' content, for a task that is nothing without.

    Args:
        interactions: the events.
        asker: the task; begins the error.

    Raises:
        InputError: no item has content.
    """
    content = interactions.content
    if content is None or not content.any():
        raise InputError(
            f"{asker}: no item has content, and nothing else can tell new items apart; "
            "expected --items with item_id and words"
        )
    return content


@dataclass(frozen=True)
class Measurement:
    """What one fitted model reached on one set of cases."""

    per_user: Mapping[str, Float64[np.ndarray, " user"]]
    """Metrics with a value per user (or target); they get a standard error."""
    overall: Mapping[str, float]
    """Metrics of all lists together, e.g. coverage."""


Evaluation = Callable[[FittedRecommender], Measurement]
"""Scores a fitted model on cases fixed beforehand."""


def chosen_models(
    plan: BenchPlan, train: Interactions, on_validation: Evaluation | None, criterion: str = "ndcg@10"
) -> list[tuple[str, Recommender]]:
    """Each model of the plan with the settings to use: its defaults, or the best on validation.

    Args:
        plan: which models, and whether to tune.
        train: what the variants are fitted on.
        on_validation: measures on validation cases; None where the split has no validation part.
        criterion: the metric with a value per user whose mean decides; the first best variant wins.

    Raises:
        InputError: tuning is asked for and there is nothing to tune on.
    """
    if not plan.tune:
        return [(name, recommender(name)) for name in plan.models]
    if on_validation is None:
        raise InputError("tune: this split has no validation part; expected one, or run without --tune")
    chosen = []
    for name in plan.models:
        variants = recommender(name).variants()
        plan.progress.start(f"tuning {name} on validation", len(variants), "variants")
        best, best_value = variants[0], -np.inf
        for variant in variants:
            value = (
                float(on_validation(variant.fit(train, 0)).per_user[criterion].mean())
                if len(variants) > 1
                else 0.0
            )
            best, best_value = (variant, value) if value > best_value else (best, best_value)
            plan.progress.advance()
        plan.progress.finish()
        chosen.append((name, best))
    return chosen


def fitted_row(
    label: str,
    model: Recommender,
    train: Interactions,
    evaluation: Evaluation,
    plan: BenchPlan,
    guidance: Guidance | None = None,
) -> BenchRow:
    """One line of the table; see :func:`fitted_rows`."""
    return fitted_rows({label: evaluation}, model, train, plan, guidance)[0]


def fitted_rows(
    evaluations: Mapping[str, Evaluation],
    model: Recommender,
    train: Interactions,
    plan: BenchPlan,
    guidance: Guidance | None = None,
) -> list[BenchRow]:
    """A line of the table per evaluation: the model fitted once per seed and measured on each.

    A model that draws nothing at random is run once and its value stands for each seed. What a model
    chose while it was fitted (the attribute ``chosen``, if it has one) stands with its settings.

    Args:
        evaluations: what each row is called, and what measures it.
        model: with the settings to use.
        train: what it is fitted on.
        plan: how many seeds, how much effort.
        guidance: what trained models may look at beside train, e.g. validation to stop by.
    """
    guided = replace(
        guidance or Guidance(),
        effort=plan.effort,
        progress=plan.progress,
        checkpoints=plan.checkpoints,
        workers=plan.workers,
    )
    runs: dict[str, list[Measurement]] = {label: [] for label in evaluations}
    cpu_s: dict[str, list[float]] = {label: [] for label in evaluations}
    peak_mb = 0.0
    chosen: Mapping[str, Any] = {}
    seeds = plan.seeds if model.uses_seed else 1
    for seed in range(seeds):
        with row_cost() as fitting:
            fitted = fitted_with(model, train, seed, guided)
        chosen = chosen or getattr(fitted, "chosen", {})
        earlier_s = float(getattr(fitted, "earlier_cpu_s", 0.0))  # before a kill, when training went on
        for label, evaluation in evaluations.items():
            plan.progress.start(f"measuring {label}, seed {seed}", None, "runs")
            with row_cost() as measuring:
                runs[label].append(evaluation(fitted))
            plan.progress.finish()
            cpu_s[label].append(earlier_s + fitting.cpu_s + measuring.cpu_s)
            peak_mb = max(peak_mb, fitting.peak_mb, measuring.peak_mb)
    settings = {**model.settings.model_dump(mode="json"), **chosen}
    return [
        BenchRow(
            label,
            estimates(runs[label], plan.seeds // seeds),
            cpu_seconds=float(np.mean(cpu_s[label])),
            peak_mb=peak_mb,
            settings=settings,
        )
        for label in evaluations
    ]


def estimates(runs: Sequence[Measurement], copies: int = 1) -> dict[str, Estimate]:
    """The measurements of one row's seeds as estimates.

    Args:
        runs: one for each seed; where seeds ask different users, only the first gives standard errors.
        copies: a run without randomness stands for so many seeds.
    """
    found = {}
    for name in runs[0].per_user:
        values = [run.per_user[name] for run in runs]
        seeds = tuple(float(value.mean()) for value in values) * copies
        # users' own luck, with the seeds' luck averaged out
        same = all(value.size == values[0].size for value in values)
        users = np.mean(values, axis=0) if same else values[0]
        found[name] = Estimate(seeds, standard_error(users) if users.size > 1 else None)
    for name in runs[0].overall:
        found[name] = Estimate(tuple(run.overall[name] for run in runs) * copies)
    return found
