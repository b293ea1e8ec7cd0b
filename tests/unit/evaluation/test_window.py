"""Where the test begins: one moment by time, the last item where there is only an order."""

from __future__ import annotations

import pyarrow as pa
import pytest

from bowerbird.clock import DAY_US
from bowerbird.errors import NotReadyError
from bowerbird.evaluation.window import held_out
from bowerbird.records.event import Events
from bowerbird.records.vocabulary import Vocabulary
from bowerbird.signals.sequences import Sequences

USERS, ITEMS = Vocabulary("user", ("u", "v")), Vocabulary("item", ("a", "b", "c"))


def sequences(*events: tuple[str, str, int]) -> Sequences:
    columns = list(zip(*events, strict=True)) or [(), (), ()]
    table = pa.table(
        {
            "event_id": pa.array([str(row) for row in range(len(events))], pa.string()),
            "at": pa.array(columns[2], pa.int64()),
            "user_id": pa.array(columns[0], pa.string()),
            "item_id": pa.array(columns[1], pa.string()),
            "action": pa.array(["save"] * len(events), pa.string()),
        }
    )
    return Sequences.from_events(Events(table), USERS, ITEMS)


def test_the_last_days_are_the_test_when_they_hold_a_fair_share() -> None:
    daily = sequences(*[("u", "a", day * DAY_US) for day in range(70)])
    window = held_out(daily, logical_time=False, days=7)
    assert window.split_at == 69 * DAY_US + 1 - 7 * DAY_US
    assert window.until == 69 * DAY_US + 1
    assert "last 7 days" in window.protocol


def test_a_short_log_is_split_at_the_nine_tenths_of_its_events() -> None:
    daily = sequences(*[("u", "a", day * DAY_US) for day in range(11)])
    window = held_out(daily, logical_time=False, days=7)
    assert window.split_at == 9 * DAY_US  # the 0.9 quantile of 0..10
    assert "last 10% of positive events" in window.protocol


def test_without_times_each_persons_last_item_is_left_out() -> None:
    ordered = sequences(("u", "a", 1), ("u", "b", 2), ("u", "b", 3), ("v", "c", 5))
    window = held_out(ordered, logical_time=True)
    assert window.leave_one_out
    assert window.begins.tolist() == [2, 5]  # two actions on item b are one event


def test_a_person_without_positive_events_has_no_test() -> None:
    window = held_out(sequences(("u", "a", 1)), logical_time=True)
    assert window.begins.tolist() == [1, window.until]


def test_a_log_without_positive_events_cannot_be_split() -> None:
    with pytest.raises(NotReadyError, match="no positive events, so nothing can be held out"):
        held_out(sequences(), logical_time=False)
