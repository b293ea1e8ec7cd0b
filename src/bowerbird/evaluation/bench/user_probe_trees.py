"""Boosted trees on windowed counts: the engineer's baseline of the user probe, as first set and tuned.

Tuned means what a careful engineer would do with the same events: settings and the number of moments that teach are
chosen per task on the newest of them, by trees taught at earlier ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np
from jaxtyping import Float32

from bowerbird.errors import NotReadyError
from bowerbird.evaluation.bench.user_probe_question import MOMENTS, Lesson, Predict, Question
from bowerbird.evaluation.bench.user_probe_tasks import Task, scored
from bowerbird.evaluation.bench.user_probe_vectors import CountVectors
from bowerbird.users.behaviour import Behaviour

__all__ = ["boosted_trees", "tuned_trees"]

FIXED = {
    "max_bin": 63,
    "num_threads": 1,
    "verbose": -1,
    "seed": 0,
    "deterministic": True,
    "force_row_wise": True,
}


@dataclass(frozen=True)
class TreeSettings:
    """One way to grow them."""

    leaves: int = 7
    least: int = 20
    """Examples a leaf needs."""
    rate: float = 0.05
    rounds: int = 60
    moments: int = MOMENTS
    """Moments that teach, the newest ones."""


GRID = [
    TreeSettings(leaves, least, rate, rounds, moments)
    for leaves, least, (rate, rounds), moments in product(
        (4, 15), (20, 80), ((0.05, 60), (0.03, 200)), (1, MOMENTS)
    )
]
TUNING_LABELS = 10
"""Labels of a task that settings are compared on."""


def boosted_trees(past: Behaviour, as_of: int, behaviour: Behaviour, seed: int) -> Predict:
    """One model per label, settings as first set."""
    counts = _Counts(past, as_of, behaviour, seed)
    return lambda question: _answered(counts, question, TreeSettings())


def tuned_trees(past: Behaviour, as_of: int, behaviour: Behaviour, seed: int) -> Predict:
    """One model per label, settings chosen per task by trees taught before the newest lesson and asked about it."""
    counts = _Counts(past, as_of, behaviour, seed)
    chosen: dict[Task, TreeSettings] = {}

    def predict(question: Question) -> Float32[np.ndarray, "person label"]:
        if question.task not in chosen:
            chosen[question.task] = _best(counts, question)
        return _answered(counts, question, chosen[question.task])

    return predict


class _Counts:
    """Everybody's windowed counts at any moment."""

    def __init__(self, past: Behaviour, as_of: int, behaviour: Behaviour, seed: int) -> None:
        made = CountVectors.fitted(past, as_of, seed)
        self.at = cache(lambda moment: made.vectors(behaviour, moment))

    def of(self, lessons: tuple[Lesson, ...]) -> Float32[np.ndarray, "example count"]:
        """Of the people of lessons, one lesson after the other."""
        return np.concatenate([self.at(one.as_of)[one.people] for one in lessons])


def _answered(
    counts: _Counts, question: Question, settings: TreeSettings
) -> Float32[np.ndarray, "person label"]:
    lessons = question.lessons[: settings.moments]
    targets = np.concatenate([one.targets for one in lessons])
    return _grown(
        counts.of(lessons), targets, counts.at(question.as_of)[question.people], question.task, settings
    )


def _best(counts: _Counts, question: Question) -> TreeSettings:
    """The settings of :data:`GRID` whose trees, taught by the earlier lessons, answer the newest one best.

    Half of its people teach there, the other half is asked.

    Raises:
        NotReadyError: no setting could be compared, since nothing happened at the earlier moments.
    """
    newest, *earlier = question.lessons
    half = np.arange(len(newest.people)) % 2 == 0
    labels = np.argsort(-newest.targets.sum(axis=0), kind="stable")[:TUNING_LABELS]
    asked, truth = newest.people[~half], newest.targets[~half][:, labels]
    lessons = []
    for one in earlier:
        teach = np.isin(one.people, newest.people[half])
        lessons.append(Lesson(one.as_of, one.people[teach], one.targets[teach][:, labels]))

    def value(settings: TreeSettings) -> float:
        taught = tuple(lessons[: settings.moments])
        if not sum(len(one.people) for one in taught):
            return -np.inf
        targets = np.concatenate([one.targets for one in taught])
        said = _grown(counts.of(taught), targets, counts.at(newest.as_of)[asked], question.task, settings)
        found = next(iter(scored(question.task, truth, said).values()))[0]
        return found if np.isfinite(found) else -np.inf

    found = [value(settings) for settings in GRID]
    if max(found) == -np.inf:
        raise NotReadyError(
            f"no settings were compared for {question.task}: nothing to teach before the newest lesson, or the "
            "same happened to all who were asked; read the row 'counts + trees'"
        )
    return GRID[int(np.argmax(found))]


def _grown(
    rows: np.ndarray, targets: np.ndarray, asked: np.ndarray, task: Task, settings: TreeSettings
) -> Float32[np.ndarray, "person label"]:
    """What trees say of each label; a label that never varies is said as it is."""
    import lightgbm

    parameters = {
        **FIXED,
        "objective": "regression" if task == "spend" else "binary",
        "num_leaves": settings.leaves,
        "min_data_in_leaf": settings.least,
        "learning_rate": settings.rate,
    }
    rows = np.ascontiguousarray(rows)  # LightGBM copies a slice, and says so
    found = np.zeros((len(asked), targets.shape[1]), dtype=np.float32)
    for label in range(targets.shape[1]):
        happened = np.ascontiguousarray(targets[:, label])
        if (happened == happened[0]).all():
            found[:, label] = happened[0]
            continue
        data = lightgbm.Dataset(rows, happened)
        booster = lightgbm.train(parameters, data, num_boost_round=settings.rounds)
        found[:, label] = np.asarray(booster.predict(asked))
    return found
