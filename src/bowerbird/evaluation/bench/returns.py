"""``bench returns``: who comes back within some days, and does the probability mean what it says.

At each of the last moments of a log, every model is fitted to what happened before and asked about everybody seen so
far. The probability that a workspace keeps as ``user_state`` stands beside counts in windows and what a state alone says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Float, Float64

from bowerbird.clock import DAY_US, format_time
from bowerbird.errors import InputError, NotReadyError
from bowerbird.evaluation.bench.cost import row_cost
from bowerbird.evaluation.bench.report import BenchData, BenchReport, BenchRow, Estimate
from bowerbird.evaluation.bench.user_probe_data import read_probe_data
from bowerbird.metrics.calibration import auc, brier, ece_equal_mass, log_loss, pcoc
from bowerbird.metrics.uncertainty import standard_error
from bowerbird.records.vocabulary import Vocabulary
from bowerbird.signals.sequences import Sequences, SequenceSettings
from bowerbird.signals.tracks import Steps, Track
from bowerbird.telemetry import SILENT, Cost, Progress
from bowerbird.users.behaviour import Behaviour
from bowerbird.users.logistic import Logistic
from bowerbird.users.returns import ReturnModel, ReturnSettings, came_back, example_moments
from bowerbird.users.states import Activity
from bowerbird.users.windowed_counts import activity_counts

__all__ = ["CONTENDERS", "run_returns"]

LEAST_PEOPLE = 30
BINS = 10
"""Bins of equal size that calibration is read off."""


@dataclass(frozen=True, eq=False)
class _Log:
    """The same log in the two forms that models read."""

    behaviour: Behaviour
    sequences: Sequences
    settings: ReturnSettings


_Answer = tuple[Bool[np.ndarray, "_"], Float64[np.ndarray, "_"]]
"""Of everybody seen before a moment: who came back, and with which probability."""

Foretell = Callable[[_Log, int], Float[np.ndarray, "user"]]
"""Probability that each person comes back after a moment, learnt from before it."""


def _ours(log: _Log, as_of: int) -> Float[np.ndarray, "user"]:
    model = ReturnModel.fitted(log.sequences, as_of, log.settings)
    return model.probabilities(log.sequences, as_of).astype(np.float64)


def _learnt(
    log: _Log, as_of: int, read: Callable[[int], Float[np.ndarray, "user input"]]
) -> Float[np.ndarray, "user"]:
    """A logistic model of some inputs, on the examples that ours learns from."""
    examples, outcomes = [], []
    for moment in example_moments(log.sequences, as_of, log.settings):
        seen = Activity.of(log.sequences, moment).seen
        examples.append(read(moment)[seen])
        outcomes.append(came_back(log.sequences, moment, log.settings.horizon_days)[seen])
    inputs = np.concatenate(examples).astype(np.float64)
    learnt = Logistic.fitted(inputs, np.concatenate(outcomes), log.settings.l2)
    return learnt.probabilities(read(as_of).astype(np.float64))


def _counts(log: _Log, as_of: int) -> Float[np.ndarray, "user"]:
    return _learnt(log, as_of, lambda moment: activity_counts(log.behaviour, moment))


def _state(log: _Log, as_of: int) -> Float[np.ndarray, "user"]:
    def read(moment: int) -> Float[np.ndarray, "user input"]:
        states = Activity.of(log.sequences, moment).states()
        return (states[:, None] == np.arange(5)).astype(np.float64)

    return _learnt(log, as_of, read)


def _mean(log: _Log, as_of: int) -> Float[np.ndarray, "user"]:
    return _learnt(log, as_of, lambda _: np.zeros((len(log.sequences.users), 1)))


CONTENDERS: Mapping[str, tuple[str, Foretell]] = {
    "ours": ("the return probability of user_state", _ours),
    "counts": ("logistic model of counts in windows, recency, rhythm and calendar", _counts),
    "state": ("the share of each activity state that came back", _state),
    "mean": ("the share of all that came back", _mean),
}
"""Each row's name, what it is, and its model."""


def run_returns(
    events: pa.Table,
    horizon_days: int = 7,
    windows: int = 4,
    *,
    where: str = "events",
    progress: Progress = SILENT,
) -> BenchReport:
    """The table of return probabilities over the last windows of a log.

    Window ``k`` ends ``k`` horizons before the log does; models know what was before it began. Metrics are means
    over windows, their standard error that of the windows, which are few and differ: one alone says little.

    Args:
        events: see :func:`~bowerbird.evaluation.bench.user_probe_data.read_probe_data`.
        horizon_days: coming back means an event within so many days.
        windows: how many are asked about.
        where: what to call the events in a message.
        progress: shows windows.

    Raises:
        InputError: the events have no times or cover too little.
    """
    data = read_probe_data(events, None, where)
    log = _Log(data.behaviour, _sequences(data.behaviour), ReturnSettings(horizon_days=horizon_days))
    end = int(data.behaviour.at.max()) + 1
    moments = [end - horizon_days * DAY_US * back for back in range(windows, 0, -1)]
    rows, answers = [], {}
    for name, (_, foretell) in CONTENDERS.items():
        progress.start(name, len(moments), "windows")
        answers[name] = []
        with row_cost() as cost:
            for moment in moments:
                answers[name].append(_asked(log, foretell, moment, where))
                progress.advance()
        progress.finish()
        rows.append(_row(name, answers[name], cost))
    notes = [
        _asked_when(moments, answers["ours"]),
        f"ece: {BINS} bins of equal size; p / y: mean probability over the share that came back; se over {windows} windows",
        _reliability(answers["ours"]),
        *data.notes,
    ]
    counted = BenchData(
        data.behaviour.users_total, data.behaviour.items_total, len(data.behaviour), data.hash
    )
    return BenchReport("returns", f"{horizon_days} days", counted, rows, notes)


def _sequences(behaviour: Behaviour) -> Sequences:
    """The log as serving reads it; who and what have their rows for names."""
    steps = len(behaviour)
    nothing = np.zeros(steps, np.int8)
    all_steps = Steps(behaviour.users, behaviour.items, behaviour.at, nothing, nothing.astype(bool))
    track = Track.of(all_steps, behaviour.users_total)
    none = Track.of(all_steps.where(nothing.astype(bool)), behaviour.users_total)
    users, items = (
        Vocabulary(kind, tuple(map(str, range(total))))
        for kind, total in (("user", behaviour.users_total), ("item", behaviour.items_total))
    )
    return Sequences(users, items, SequenceSettings(), track, none, none, none, track)


def _row(name: str, answers: Sequence[_Answer], cost: Cost) -> BenchRow:
    found: dict[str, list[float]] = {}
    for answer in answers:
        for metric, value in _measured(*answer).items():
            found.setdefault(metric, []).append(value)
    metrics = {
        metric: Estimate(
            (float(np.mean(values)),), standard_error(np.array(values)) if len(values) > 1 else None
        )
        for metric, values in found.items()
    }
    return BenchRow(name, metrics, cost.cpu_s, cost.peak_mb, {"about": CONTENDERS[name][0], "windows": found})


def _asked(log: _Log, foretell: Foretell, moment: int, where: str) -> _Answer:
    """Outcomes and probabilities of everybody seen before a moment."""
    seen = Activity.of(log.sequences, moment).seen
    came = came_back(log.sequences, moment, log.settings.horizon_days)[seen]
    if came.size < LEAST_PEOPLE or came.all() or not came.any():
        raise InputError(
            f"{where}: of {came.size} people seen before {format_time(moment)}, {int(came.sum())} came back; expected "
            f"{LEAST_PEOPLE} people or more and both outcomes: name fewer --windows, another --horizon-days or more events"
        )
    try:
        return came, np.asarray(foretell(log, moment), np.float64)[seen]
    except NotReadyError as error:
        raise InputError(f"{where}: {error}; or name fewer --windows") from error


def _measured(came: Bool[np.ndarray, "person"], chance: Float64[np.ndarray, "person"]) -> dict[str, float]:
    return {
        "auc": auc(came, chance),
        "ece": ece_equal_mass(came, chance, BINS),
        "p / y": pcoc(came, chance),
        "brier": brier(came, chance),
        "log loss": log_loss(came, chance),
    }


def _asked_when(moments: Sequence[int], answers: Sequence[_Answer]) -> str:
    ends = [
        f"{format_time(moment)} ({came.size:,} people, {came.mean():.1%} came back)"
        for moment, (came, _) in zip(moments, answers, strict=True)
    ]
    return "asked at " + (ends[0] if len(ends) == 1 else f"{ends[0]} to {ends[-1]}")


def _reliability(answers: Sequence[_Answer]) -> str:
    """What was said and what happened, in five groups of equal size of all windows together."""
    came, chance = (np.concatenate([answer[place] for answer in answers]) for place in (0, 1))
    groups = np.array_split(np.argsort(chance, kind="stable"), 5)
    said = ", ".join(f"{chance[group].mean():.3f} / {came[group].mean():.3f}" for group in groups)
    return f"ours, said / happened in fifths of the people: {said}"
