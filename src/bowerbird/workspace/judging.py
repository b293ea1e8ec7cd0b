"""Growth and ads judged: they predict people's behaviour, so probabilities are what is held against the log."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bowerbird.errors import NotReadyError
from bowerbird.evaluation.outcome import Latency, SurfaceOutcome
from bowerbird.evaluation.predictions import click_measures, return_measures
from bowerbird.evaluation.window import HeldOut
from bowerbird.records.event import Events
from bowerbird.records.request import Request
from bowerbird.surfaces.answers import Answers
from bowerbird.telemetry import SILENT, Progress, measured
from bowerbird.training.impressions import LABELS, impressions
from bowerbird.training.ranker_examples import predicted

GROWTH_QUESTION = "Who comes back by themselves within seven days?"
ADS_QUESTION = "Which shown ads are clicked, and with what probability?"
LEAST_CLICKS = 5
ADS_REQUESTS = 40
"""Requests whose latency is measured."""
PLAN_BUDGET = 20


def growth_outcome(
    answers: Answers, window: HeldOut, seed: int, progress: Progress = SILENT
) -> SurfaceOutcome:
    """AUC and calibration of the return probability as of the split."""
    release = answers.release
    if window.leave_one_out:
        return SurfaceOutcome("growth", GROWTH_QUESTION, missing="events have an order but no times")
    progress.start("judge growth", None)
    try:
        measures = return_measures(release.sequences.whole(), window, seed)
    except NotReadyError as error:
        progress.finish()
        return SurfaceOutcome("growth", GROWTH_QUESTION, missing=str(error))
    with measured() as cost:
        answers.growth.plan(PLAN_BUDGET, window.split_at)
    progress.finish()
    ms = cost.wall_s * 1000
    note = f"latency is that of one whole plan of {PLAN_BUDGET} notifications"
    latency = Latency(1, ms, ms, cost.cpu_s * 1000)
    return SurfaceOutcome("growth", GROWTH_QUESTION, tuple(measures), latency=latency, notes=(note,))


def ads_outcome(
    answers: Answers, window: HeldOut, events: Events, seed: int, progress: Progress = SILENT
) -> SurfaceOutcome:
    """The ranker's click probability on the ads shown in the test, at the position they had."""
    release = answers.release
    scorer = release.scorer
    if not release.is_ad.any():
        return SurfaceOutcome("ads", ADS_QUESTION, missing="no item is an ad")
    if scorer is None or "click" not in scorer.actions:
        why = "no ranker predicts clicks: the log before the test holds too few impressions with clicks"
        return SurfaceOutcome("ads", ADS_QUESTION, missing=why)
    progress.start("judge ads", None)
    test = Events(events.table.filter(pc.greater_equal(events.table.column("at"), window.split_at)))
    log = impressions(test, release.people, release.items.vocabulary)
    of_ads = release.is_ad[log.rows]
    with_ads = np.add.reduceat(of_ads, log.offsets[:-1]) > 0 if len(log) else np.zeros(0, dtype=bool)
    kept = np.repeat(with_ads, np.diff(log.offsets))
    ads, people = of_ads[kept], log.users[kept].astype(np.int64)
    clicked = log.labels[kept][:, LABELS.index("click")][ads]
    if clicked.sum() < LEAST_CLICKS:
        progress.finish()
        why = f"{int(clicked.sum())} clicks on {int(ads.sum())} ad impressions in the test; {LEAST_CLICKS} are needed"
        return SurfaceOutcome("ads", ADS_QUESTION, missing=why)
    asked = np.flatnonzero(with_ads).astype(np.int64)
    chances = predicted(release, scorer, log, asked)["click"][ads].astype(np.float64)
    measures = click_measures(
        clicked, chances, _click_rate(answers, events, window.split_at), people[ads], seed
    )
    latency = _latency(answers, log.request_at[with_ads], log.users[log.offsets[:-1]][with_ads])
    progress.finish()
    return SurfaceOutcome("ads", ADS_QUESTION, tuple(measures), latency=latency)


def _click_rate(answers: Answers, events: Events, before: int) -> float:
    """Clicks per impression of ads before the test."""
    release = answers.release
    ads = pa.array(
        [name for name, is_ad in zip(release.items.vocabulary.ids, release.is_ad, strict=True) if is_ad]
    )
    table = events.before(before).table
    table = table.filter(pc.is_in(table.column("item_id"), value_set=ads))
    shown = pc.sum(pc.equal(table.column("action"), "impression")).as_py() or 0
    clicked = pc.sum(pc.equal(table.column("action"), "click")).as_py() or 0
    return clicked / max(shown, 1)


def _latency(answers: Answers, at: np.ndarray, users: np.ndarray) -> Latency:
    wall, cpu = [], []
    for when, user in list(zip(at.tolist(), users.tolist(), strict=True))[:ADS_REQUESTS]:
        request = Request("ads", when, user_id=answers.release.people.id(user), n=4)
        with measured() as cost:
            answers.answer(request)
        wall.append(cost.wall_s * 1000)
        cpu.append(cost.cpu_s * 1000)
    p50, p99 = np.quantile(wall, [0.5, 0.99])
    return Latency(len(wall), float(p50), float(p99), float(np.mean(cpu)))


__all__ = ["ads_outcome", "growth_outcome"]
