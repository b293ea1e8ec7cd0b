"""Records: validated once, frozen, named columns."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bowerbird.errors import InputError, NotFoundError, SpaceMismatchError
from bowerbird.records import (
    Campaign,
    Candidates,
    Events,
    Found,
    History,
    Items,
    Request,
    Space,
    Users,
    Vectors,
    Vocabulary,
)
from bowerbird.records.request import MAX_QUERY_CHARACTERS, MAX_SLATE

PLANE = Space("item", "1", 2)


def events(**columns: list) -> Events:
    plain = {"event_id": ["1", "2"], "at": [20, 10], "user_id": ["u", "u"], "action": ["save", "click"]}
    return Events(pa.table({**plain, **columns}))


def considered() -> Candidates:
    scores = np.array([[0.5, 0.4, 0.3]], np.float32)
    return Candidates(np.array([7, 8, 9], np.int32), ("s",), scores, np.full((1, 3), -1, np.int32))


def test_events_are_sorted_by_time_and_equal_times_keep_their_order():
    found = events(
        event_id=["1", "2", "3"], at=[20, 10, 10], user_id=["u"] * 3, action=["save", "click", "hide"]
    )
    assert found.table.column("event_id").to_pylist() == ["2", "3", "1"]
    assert found.at.tolist() == [10, 10, 20]


def test_events_before_a_time_are_strictly_before_it():
    assert [len(events().before(at)) for at in (10, 11, 20, 21)] == [0, 1, 1, 2]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            {"action": ["save", "stare"]},
            "events: unknown action 'stare'; expected one of impression, closeup",
        ),
        ({"mood": ["a", "b"]}, "events: unknown column 'mood'; expected event_id, at"),
        ({"user_id": ["u", None]}, "events: column 'user_id' is empty in 1 of 2 rows"),
        ({"at": ["noon", "later"]}, "events: column 'at' has type string, expected int64"),
    ],
)
def test_wrong_events_are_refused_by_name(columns, message):
    with pytest.raises(InputError, match=message):
        events(**columns)


def test_a_missing_required_column_is_refused():
    with pytest.raises(InputError, match="items: column 'item_id' is empty in 1 of 1 rows"):
        Items(pa.table({"title": ["x"]}))


def test_an_item_reads_back_as_it_was_given_and_its_words_are_joined():
    items = Items(
        pa.table({"item_id": ["a", "b"], "title": ["Cup", None], "category": ["home/red-mugs", None]})
    )
    assert items[0].words == "Cup home red mugs"
    assert (items[1].words, items[1].is_ad, items[1].attributes) == ("", False, {})
    assert items.vocabulary.ids == ("a", "b")


def test_ids_that_occur_twice_are_refused():
    with pytest.raises(InputError, match="item vocabulary: id 'a' occurs twice"):
        _ = Items(pa.table({"item_id": ["a", "b", "a"]})).vocabulary
    with pytest.raises(InputError, match="user vocabulary: id 'u' occurs twice"):
        _ = Users(pa.table({"user_id": ["u", "u"]})).vocabulary


def test_a_user_reads_back_as_given():
    assert Users(pa.table({"user_id": ["u"], "country": ["NZ"]}))[0].country == "NZ"


@given(st.lists(st.text(max_size=4), unique=True, max_size=12))
def test_a_vocabulary_maps_ids_to_rows_and_back(ids):
    words = Vocabulary("item", tuple(ids))
    assert words.names(words.rows(ids)) == ids
    assert [words.row(one) for one in ids] == list(range(len(ids)))
    assert words.rows([None, "not in any list"]).tolist() == [-1, -1]


def test_an_unknown_id_is_an_error_with_a_hint():
    with pytest.raises(NotFoundError, match="item 'cupp' is not known; did you mean 'cup'"):
        Vocabulary("item", ("cup", "lamp")).row("cupp")
    with pytest.raises(NotFoundError, match="user 'x' is not known; there are none yet"):
        Vocabulary("user", ()).row("x")
    with pytest.raises(NotFoundError, match="item 'zzz' is not known; 200 are known"):
        Vocabulary("item", tuple(f"a{number}" for number in range(200))).row("zzz")


@pytest.mark.parametrize("n", [0, -1, MAX_SLATE + 1])
def test_a_slate_has_1_to_500_items(n):
    with pytest.raises(InputError, match=f"n = {n}: a slate has 1 to {MAX_SLATE} items"):
        Request("homefeed", 0, n=n)


def test_a_query_that_is_too_long_is_refused():
    with pytest.raises(InputError, match="query has 10,001 characters; at most 10,000"):
        Request("search", 0, query="x" * (MAX_QUERY_CHARACTERS + 1))


def test_records_do_not_change():
    with pytest.raises(FrozenInstanceError):
        Request("homefeed", 0).n = 3  # type: ignore[misc]


def test_a_space_is_its_key():
    assert Space.from_key(PLANE.key) == PLANE
    assert Space.from_key("a/b/c/2/dot") == Space("a/b", "c", 2, "dot")


@pytest.mark.parametrize("other", [{"name": "x"}, {"version": "2"}, {"dim": 3}, {"metric": "dot"}])
def test_spaces_that_differ_in_any_part_never_meet(other):
    with pytest.raises(
        SpaceMismatchError, match=r"here: vectors of space .* cannot meet .*'item/1/2/cosine'"
    ):
        PLANE.require(replace(PLANE, **other), "here")


def test_vectors_of_a_wrong_shape_or_not_finite_are_refused():
    with pytest.raises(InputError, match=r"vectors of shape \(1, 3\) do not fit space 'item/1/2/cosine'"):
        Vectors.full(PLANE, np.zeros((1, 3), np.float32))
    with pytest.raises(InputError, match="row 1 is not finite"):
        Vectors.full(PLANE, np.array([[1, 0], [np.nan, 0]], np.float32))


def test_taking_row_minus_1_gives_an_absent_vector():
    taken = Vectors.full(PLANE, np.array([[1, 0], [0, 1]], np.float32)).take(np.array([1, -1]))
    assert taken.matrix.tolist() == [[0, 1], [0, 0]]
    assert taken.present.tolist() == [True, False]


def test_a_dropped_candidate_keeps_its_reason():
    left = considered().without(np.array([False, True, False]), "seen", "already saved")
    assert left.rows.tolist() == [7, 9]
    assert [(one.stage, one.reason, one.rows.tolist()) for one in left.dropped] == [
        ("seen", "already saved", [8])
    ]
    assert considered().without(np.zeros(3, bool), "seen", "x").dropped == ()


def test_a_score_column_is_added_once_and_never_edited():
    scored = considered().with_scores(value=np.array([1, 2, 3], np.float32))
    assert scored.take(np.array([2, 0])).scores["value"].tolist() == [3, 1]
    with pytest.raises(InputError, match="score 'value' exists already; a stage never edits"):
        scored.with_scores(value=np.zeros(3, np.float32))


def test_candidates_of_disagreeing_shapes_are_refused():
    with pytest.raises(InputError, match="candidates: 2 sources and 3 rows"):
        replace(considered(), sources=("s", "t"))


def test_found_broadcasts_its_evidence():
    assert Found.of("s", np.array([1, 2]), np.array([0.5, 0.4]), 9).evidence.tolist() == [9, 9]
    assert len(Found.nothing("s").rows) == 0


def test_a_history_can_be_shortened_and_filtered():
    history = History(np.array([1, 2, 3], np.int32), np.array([1, 2, 3]), np.array([0, 3, 3], np.int8))
    assert history.last(2).rows.tolist() == [2, 3]
    assert len(history.last(0)) == 0
    assert history.only((0,)).rows.tolist() == [1]


@pytest.mark.parametrize(("at", "runs"), [(9, False), (10, True), (19, True), (20, False)])
def test_a_campaign_runs_from_its_start_until_before_its_end(at, runs):
    assert Campaign("c", 1.0, 1.0, starts_at=10, ends_at=20).runs_at(at) == runs
    assert Campaign("c", 1.0, 1.0).runs_at(at)
