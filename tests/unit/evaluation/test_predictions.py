"""Predicted probabilities against what happened, with intervals over people."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from bowerbird.clock import DAY_US
from bowerbird.errors import NotReadyError
from bowerbird.evaluation.predictions import click_measures, return_measures, scored
from bowerbird.evaluation.window import held_out
from bowerbird.metrics.calibration import auc
from bowerbird.records.event import Events
from bowerbird.records.vocabulary import Vocabulary
from bowerbird.signals.sequences import Sequences


def test_the_value_is_the_metric_itself_and_lies_in_its_interval() -> None:
    happened = np.array([True, False, True, False, False, True])
    predicted = np.array([0.9, 0.8, 0.7, 0.2, 0.1, 0.6])
    found = scored(auc, happened, predicted, np.arange(6), seed=7)
    assert found.value == pytest.approx(7 / 9)  # of 3 x 3 pairs two are in the wrong order
    assert found.low is not None
    assert found.high is not None
    assert found.low <= found.value <= found.high


def test_rows_of_one_person_are_drawn_together() -> None:
    happened = np.array([True, False] * 4)
    predicted = np.where(happened, 0.9, 0.1)
    found = scored(auc, happened, predicted, np.repeat(np.arange(4), 2), seed=7)
    assert (found.low, found.high) == (1.0, 1.0)


def test_without_mixed_resamples_there_is_no_interval() -> None:
    found = scored(lambda y, p: float(y.mean()), np.array([True]), np.array([0.5]), np.array([0]), seed=7)
    assert (found.value, found.low, found.high) == (1.0, None, None)


def test_clicks_are_held_against_everybodys_rate() -> None:
    happened = np.array([True, False, False, False])
    measures = click_measures(happened, np.array([0.5, 0.1, 0.2, 0.2]), 0.5, np.arange(4), seed=7)
    by_name = {one.metric: one for one in measures}
    assert by_name["AUC"].ours.value == 1.0
    assert by_name["AUC"].others["click rate"].value == 0.5
    assert by_name["predicted / observed clicks"].ours.value == pytest.approx((0.5 + 0.1 + 0.2 + 0.2) / 1)
    assert by_name["predicted / observed clicks"].others["click rate"].value == pytest.approx(2.0)
    assert by_name["ECE-15"].ours.low is None  # resampling can only make a binned error larger


def people_sequences(days: int) -> Sequences:
    """Forty people who come every day, every fourth day or stopped after three weeks."""
    rows = []
    for person in range(40):
        step, stop = (1, days) if person < 15 else (4, days) if person < 30 else (2, 21)
        rows += [(f"u{person}", (day + person / 50) * DAY_US) for day in range(0, stop, step)]
    rows.sort(key=lambda row: row[1])
    table = pa.table(
        {
            "event_id": [str(place) for place in range(len(rows))],
            "at": pa.array([round(at) for _, at in rows], pa.int64()),
            "user_id": [user for user, _ in rows],
            "item_id": ["a"] * len(rows),
            "action": ["save"] * len(rows),
        }
    )
    users = Vocabulary("user", tuple(f"u{person}" for person in range(40)))
    return Sequences.from_events(Events(table), users, Vocabulary("item", ("a",)))


def test_return_probabilities_are_read_before_the_split_and_judged_after_it() -> None:
    sequences = people_sequences(70)
    window = held_out(sequences, logical_time=False, days=7)
    measures = {one.metric: one for one in return_measures(sequences, window, seed=7)}
    assert measures["AUC"].ours.value == 1.0  # who stopped long ago is easy to tell
    assert measures["AUC"].n == 40
    assert measures["AUC"].about == "75% came back"  # 30 of 40
    assert measures["AUC"].others["recency"].value == 1.0


def test_a_week_in_which_everybody_came_says_nothing() -> None:
    rows = [("u", day * DAY_US) for day in range(60)]
    table = pa.table(
        {
            "event_id": [str(place) for place in range(60)],
            "at": pa.array([at for _, at in rows], pa.int64()),
            "user_id": ["u"] * 60,
            "item_id": ["a"] * 60,
            "action": ["save"] * 60,
        }
    )
    alone = Sequences.from_events(Events(table), Vocabulary("user", ("u",)), Vocabulary("item", ("a",)))
    with pytest.raises(NotReadyError, match=r"same outcome|did the same"):
        return_measures(alone, held_out(alone, logical_time=False), seed=7)
