from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bowerbird.errors import InputError
from bowerbird.serving.ingest import Clerk, batch_of
from bowerbird.serving.wire import moment

CLERK = Clerk({"a": 0}, now=1_000, latest=2_000)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(
    ["user_id", "item_id", "action", "at", "position", "value", "query", "dwell_s", "event_id", "x"]
)


@given(
    st.lists(
        st.dictionaries(NAMES, JSON | st.sampled_from(["a", "save", "u"]), max_size=8) | JSON, max_size=4
    )
)
def test_whatever_comes_is_taken_or_told_why_and_nothing_is_lost(rows):
    arrivals = CLERK.checked(rows)
    assert len(arrivals.events) + len(arrivals.rejected) == len(rows)
    assert all(one.reason for one in arrivals.rejected)


def test_an_event_without_a_time_happened_now_and_gets_an_id_of_its_own():
    rows = [{"user_id": "u", "item_id": "a", "action": "save"}] * 2
    table = CLERK.checked(rows).events.table
    assert table["at"].to_pylist() == [1_000, 1_000]
    assert len(set(table["event_id"].to_pylist())) == 2


def test_an_event_with_a_time_and_no_id_is_the_same_event_when_sent_again():
    row = {"user_id": "u", "item_id": "a", "action": "save", "at": 5}
    ids = [CLERK.checked([row]).events.table["event_id"][0].as_py() for _ in range(2)]
    assert ids[0] == ids[1]
    other = CLERK.checked([{**row, "at": 6}]).events.table["event_id"][0].as_py()
    assert other != ids[0]


def test_an_id_that_is_a_number_in_json_is_the_text_it_was_imported_as():
    clerk = Clerk({"17": 0}, now=1_000, latest=2_000)
    rows = [{"user_id": user, "item_id": item, "action": "save"} for user, item in ((5, 17), (5.0, "17"))]
    arrivals = clerk.checked([*rows, {"user_id": True, "item_id": 1.5, "action": "save"}])
    assert arrivals.events.table["user_id"].to_pylist() == ["5", "5"]
    assert arrivals.events.table["item_id"].to_pylist() == ["17", "17"]
    assert [one.index for one in arrivals.rejected] == [2]


def test_the_latest_moment_is_the_first_that_is_refused():
    row = {"user_id": "u", "item_id": "a", "action": "save"}
    arrivals = CLERK.checked([{**row, "at": 1_999}, {**row, "at": 2_000}])
    assert (len(arrivals.events), [one.index for one in arrivals.rejected]) == (1, [1])


def test_a_document_is_one_event_a_list_or_a_batch():
    assert (
        batch_of({"user_id": "u"}, 9)
        == batch_of([{"user_id": "u"}], 9)
        == batch_of({"events": [{"user_id": "u"}]}, 9)
    )
    with pytest.raises(InputError, match="expected an event"):
        batch_of("x", 9)
    with pytest.raises(InputError, match="2 in one batch; at most 1"):
        batch_of([1, 2], 1)


@pytest.mark.parametrize("at", [-1, 253_402_300_800_000_000, "1969-12-31", "0000", "99999999999999999999"])
def test_a_time_outside_the_calendar_is_refused(at):
    with pytest.raises(InputError, match=r"between the years|is not understood"):
        moment(at)
