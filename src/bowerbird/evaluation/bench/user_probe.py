"""``bench user-probe``: how much one frozen vector per person knows about the days to come.

Vectors are made of events before a moment; one fixed small network per task, the same for every kind of vector, is
trained on what people did after earlier moments and asked about the days after the last one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from jaxtyping import Float32, Int64

from bowerbird.clock import DAY_US, format_time
from bowerbird.errors import InputError, NotReadyError
from bowerbird.evaluation.bench.cost import row_cost
from bowerbird.evaluation.bench.report import (
    BenchData,
    BenchReport,
    BenchRow,
    Estimate,
)
from bowerbird.evaluation.bench.user_probe_data import ProbeData, read_probe_data
from bowerbird.evaluation.bench.user_probe_question import MOMENTS, Lesson, Question
from bowerbird.evaluation.bench.user_probe_rows import CONTENDERS, Contender
from bowerbird.evaluation.bench.user_probe_tasks import TASKS, Moment, Task, Vocabularies, moment, scored
from bowerbird.randomness import generator
from bowerbird.telemetry import SILENT, Progress
from bowerbird.users.behaviour import Behaviour

__all__ = ["MOST_PEOPLE", "run_user_probe"]

PARTS = 3
"""Parts the people are cut into: whoever is asked about is never among those the probe was trained on."""
LEAST_PEOPLE = 30
"""People a task needs at either moment."""
MOST_PEOPLE = 30_000
"""People of larger sets kept, by chance: the probe does not get better from more, only slower."""


@dataclass(frozen=True)
class _Problem:
    behaviour: Behaviour
    taught: tuple[Moment, ...]
    """Newest first: see :class:`Question`."""
    asked: Moment
    horizon_days: int
    part: Int64[np.ndarray, "user"]


def run_user_probe(
    events: pa.Table,
    items: pa.Table | None,
    horizon_days: int,
    seeds: int = 3,
    *,
    models: Sequence[str] = tuple(CONTENDERS),
    where: str = "events",
    progress: Progress = SILENT,
) -> BenchReport:
    """The table of vectors of people on one set of events.

    With ``T`` the end of the log less the horizon: vectors at ``T`` (and what makes them, fitted on events before
    ``T - horizon``) are asked about the days after ``T`` by probes trained on vectors at ``T - horizon`` and the days
    up to ``T``, and at three moments before, each a horizon earlier. Nothing reads an event at or after the moment it
    speaks of. People are cut in three parts, too: whoever is asked about taught nothing.

    Args:
        events: see :func:`~bowerbird.evaluation.bench.user_probe_data.read_probe_data`.
        items: the same.
        horizon_days: days after a moment, 1 or more.
        seeds: runs of every row that draws random numbers.
        models: names of :data:`CONTENDERS`, in the order of the rows.
        where: what to call the events in a message.
        progress: shows rows.

    Raises:
        InputError: the events have no times, or are too few or too short for the horizon.
    """
    data = read_probe_data(events, items, where)
    problem, notes = _problem(data, horizon_days, where)
    rows = []
    for name in models:
        contender = CONTENDERS[name]
        progress.start(name, seeds if contender.uses_seed else 1, "runs")
        try:
            rows.append(_row(name, contender, problem, seeds, progress))
        except NotReadyError as error:
            notes.append(f"{name}: {error}")
        progress.finish()
    behaviour = problem.behaviour
    people, met = int((behaviour.counts() > 0).sum()), int(np.unique(behaviour.items).size)
    return BenchReport(
        "user-probe",
        f"{horizon_days} days",
        BenchData(people, met, len(behaviour), data.hash),
        rows,
        [*notes, *data.notes, f"seeds 0..{seeds - 1}; trees and popularity draw nothing and ran once"],
    )


def _problem(data: ProbeData, horizon_days: int, where: str) -> tuple[_Problem, list[str]]:
    if horizon_days < 1:
        raise InputError(f"horizon = {horizon_days} days; expected 1 or more")
    behaviour, notes = _thinned(data.behaviour)
    end = int(behaviour.at.max()) + 1
    asked_at = end - horizon_days * DAY_US
    learnt_at = asked_at - horizon_days * DAY_US
    days = (end - int(behaviour.at.min())) / DAY_US
    if days < 4 * horizon_days:
        raise InputError(
            f"{where}: the events cover {days:.1f} days; a horizon of {horizon_days} days needs {4 * horizon_days}: two to "
            "learn from and two to predict; name a shorter --horizon-days or more events"
        )
    labels = Vocabularies.before(behaviour, learnt_at)
    asked = moment(behaviour, asked_at, horizon_days, labels)
    earliest = int(behaviour.at.min()) + horizon_days * DAY_US
    earlier = [learnt_at - back * horizon_days * DAY_US for back in range(1, MOMENTS + 1)]
    moments = [learnt_at, *(at for at in earlier if at >= earliest)]
    taught = tuple(moment(behaviour, at, horizon_days, labels) for at in moments)
    usable: list[Task] = []
    for task in TASKS:
        why = _unusable(task, taught[0], asked)
        if why is None:
            usable.append(task)
        else:
            notes.append(f"no {task} columns: {why}")
    if not usable:
        raise InputError(f"{where}: too little to grade anything: {'; '.join(notes)}")
    sizes = ", ".join(f"{task} {len(asked.people[task]):,}" for task in usable)
    notes.append(f"people asked about after {format_time(asked_at)}: {sizes}")
    part = generator(0, "user probe", "parts").integers(PARTS, size=behaviour.users_total)
    notes.append(f"probes and trees are taught at {min(len(taught), MOMENTS)} moments a horizon apart")
    return _Problem(behaviour, taught, _only(asked, usable), horizon_days, part), notes


def _thinned(behaviour: Behaviour) -> tuple[Behaviour, list[str]]:
    people = np.unique(behaviour.users)
    if people.size <= MOST_PEOPLE:
        return behaviour, []
    chosen = generator(0, "user probe", "people").choice(people, MOST_PEOPLE, replace=False)
    kept = np.zeros(behaviour.users_total, dtype=bool)
    kept[chosen] = True
    return behaviour.where(kept[behaviour.users]), [f"{MOST_PEOPLE:,} of {people.size:,} people, by chance"]


def _unusable(task: Task, learnt_from: Moment, asked: Moment) -> str | None:
    if task not in learnt_from.people:
        return {"category": "no item has a category", "spend": "no price or value of purchases"}.get(
            task, "nothing happened"
        )
    for when, one in (("before", learnt_from), ("after", asked)):
        if len(one.people[task]) < LEAST_PEOPLE:
            return f"{len(one.people[task])} people {when} the last moment; {LEAST_PEOPLE} are needed"
        happened = one.targets[task]
        if not happened.size or (happened == happened.flat[0]).all():
            return "the same happened to everybody"
    return None


def _only(one: Moment, tasks: list[Task]) -> Moment:
    return Moment(
        one.as_of,
        {task: one.people[task] for task in tasks},
        {task: one.targets[task] for task in tasks},
    )


def _row(name: str, contender: Contender, problem: _Problem, seeds: int, progress: Progress) -> BenchRow:
    found: dict[str, list[tuple[float, float | None]]] = {}
    cpu_s, peak_mb = [], 0.0
    for seed in range(seeds if contender.uses_seed else 1):
        with row_cost() as cost:
            for task, predicted in _predictions(contender, problem, seed).items():
                for metric, value in scored(task, problem.asked.targets[task], predicted).items():
                    found.setdefault(metric, []).append(value)
        cpu_s.append(cost.cpu_s)
        peak_mb = max(peak_mb, cost.peak_mb)
        progress.advance()
    copies = 1 if contender.uses_seed else seeds
    metrics = {
        metric: Estimate(tuple(value for value, _ in values) * copies, values[0][1])
        for metric, values in found.items()
        if all(np.isfinite(value) for value, _ in values)
    }
    return BenchRow(name, metrics, float(np.mean(cpu_s)), peak_mb, {"about": contender.about})


def _predictions(
    contender: Contender, problem: _Problem, seed: int
) -> dict[Task, Float32[np.ndarray, "person label"]]:
    """Of everybody asked about, by what was learnt from the people of the other parts."""
    asked, newest = problem.asked, problem.taught[0].as_of
    predict = contender.fitted(problem.behaviour.before(newest), newest, problem.behaviour, seed)
    found: dict[Task, np.ndarray] = {}
    for task, people in asked.people.items():
        found[task] = np.zeros_like(asked.targets[task])
        for part in range(PARTS):
            own, lessons = problem.part[people] == part, _lessons(problem, task, part)
            if own.any() and len(lessons[0].people):
                found[task][own] = predict(Question(task, lessons, asked.as_of, people[own]))
    return found


def _lessons(problem: _Problem, task: Task, part: int) -> tuple[Lesson, ...]:
    """What happened to the people of the other parts."""
    found = []
    for one in problem.taught:
        others = problem.part[one.people[task]] != part
        found.append(Lesson(one.as_of, one.people[task][others], one.targets[task][others]))
    return tuple(found)
