"""Offline quality of the surfaces that rank items: ours beside simple baselines, with intervals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from bowerbird.evaluation import rankings
from bowerbird.evaluation.cases import Case, homefeed_cases, next_cases, sampled, search_cases
from bowerbird.evaluation.cohorts import cohorts
from bowerbird.evaluation.outcome import Estimate, Measure, SurfaceOutcome
from bowerbird.evaluation.rankings import Baseline, Ranked
from bowerbird.evaluation.window import HeldOut
from bowerbird.records.event import Events
from bowerbird.surfaces.answers import Answers
from bowerbird.telemetry import SILENT, Progress

QUESTIONS = {
    "homefeed": "Which items does a person first engage with in the seven days after coming back?",
    "related": "What does the person turn to next, after this item, within a day?",
    "search": "Which answers to their own words does the person open?",
    "shopping": "Which product does the person turn to next, after this item, within a day?",
}
METRICS = {
    "homefeed": (("recall", 25), ("hit", 10), ("ndcg", 10)),
    "related": (("hit", 10), ("ndcg", 10)),
    "search": (("ndcg", 10), ("hit", 10)),
    "shopping": (("hit", 10), ("ndcg", 10)),
}
"""Per surface; the first is the one the summary shows."""


@dataclass(frozen=True)
class Sampling:
    """How much is asked."""

    cases: int = 200
    """Most requests per surface, one per person."""
    seed: int = 7
    """Of the draw of requests, of the random baseline and of the intervals."""


def ranking_outcomes(
    answers: Answers, window: HeldOut, events: Events, sampling: Sampling, progress: Progress = SILENT
) -> list[SurfaceOutcome]:
    """Homefeed, related, search and shopping, each against its baselines.

    Args:
        answers: surfaces whose models learnt from the past of the window; their log is whole, because
            every request reads strictly before its own time.
        window: the test.
        events: the log, for queries.
        sampling: how much is asked.
        progress: shows requests.
    """
    release, seed = answers.release, sampling.seed
    makers = {
        "homefeed": lambda: homefeed_cases(release, window),
        "related": lambda: next_cases(release, window, "related", "organic", seed),
        "search": lambda: search_cases(release, window, events, seed),
        "shopping": lambda: next_cases(release, window, "shopping", "products", seed),
    }
    outcomes = []
    for surface, cases in makers.items():
        outcomes.append(_outcome(answers, window, surface, cases(), sampling, progress))
    return outcomes


def _outcome(
    answers: Answers, window: HeldOut, surface: str, cases: list[Case], sampling: Sampling, progress: Progress
) -> SurfaceOutcome:
    release, question = answers.release, QUESTIONS[surface]
    why = _missing(answers, window, surface, cases)
    if why:
        return SurfaceOutcome(surface, question, missing=why)
    chosen = sampled(cases, sampling.cases, sampling.seed)
    chosen.sort(key=lambda case: case.request.as_of)  # in the order they came, as a server sees them
    progress.start(f"ask {surface}", len(chosen), "requests")
    settings = answers.pipeline(surface).settings
    answers.answer(chosen[0].request)  # the first request loads what the others share
    table = rankings.ranked(
        answers.answer, release, settings, chosen, _baselines(answers, surface, sampling.seed), progress
    )
    measures = [measured(table, metric, k, sampling.seed) for metric, k in METRICS[surface]]
    eligible = int(release.eligible(settings.eligible, window.until).sum())
    measures.append(_coverage(table, eligible))
    groups = _cohort_measures(table, answers, window, sampling.seed) if surface == "homefeed" else ()
    progress.finish(_line(measures[0]))
    note = f"{len(chosen)} of {len(cases)} people with a test request were asked"
    return SurfaceOutcome(surface, question, tuple(measures), tuple(groups), table.latency, notes=(note,))


def _missing(answers: Answers, window: HeldOut, surface: str, cases: list[Case]) -> str:
    """Why a surface cannot be judged on this log; empty when it can."""
    release = answers.release
    if surface == "search" and release.lexical is None and "item" not in release.vectors:
        return "no item has words or a picture"
    if surface == "shopping" and not release.eligible("products", window.until).any():
        return "no item has a price, so nothing is a product"
    if cases:
        return ""
    if surface == "search":
        return "the log holds no queries with opened answers in the test"
    return "nobody did anything in the test that this surface could have foreseen"


def _baselines(answers: Answers, surface: str, seed: int) -> dict[str, Baseline]:
    """Popularity first, then what is particular to the surface."""
    release = answers.release
    found: dict[str, Baseline | None] = {"popularity": rankings.popularity(release)}
    if surface == "homefeed":
        found["random"] = rankings.random(release, seed)
    if surface in ("related", "shopping"):
        found["content only"] = rankings.nearest_content(release)
    if surface == "search":
        found["BM25"] = rankings.shared_words(release)
    return {name: one for name, one in found.items() if one is not None}


def measured(
    table: Ranked, metric: str, k: int, seed: int, *, wanted: Bool[np.ndarray, "item"] | None = None
) -> Measure:
    """One metric of all models, with the paired difference to popularity.

    Args:
        table: the slates.
        metric: ``recall``, ``hit`` or ``ndcg``.
        k: cutoff.
        seed: of the intervals.
        wanted: count only these items as targets; people without one are left out.
    """
    values = {model: table.values(metric, k, model, wanted) for model in table.slates}
    kept = ~np.isnan(values["ours"])
    return _compared({model: one[kept] for model, one in values.items()}, f"{metric}@{k}", seed)


def _compared(
    values: Mapping[str, np.ndarray], metric: str, seed: int, group: str = "everybody", about: str = ""
) -> Measure:
    return Measure(
        metric,
        len(values["ours"]),
        Estimate.of(values["ours"], seed),
        {name: Estimate.of(one, seed) for name, one in values.items() if name != "ours"},
        "popularity",
        Estimate.of_difference(values["ours"], values["popularity"], seed),
        group,
        about,
    )


def _coverage(table: Ranked, eligible: int) -> Measure:
    shares = {model: Estimate(table.coverage(model, eligible)) for model in table.slates}
    ours = shares.pop("ours")
    about = "share of eligible items that some slate shows"
    return Measure("coverage", len(table.cases), ours, shares, about=about)


def _cohort_measures(table: Ranked, answers: Answers, window: HeldOut, seed: int) -> list[Measure]:
    """The first metric of homefeed per cohort; cohorts nobody belongs to are left out."""
    metric, k = METRICS["homefeed"][0]
    groups = cohorts(answers.release, window, table.cases)
    found = []
    for name, mask in groups.people.items():
        values = {model: table.values(metric, k, model)[mask] for model in table.slates}
        if mask.any():
            found.append(_compared(values, f"{metric}@{k}", seed, name, groups.about[name]))
    for name, wanted in groups.items.items():
        values = {model: table.values(metric, k, model, wanted) for model in table.slates}
        kept = ~np.isnan(values["ours"])
        if kept.any():
            own = {model: one[kept] for model, one in values.items()}
            found.append(_compared(own, f"{metric}@{k}", seed, name, groups.about[name]))
    return found


def _line(measure: Measure) -> str:
    return f"{measure.metric} {measure.ours.value:.3f}, popularity {measure.others['popularity'].value:.3f}"
