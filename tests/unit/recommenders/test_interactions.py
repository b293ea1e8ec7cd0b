from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest

from bowerbird.errors import InputError
from bowerbird.recommenders.interactions import Interactions


def events(**columns: list[object]) -> Interactions:
    return Interactions.from_table(pa.table(columns))


def sequence(data: Interactions, user: str) -> list[str]:
    return data.item_ids[data.items[data.user_ids[data.users] == user]].tolist()


def test_time_orders_the_events_and_equal_times_keep_the_row_order():
    data = events(user_id=["a", "a", "a"], item_id=["late", "x", "y"], at=[9, 5, 5])
    assert sequence(data, "a") == ["x", "y", "late"]
    assert data.at.tolist() == [5_000_000, 5_000_000, 9_000_000]


def test_pos_orders_when_there_is_no_time():
    data = events(user_id=[1, 2, 1], item_id=["b", "c", "a"], pos=[1, 0, 0])
    assert sequence(data, "1") == ["a", "b"]
    assert data.at is None


def test_rows_order_when_there_is_nothing_else():
    assert sequence(events(user_id=["a", "a"], item_id=["y", "x"]), "a") == ["y", "x"]


@pytest.mark.parametrize(
    "at",
    [
        pa.array([1, 0]),
        pa.array(["1970-01-01T00:00:01", "1970-01-01"]),
        pa.array([1000, 0], pa.timestamp("ms")),
        pa.array([1_000_000, 0], pa.timestamp("us", tz="UTC")),
    ],
)
def test_times_of_every_form_are_microseconds(at: pa.Array):
    assert events(user_id=["a", "a"], item_id=["x", "y"], at=at).at.tolist() == [0, 1_000_000]


def test_a_small_timestamp_is_seconds():
    assert events(user_id=["a"], item_id=["x"], timestamp=[2]).at.tolist() == [2_000_000]


@pytest.mark.parametrize("name", ["at", "timestamp"])
@pytest.mark.parametrize(
    "times",
    [
        pa.array([1_700_000_000, 1_700_000_001]),
        pa.array([1_700_000_000_000, 1_700_000_001_000]),
        pa.array([1_700_000_000_000_000, 1_700_000_001_000_000]),
        pa.array([1_700_000_000_000_000_000, 1_700_000_001_000_000_000]),
        pa.array([1_700_000_000.0, 1_700_000_001.0]),
        pa.array(["1700000000", "1700000001"]),
        pa.array(["2023-11-14T22:13:20", "2023-11-14 22:13:21+00:00"]),
        pa.array([1_700_000_000, 1_700_000_001], pa.timestamp("s")),
    ],
)
def test_the_unit_of_a_time_follows_from_its_size(name: str, times: pa.Array):
    data = events(user_id=["a", "a"], item_id=["x", "y"], **{name: times})
    assert data.at.tolist() == [1_700_000_000_000_000, 1_700_000_001_000_000]


def test_the_unit_is_one_for_the_column_so_the_order_stays():
    data = events(user_id=["a"] * 3, item_id=["z", "x", "y"], at=[2 * 10**14, 5 * 10**10, 10**12])
    assert sequence(data, "a") == ["x", "y", "z"]


@pytest.mark.parametrize(
    "ids",
    [pa.array([7.0, 8.0]), pa.array([b"7", b"8"]), pa.array(["7", " 8"]), pa.array([7, 8], pa.uint64())],
)
def test_ids_of_every_type_are_the_same_text(ids: pa.Array):
    data = events(user_id=ids, item_id=ids)
    assert (data.user_ids.tolist(), data.item_ids.tolist()) == (["7", "8"], ["7", "8"])


def test_words_of_a_split_are_lower_case_and_empty_cells_are_empty_words():
    data = events(user_id=["a"] * 3, item_id=["x", "y", "z"], split=["Train", " TEST", None])
    assert data.split.tolist() == ["train", "test", ""]


def test_number_ids_become_text():
    data = events(user_id=[10, 11], item_id=[7, 7])
    assert data.user_ids.tolist() == ["10", "11"]
    assert data.items.tolist() == [0, 0]


def test_text_positions_of_a_csv_are_numbers():
    assert sequence(events(user_id=["a", "a"], item_id=["x", "y"], pos=["10", "9"]), "a") == ["y", "x"]


def test_the_hash_follows_the_content_and_not_the_row_order():
    one = events(user_id=["a", "b"], item_id=["x", "y"], at=[1, 2])
    assert one.hash == events(user_id=["a", "b"], item_id=["x", "y"], at=[1, 2]).hash
    assert one.hash != events(user_id=["a", "b"], item_id=["x", "y"], at=[1, 3]).hash
    assert one.hash != events(user_id=["a", "b"], item_id=["x", "x"], at=[1, 2]).hash


def test_a_mask_keeps_the_vocabularies():
    data = events(
        user_id=["a", "b"], item_id=["x", "y"], at=[1, 2], rating=[3.0, 4.0], split=["train", "test"]
    )
    part = data.where(data.split == "test")
    assert (len(part), part.users_total, part.items_total) == (1, 2, 2)
    assert part.ratings.tolist() == [4.0]
    assert part.popularity().tolist() == [0, 1]


def test_the_matrix_is_binary_and_repeats_are_counted():
    data = events(user_id=["a", "a", "b"], item_id=["x", "x", "y"])
    assert data.matrix().toarray().tolist() == [[1, 0], [0, 1]]
    assert data.repeats == 1


def test_ages_count_later_events_of_the_same_user():
    assert events(user_id=["a", "b", "a"], item_id=["x", "y", "z"]).ages().tolist() == [1, 0, 0]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"user_id": ["a"]}, "no column 'item_id'; found user_id"),
        ({"user_id": ["a", None], "item_id": ["x", "y"]}, "row 1: user_id is empty"),
        ({"user_id": ["a", " "], "item_id": ["x", "y"]}, "row 1: user_id is empty"),
        ({"user_id": [1.0, math.nan], "item_id": ["x", "y"]}, "row 1: user_id is empty"),
        ({"user_id": [1.5], "item_id": ["x"]}, "row 0: user_id is 1.5; expected text or whole numbers"),
        ({"user_id": [["a"]], "item_id": ["x"]}, "user_id is list<.*>; expected text or whole numbers"),
        ({"user_id": [True], "item_id": ["x"]}, "user_id is bool; expected text or whole numbers"),
        ({"user_id": ["a"], "item_id": ["x"], "pos": ["first"]}, "row 0: pos is 'first'; expected a number"),
        ({"user_id": ["a"], "item_id": ["x"], "pos": [None]}, "row 0: pos is empty"),
        (
            {"user_id": ["a"], "item_id": ["x"], "at": ["14.11.2023"]},
            "row 0: at is '14.11.2023'; expected an ISO",
        ),
        ({"user_id": ["a"], "item_id": ["x"], "at": [None]}, "row 0: at is empty"),
        ({"user_id": [], "item_id": []}, "found 0 rows"),
    ],
)
def test_wrong_tables_are_refused(columns: dict[str, list[object]], message: str):
    with pytest.raises(InputError, match=message):
        events(**columns)


def test_dictionary_columns_are_read():
    ids = pa.array(["a", "b", "a"]).dictionary_encode()
    data = events(user_id=ids, item_id=ids)
    assert data.users.tolist() == [0, 1, 0]
    assert data.users.dtype == np.int32
