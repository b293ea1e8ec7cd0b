"""What the user probe asks: at a moment, for everybody, what happens in the days after it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float32, Float64, Int64
from scipy.stats import rankdata

from bowerbird.clock import DAY_US
from bowerbird.users.behaviour import Behaviour
from bowerbird.users.windowed_counts import most_frequent

__all__ = ["TASKS", "Moment", "Task", "Vocabularies", "moment", "scored"]

Task = Literal["churn", "category", "product", "spend"]
TASKS: tuple[Task, ...] = ("churn", "category", "product", "spend")
MOST_LABELS = 100
GROUPS = 20
"""Groups of people left out in turn for the standard error."""
LEAST_POSITIVES = 3
"""People who must have met a label for its AUC to be counted."""


@dataclass(frozen=True)
class Vocabularies:
    """The most frequent items and categories before the first moment: what propensities are about."""

    items: Int64[np.ndarray, "label"]
    categories: Int64[np.ndarray, "kind"]

    @staticmethod
    def before(behaviour: Behaviour, as_of: int) -> Vocabularies:
        """The labels by frequency strictly before a time."""
        past = behaviour.before(as_of)
        kinds = np.empty(0, np.int64)
        if past.categories is not None:
            kinds = most_frequent(past.categories[past.items], past.categories_total, MOST_LABELS)
        return Vocabularies(most_frequent(past.items, past.items_total, MOST_LABELS), kinds)


@dataclass(frozen=True)
class Moment:
    """One moment: who is asked about for each task, and what happened to them."""

    as_of: int
    people: dict[Task, Int64[np.ndarray, "person"]]
    """Rows of the people of each task."""
    targets: dict[Task, Float32[np.ndarray, "person label"]]
    """What happened: 0 or 1; spending as ``log(1 + money)``."""


def moment(behaviour: Behaviour, as_of: int, horizon_days: int, labels: Vocabularies) -> Moment:
    """The tasks at a time.

    - churn: of the people with a step in the ``horizon_days`` before, who has none in those after;
    - category, product: of the people seen before, who meets each label in the days after;
    - spend: of the same people, how much they spend in the days after.

    A task the data has nothing for is absent.
    """
    after = behaviour.within(as_of, as_of + horizon_days * DAY_US)
    met = after.counts() > 0
    lately = behaviour.within(as_of - horizon_days * DAY_US, as_of).counts() > 0
    active, seen = np.flatnonzero(lately), np.flatnonzero(behaviour.before(as_of).counts() > 0)
    people: dict[Task, np.ndarray] = {"churn": active, "product": seen}
    targets: dict[Task, np.ndarray] = {
        "churn": (~met[active])[:, None].astype(np.float32),
        "product": _meetings(after.users, after.items, labels.items, behaviour.users_total)[seen],
    }
    if behaviour.categories is not None and len(labels.categories):
        kinds = behaviour.categories[after.items]
        known = kinds >= 0
        people["category"] = seen
        targets["category"] = _meetings(
            after.users[known], kinds[known], labels.categories, behaviour.users_total
        )[seen]
    if behaviour.amounts is not None:
        people["spend"] = seen
        targets["spend"] = np.log1p(after.spent()[seen])[:, None].astype(np.float32)
    return Moment(as_of, people, targets)


def scored(
    task: Task, targets: Float32[np.ndarray, "person label"], predicted: Float32[np.ndarray, "person label"]
) -> dict[str, tuple[float, float | None]]:
    """Metrics of a task, each with its standard error over people.

    Propensities: the mean of the AUC of each label (macro), and the AUC over all pairs of person and label (micro).
    Spend: the share of the variance of ``log(1 + money)`` explained. The error is the delete-a-group jackknife's.
    """
    if task == "spend":
        return {"spend r2": _jackknifed(_explained, targets, predicted)}
    if task == "churn":
        return {"churn auc": _jackknifed(_macro, targets, predicted)}
    return {
        f"{task} auc": _jackknifed(_macro, targets, predicted),
        f"{task} micro": _jackknifed(_micro, targets, predicted),
    }


def label_aucs(
    targets: Float32[np.ndarray, "person label"], predicted: Float32[np.ndarray, "person label"]
) -> Float64[np.ndarray, "label"]:
    """Chance that somebody who met a label scores above somebody who did not, ties one half; NaN where too few met it.

    Scores may be of any scale.

    Example:
        >>> met = np.array([[1], [0], [1], [0], [1]], np.float32)
        >>> label_aucs(met, np.array([[9], [5], [5], [1], [7]], np.float32)).round(3).tolist()
        [0.917]
    """
    positives = targets.sum(axis=0, dtype=np.float64)
    negatives = len(targets) - positives
    usable = (positives >= LEAST_POSITIVES) & (negatives > 0)
    found = np.full(targets.shape[1], np.nan)
    ranks = rankdata(predicted[:, usable], axis=0)
    ones, zeros = positives[usable], negatives[usable]
    found[usable] = ((ranks * targets[:, usable]).sum(axis=0) - ones * (ones + 1) / 2) / (ones * zeros)
    return found


def _macro(targets: np.ndarray, predicted: np.ndarray) -> float:
    found = label_aucs(targets, predicted)
    return float(np.nanmean(found)) if np.isfinite(found).any() else float("nan")


def _micro(targets: np.ndarray, predicted: np.ndarray) -> float:
    return float(label_aucs(targets.reshape(-1, 1), predicted.reshape(-1, 1))[0])


def _explained(targets: np.ndarray, predicted: np.ndarray) -> float:
    spread = float(((targets - targets.mean()) ** 2).sum())
    return 1.0 - float(((targets - predicted) ** 2).sum()) / spread if spread > 0 else float("nan")


def _jackknifed(metric, targets: np.ndarray, predicted: np.ndarray) -> tuple[float, float | None]:
    """The metric and the standard error from leaving out groups of people in turn."""
    value = metric(targets, predicted)
    groups = np.arange(len(targets)) % GROUPS
    without = np.array([metric(targets[groups != one], predicted[groups != one]) for one in range(GROUPS)])
    if len(targets) < 2 * GROUPS or np.isnan(without).any():
        return value, None
    return value, float(np.sqrt((GROUPS - 1) / GROUPS * ((without - without.mean()) ** 2).sum()))


def _meetings(
    users: np.ndarray, values: np.ndarray, wanted: Int64[np.ndarray, "label"], people: int
) -> Float32[np.ndarray, "user label"]:
    met = np.zeros((people, len(wanted)), dtype=np.float32)
    order = np.argsort(wanted)
    place = np.searchsorted(wanted[order], values)
    place = np.minimum(place, max(len(wanted) - 1, 0))
    hit = wanted[order][place] == values if len(wanted) else np.zeros(len(values), dtype=bool)
    met[users[hit], order[place[hit]]] = 1.0
    return met
