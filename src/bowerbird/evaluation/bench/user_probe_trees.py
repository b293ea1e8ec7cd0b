"""Boosted trees on windowed counts: the engineer's baseline of the user probe, as first set and tuned.

Tuned means what a careful engineer would do with the same events: settings and the number of earlier moments that teach
are chosen per task on the moment probes are taught at, by trees taught at earlier ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from jaxtyping import Float32, Int64

from bowerbird.clock import DAY_US
from bowerbird.errors import NotReadyError
from bowerbird.evaluation.bench.user_probe_question import Predict, Question
from bowerbird.evaluation.bench.user_probe_tasks import Task, Vocabularies, moment, scored
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
    moments: int = 1
    """Moments that teach: the one of the probe and earlier ones, a horizon apart."""


GRID = [
    TreeSettings(leaves, least, rate, rounds, moments)
    for leaves, least, (rate, rounds), moments in product(
        (4, 15), (20, 80), ((0.05, 60), (0.03, 200)), (1, 4)
    )
]
TUNING_LABELS = 10
"""Labels of a task that settings are compared on."""


def boosted_trees(past: Behaviour, learnt_at: int, behaviour: Behaviour, asked_at: int, seed: int) -> Predict:
    """One model per label, settings as first set."""
    examples = _Examples(past, learnt_at, behaviour, asked_at, seed)
    return lambda question: examples.predicted(question, TreeSettings())


def tuned_trees(past: Behaviour, learnt_at: int, behaviour: Behaviour, asked_at: int, seed: int) -> Predict:
    """One model per label, settings chosen per task by trees taught before the probe's moment and asked at it."""
    examples = _Examples(past, learnt_at, behaviour, asked_at, seed)
    chosen: dict[Task, TreeSettings] = {}

    def predict(question: Question) -> Float32[np.ndarray, "person label"]:
        if question.task not in chosen:
            chosen[question.task] = examples.best(question)
        return examples.predicted(question, chosen[question.task])

    return predict


class _Examples:
    """Counts and outcomes at the probe's moments and at earlier ones."""

    def __init__(
        self, past: Behaviour, learnt_at: int, behaviour: Behaviour, asked_at: int, seed: int
    ) -> None:
        self._past, self._learnt_at, self._days = past, learnt_at, round((asked_at - learnt_at) / DAY_US)
        self._labels = Vocabularies.before(behaviour, learnt_at)
        self._counts = CountVectors.fitted(past, learnt_at, seed)
        self._behaviour = behaviour
        self._earlier = self._counts.vectors(behaviour, learnt_at)
        self._later = self._counts.vectors(behaviour, asked_at)
        self._held: dict[tuple[int, Task], tuple[np.ndarray, np.ndarray, np.ndarray]] = {}

    def predicted(self, question: Question, settings: TreeSettings) -> Float32[np.ndarray, "person label"]:
        """Answers at the later moment by trees taught at the earlier one and before."""
        rows, targets = self._taught(question.task, question.teachers, range(1, settings.moments))
        rows = np.concatenate([self._earlier[question.teachers], rows])
        return _grown(
            rows,
            np.concatenate([question.targets, targets]),
            self._later[question.people],
            question.task,
            settings,
        )

    def best(self, question: Question) -> TreeSettings:
        """The settings of :data:`GRID` whose trees, taught before the probe's moment, answer best at it.

        Half of the teachers teach there, the other half is asked.

        Raises:
            NotReadyError: no setting could be compared, since nothing happened at the earlier moments.
        """
        half = np.arange(len(question.teachers)) % 2 == 0
        labels = np.argsort(-question.targets.sum(axis=0), kind="stable")[:TUNING_LABELS]
        asked, truth = question.teachers[~half], question.targets[~half][:, labels]

        def value(settings: TreeSettings) -> float:
            taught = range(1, 1 + settings.moments)
            rows, targets = self._taught(question.task, question.teachers[half], taught)
            if not len(rows):
                return -np.inf
            said = _grown(rows, targets[:, labels], self._earlier[asked], question.task, settings)
            found = next(iter(scored(question.task, truth, said).values()))[0]
            return found if np.isfinite(found) else -np.inf

        found = [value(settings) for settings in GRID]
        if max(found) == -np.inf:
            raise NotReadyError(
                f"no settings were compared for {question.task}: nothing to teach before the probe's moment, or the "
                "same happened to all who were asked; read the row 'counts + trees'"
            )
        return GRID[int(np.argmax(found))]

    def _taught(
        self, task: Task, people: Int64[np.ndarray, "person"], back: range
    ) -> tuple[Float32[np.ndarray, "example count"], Float32[np.ndarray, "example label"]]:
        """Examples of these people at moments so many horizons before the probe's."""
        rows = [np.zeros((0, self._earlier.shape[1]), np.float32)]
        targets = [np.zeros((0, self._width(task)), np.float32)]
        for steps in back:
            who, counted, happened = self._at(steps, task)
            kept = np.isin(who, people)
            rows.append(counted[kept])
            targets.append(happened[kept])
        return np.concatenate(rows), np.concatenate(targets)

    def _at(self, steps: int, task: Task) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        if (steps, task) not in self._held:
            at = self._learnt_at - steps * self._days * DAY_US
            found = moment(self._past, at, self._days, self._labels)
            who = found.people[task]
            counted = self._counts.vectors(self._past, at)[who] if len(who) else self._earlier[:0]
            self._held[steps, task] = (who, counted, found.targets[task])
        return self._held[steps, task]

    def _width(self, task: Task) -> int:
        return {"product": len(self._labels.items), "category": len(self._labels.categories)}.get(task, 1)


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
