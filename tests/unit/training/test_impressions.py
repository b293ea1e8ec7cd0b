"""Examples: what was shown and what came of it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from bowerbird.clock import DAY_US
from bowerbird.records.event import Events
from bowerbird.records.vocabulary import Vocabulary
from bowerbird.training.impressions import LABELS, WINDOW_US, Impressions, impressions

USERS, ITEMS = Vocabulary("user", ("u0", "u1")), Vocabulary("item", ("a", "b", "c"))
HOUR = DAY_US // 24


def log(*rows: tuple) -> Impressions:
    """Impressions of (at, user, item, action, request, position) rows."""
    columns = list(zip(*rows, strict=True))
    table = pa.table(
        {
            "event_id": [f"e{number}" for number in range(len(rows))],
            "at": pa.array(columns[0], pa.int64()),
            "user_id": pa.array(columns[1], pa.string()),
            "item_id": pa.array(columns[2], pa.string()),
            "action": pa.array(columns[3], pa.string()),
            "request_id": pa.array(columns[4], pa.string()),
            "position": pa.array(columns[5], pa.int32()),
        }
    )
    return impressions(Events(table), USERS, ITEMS)


def labelled(found: Impressions, action: str) -> list[str]:
    place = LABELS.index(action)
    return [ITEMS.id(row) for row, label in zip(found.rows, found.labels[:, place], strict=True) if label]


def test_a_request_is_one_slate_with_rows_and_positions():
    found = log((10, "u0", "b", "impression", "r", 1), (10, "u0", "a", "impression", "r", 0))
    assert len(found) == 1
    shown = found.shown(0)
    assert (shown.at, shown.user_row, shown.surface, shown.query) == (10, 0, "homefeed", None)
    assert shown.rows.tolist() == [1, 0]
    assert shown.positions.tolist() == [1, 0]


def test_an_action_belongs_to_the_impression_of_its_request_and_item():
    found = log(
        (10, "u0", "a", "impression", "r1", 0),
        (10, "u0", "b", "impression", "r1", 1),
        (20, "u0", "a", "impression", "r2", 0),
        (30, "u0", "a", "save", "r2", None),
    )
    assert [found.shown(number).labels[:, LABELS.index("save")].tolist() for number in range(2)] == [
        [False, False],
        [True],
    ]
    assert labelled(found, "click") == []


def test_an_action_without_request_belongs_to_the_latest_impression_before_it():
    found = log(
        (10, "u0", "a", "impression", "r1", 0),
        (20, "u0", "a", "impression", "r2", 0),
        (25, "u0", "a", "click", None, None),
        (40, "u0", "a", "impression", "r3", 0),
    )
    assert found.labels[:, LABELS.index("click")].tolist() == [False, True, False]


@pytest.mark.parametrize(("late", "counts"), [(WINDOW_US, True), (WINDOW_US + 1, False)])
def test_an_action_without_request_counts_within_a_day(late, counts):
    found = log((0, "u0", "a", "impression", "r", 0), (late, "u0", "a", "click", None, None))
    assert found.labels.any() == counts


def test_people_whose_requests_bear_the_same_id_stay_apart():
    found = log(
        (10, "u0", "a", "impression", "1", 0),
        (10, "u1", "a", "impression", "1", 0),
        (20, "u1", "a", "save", "1", None),
    )
    assert [found.shown(number).user_row for number in range(len(found))] == [0, 1]
    assert found.labels[:, LABELS.index("save")].tolist() == [False, True]


def test_an_action_of_another_person_or_item_counts_for_nobody():
    found = log(
        (10, "u0", "a", "impression", "r1", 0),
        (11, "u1", "a", "click", None, None),
        (12, "u0", "b", "click", None, None),
        (13, "u0", "b", "click", "r1", None),
    )
    assert not found.labels.any()


def test_impressions_of_unknown_people_and_items_are_left_out():
    found = log((1, "ghost", "a", "impression", "r1", 0), (2, "u0", "gone", "impression", "r2", 0))
    assert len(found) == 0


def test_impressions_without_a_request_at_one_time_are_one_request():
    found = log(
        (10, "u0", "a", "impression", None, 0),
        (10, "u0", "b", "impression", None, 1),
        (10, "u1", "a", "impression", None, 0),
        (11, "u0", "c", "impression", None, 0),
    )
    assert sorted(len(found.shown(number).rows) for number in range(len(found))) == [1, 1, 2]


def test_requests_are_in_order_of_time():
    rows = [(int(at), "u0", "a", "impression", f"r{at}", 0) for at in np.array([5, 1, 9, 3]) * HOUR]
    assert np.diff(log(*rows).request_at).min() > 0


def test_an_impression_without_a_position_counts_as_the_top():
    assert log((1, "u0", "a", "impression", "r", None)).positions.tolist() == [0]
