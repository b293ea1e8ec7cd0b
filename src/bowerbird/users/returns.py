"""Will a person come back in the next seven days? A small logistic model on recency and frequency.

It is trained point-in-time: at each of several past moments the inputs use events before it and the label events in
the seven days after it, all of them before ``as_of``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64
from pydantic import Field

from bowerbird.clock import DAY_US
from bowerbird.config import Settings
from bowerbird.errors import NotReadyError
from bowerbird.metrics.calibration import auc
from bowerbird.signals.sequences import Sequences
from bowerbird.users.logistic import Logistic
from bowerbird.users.states import ACTIVE_DAYS, Activity

INPUTS = (
    "last_days",
    "first_days",
    "active_7",
    "active_28",
    "active_90",
    "active_180",
    "active_ever",
    "events_7",
    "events_28",
    "events_ever",
    "gap_ratio",
)
"""What the model reads, all as logarithms of one plus the value but the last."""


class ReturnSettings(Settings):
    """How the return model is trained."""

    horizon_days: int = Field(default=7, ge=1, le=90)
    """Coming back means an event within this many days."""
    step_days: int = Field(default=7, ge=1)
    """Distance between the moments examples are taken at."""
    most_moments: int = Field(default=8, ge=2, le=100)
    """Newest moments used."""
    l2: float = Field(default=1.0, gt=0)
    """Ridge penalty on the standardised weights."""


@dataclass(frozen=True)
class ReturnModel:
    """A fitted return model.

    Args:
        settings: how it was trained.
        logistic: what was learnt of the inputs.
        examples: number of examples of the final fit.
        positives: how many of them came back.
        auc: on the newest moment, by a model fitted to the older ones only; NaN when all its outcomes agree.
    """

    settings: ReturnSettings
    logistic: Logistic
    examples: int
    positives: int
    auc: float

    @staticmethod
    def fitted(sequences: Sequences, as_of: int, settings: ReturnSettings | None = None) -> ReturnModel:
        """The model of a log strictly before ``as_of``. No randomness: equal logs give equal bytes.

        Raises:
            NotReadyError: the log is too short for two moments with full outcomes, or everybody did the same.

        Cost: O(moments * events).
        """
        settings = ReturnSettings() if settings is None else settings
        moments = example_moments(sequences, as_of, settings)
        tables = [_examples(sequences, moment, settings) for moment in moments]
        held_out = _held_out_auc(tables, settings.l2)
        inputs = np.concatenate([table[0] for table in tables])
        came = np.concatenate([table[1] for table in tables])
        if came.all() or not came.any():
            raise NotReadyError(
                f"return model: all {came.shape[0]} examples have the same outcome; a log with people who come back "
                "and people who do not is needed"
            )
        learnt = Logistic.fitted(inputs, came, settings.l2)
        return ReturnModel(settings, learnt, came.shape[0], int(came.sum()), held_out)

    def probabilities(self, sequences: Sequences, as_of: int) -> Float32[np.ndarray, "user"]:
        """Probability of an event within the horizon after ``as_of``, per person.

        People without any event before ``as_of`` get 0: nothing says they will come.
        """
        activity = Activity.of(sequences, as_of)
        chance = self.logistic.probabilities(_inputs(activity))
        return np.where(activity.seen, chance, 0.0).astype(np.float32)


def return_probability(
    sequences: Sequences, as_of: int, settings: ReturnSettings | None = None
) -> Float32[np.ndarray, "user"]:
    """Probability that each person is active in the next seven days, by a model fitted to the past of ``as_of``.

    Raises:
        NotReadyError: see :meth:`ReturnModel.fitted`.
    """
    return ReturnModel.fitted(sequences, as_of, settings).probabilities(sequences, as_of)


def came_back(sequences: Sequences, moment: int, horizon_days: int) -> Bool[np.ndarray, "user"]:
    """Who has an event within the days from a moment on."""
    track = sequences.activity
    after = (track.at >= moment) & (track.at < moment + horizon_days * DAY_US)
    return np.bincount(track.owners()[after], minlength=len(sequences.users)) > 0


def example_moments(sequences: Sequences, as_of: int, settings: ReturnSettings) -> list[int]:
    """Times of examples, oldest first; each outcome is complete before ``as_of``.

    Raises:
        NotReadyError: the log is too short for two.
    """
    at = sequences.activity.at[sequences.activity.at < as_of]
    newest = as_of - settings.horizon_days * DAY_US
    first = int(at.min()) + settings.horizon_days * DAY_US if at.size else as_of
    step = settings.step_days * DAY_US
    moments = [newest - back * step for back in range(settings.most_moments) if newest - back * step > first]
    if len(moments) < 2:
        least = 2 * settings.horizon_days + settings.step_days
        days = (as_of - int(at.min())) / DAY_US if at.size else 0.0
        raise NotReadyError(
            f"return model: the log covers {days:.1f} days before as_of; more than {least} are needed; "
            "import older events or ask again later"
        )
    return moments[::-1]


def _examples(
    sequences: Sequences, moment: int, settings: ReturnSettings
) -> tuple[Float64[np.ndarray, "n input"], Bool[np.ndarray, "n"]]:
    activity = Activity.of(sequences, moment)
    came = came_back(sequences, moment, settings.horizon_days)
    return _inputs(activity)[activity.seen], came[activity.seen]


def _inputs(activity: Activity) -> Float64[np.ndarray, "user input"]:
    last = np.where(activity.seen, activity.last_days, 0.0)
    first = np.where(activity.seen, activity.first_days, 0.0)
    # the gap since the last visit in units of the person's own usual gap: lateness
    usual = np.minimum(first, 90.0) / np.maximum(activity.active[:, ACTIVE_DAYS.index(90)], 1)
    counts: Int64[np.ndarray, "user count"] = np.concatenate([activity.active, activity.events], axis=1)
    logs = np.log1p(np.concatenate([last[:, None], first[:, None], counts], axis=1))
    late = np.minimum(last / np.maximum(usual, 0.1), 10.0)
    return np.concatenate([logs, late[:, None]], axis=1)


def _held_out_auc(
    tables: list[tuple[Float64[np.ndarray, "_ input"], Bool[np.ndarray, "_"]]], l2: int | float
) -> float:
    inputs = np.concatenate([table[0] for table in tables[:-1]])
    came = np.concatenate([table[1] for table in tables[:-1]])
    new_inputs, new_came = tables[-1]
    if new_came.size == 0 or new_came.all() or not new_came.any():
        return float("nan")
    return auc(new_came, Logistic.fitted(inputs, came, l2).probabilities(new_inputs))
