"""Predicted probabilities against what happened: will people come back, will they click."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float64, Int64

from bowerbird.clock import DAY_US
from bowerbird.errors import NotReadyError
from bowerbird.evaluation.outcome import Estimate, Measure
from bowerbird.evaluation.window import HeldOut
from bowerbird.metrics.calibration import auc, ece_equal_mass, pcoc
from bowerbird.randomness import generator
from bowerbird.signals.sequences import Sequences
from bowerbird.users.returns import ReturnModel
from bowerbird.users.states import Activity

RESAMPLES = 300
HORIZON_DAYS = 7
RECENCY_DAYS = (1, 2, 3, 5, 7, 10, 14, 21, 28)
"""Bounds of the groups of the recency baseline, days since the last event."""

Score = Callable[[Bool[np.ndarray, "n"], Float64[np.ndarray, "n"]], float]


def scored(
    metric: Score,
    happened: Bool[np.ndarray, "n"],
    predicted: Float64[np.ndarray, "n"],
    groups: Int64[np.ndarray, "n"],
    seed: int,
) -> Estimate:
    """A metric of predictions with a bootstrap interval over groups (people): their rows move together.

    Args:
        metric: of outcomes and predictions.
        happened: outcomes.
        predicted: probabilities.
        groups: whose each row is.
        seed: of the resamples; those in which all outcomes agree are drawn but not used.
    """
    order = np.argsort(groups, kind="stable")
    _, starts, counts = np.unique(groups[order], return_index=True, return_counts=True)
    rng = generator(seed, "predictions")
    values = []
    for _ in range(RESAMPLES):
        drawn = rng.integers(len(starts), size=len(starts))
        total = np.concatenate([[0], np.cumsum(counts[drawn])])
        places = (
            np.arange(total[-1])
            - np.repeat(total[:-1], counts[drawn])
            + np.repeat(starts[drawn], counts[drawn])
        )
        rows = order[places]
        if 0 < happened[rows].sum() < len(rows):
            values.append(metric(happened[rows], predicted[rows]))
    value = metric(happened, predicted)
    if not values:
        return Estimate(value)
    low, high = np.quantile(values, [0.025, 0.975])
    return Estimate(value, float(low), float(high))


def _estimate(
    name: str,
    metric: Score,
    happened: Bool[np.ndarray, "n"],
    predicted: Float64[np.ndarray, "n"],
    groups: Int64[np.ndarray, "n"],
    *,
    seed: int,
) -> Estimate:
    """A metric with its interval; a binned error has none, because resampling can only make it larger."""
    if name == "ECE-15":
        return Estimate(metric(happened, predicted))
    return scored(metric, happened, predicted, groups, seed)


def return_measures(sequences: Sequences, window: HeldOut, seed: int) -> list[Measure]:
    """AUC and calibration of the return probability at the split, against recency alone.

    Recency: the share that came back among people with as many days since their last event, counted one
    week earlier.

    Raises:
        NotReadyError: the log before the split is too short to learn from.
    """
    at = window.split_at
    p_return = ReturnModel.fitted(sequences, at).probabilities(sequences, at).astype(np.float64)
    recency = _recency(sequences, at)
    activity = Activity.of(sequences, at)
    came = _came(sequences, at)[activity.seen]
    if came.all() or not came.any():
        raise NotReadyError(f"all {len(came)} people did the same in the test week")
    ours, theirs = p_return[activity.seen], recency[activity.seen]
    everyone = np.flatnonzero(activity.seen).astype(np.int64)
    measures = []
    for name, metric in (("AUC", auc), ("ECE-15", ece_equal_mass)):
        mine, other = (_estimate(name, metric, came, one, everyone, seed=seed) for one in (ours, theirs))
        measures.append(
            Measure(name, len(came), mine, {"recency": other}, about=f"{came.mean():.0%} came back")
        )
    return measures


def _came(sequences: Sequences, at: int) -> Bool[np.ndarray, "user"]:
    track = sequences.activity
    after = (track.at >= at) & (track.at < at + HORIZON_DAYS * DAY_US)
    return np.bincount(track.owners()[after], minlength=len(sequences.users)) > 0


def _recency(sequences: Sequences, at: int) -> Float64[np.ndarray, "user"]:
    """Share that came back, by days since the last event, learnt from the week before."""
    earlier = at - HORIZON_DAYS * DAY_US
    then, now = Activity.of(sequences, earlier), Activity.of(sequences, at)
    came = _came(sequences, earlier)
    bins_then, bins_now = (np.digitize(one.last_days, RECENCY_DAYS) for one in (then, now))
    size = len(RECENCY_DAYS) + 1
    total = np.bincount(bins_then[then.seen], minlength=size)
    back = np.bincount(bins_then[then.seen & came], minlength=size)
    overall = back.sum() / max(total.sum(), 1)
    return ((back + overall) / (total + 1.0))[bins_now]


def click_measures(
    happened: Bool[np.ndarray, "n"],
    predicted: Float64[np.ndarray, "n"],
    base_rate: float,
    people: Int64[np.ndarray, "n"],
    seed: int,
) -> list[Measure]:
    """AUC, calibration error and predicted over observed clicks, against everybody's click rate.

    Args:
        happened: whether each impression was clicked.
        predicted: the ranker's probability at the position it was shown at.
        base_rate: click rate before the test.
        people: who saw each.
        seed: of the intervals.
    """
    constant = np.full(len(happened), base_rate)
    about = f"{int(happened.sum())} clicks on {len(happened):,} impressions"
    measures = []
    for name, metric in (("AUC", auc), ("ECE-15", ece_equal_mass), ("predicted / observed clicks", pcoc)):
        ours = _estimate(name, metric, happened, predicted, people, seed=seed)
        other = {"click rate": _estimate(name, metric, happened, constant, people, seed=seed)}
        measures.append(Measure(name, len(happened), ours, other, about=about))
    return measures
