from __future__ import annotations

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bowerbird.datasets.column_names import given_names, named_items, renamed, standard_names
from bowerbird.datasets.event_files import event_times, liked_rows, named_tables, read_events
from bowerbird.errors import InputError

ROWS = [
    ("7", "101", "4.5", 1_300_000_000),
    ("7", "102", "1", 1_300_000_060),
    ("8", "101", "5", 1_300_000_120),
]
TIMES = [at * 1_000_000 for *_, at in ROWS]


def text(header: str, separator: str, columns: tuple[int, ...] = (0, 1, 2, 3)) -> bytes:
    lines = [header] if header else []
    lines += [separator.join(str(row[column]) for column in columns) for row in ROWS]
    return "\n".join([*lines, ""]).encode()


FILES = {
    "ratings.csv": text("userId,movieId,rating,timestamp", ","),
    "ratings.csv.gz": gzip.compress(text("userId,movieId,rating,timestamp", ",")),
    "plain.csv": text("user,item,time", ",", (0, 1, 3)),
    "semicolons.csv": text("Customer ID;StockCode;InvoiceDate", ";", (0, 1, 3)),
    "sessions.tsv": text("session_id\titem_id\tts", "\t", (0, 1, 3)),
    "exact.csv": text("user_id,item_id,rating,at_s", ","),
    "ratings.dat": text("", "::"),
    "u.data": text("", "\t"),
    "no header.csv": text("", ","),
    "three.txt": text("", " ", (0, 1, 3)),
    "atomic.inter": text("user_id:token\titem_id:token\trating:float\ttimestamp:float", "\t"),
    "reviews.json": "".join(
        json.dumps({"reviewerID": row[0], "asin": row[1], "unixReviewTime": row[3], "reviewText": "long"}) + "\n"
        for row in ROWS
    ).encode(),
    "list.json": json.dumps(
        [{"uid": row[0], "product_id": row[1], "ts_ms": row[3] * 1000} for row in ROWS], indent=1
    ).encode(),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_events_of_well_known_forms_are_read_as_they_are(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(FILES[name])
    table = read_events(tmp_path / name).table
    assert [str(cell) for cell in table["user_id"].to_pylist()] == [row[0] for row in ROWS]
    assert [str(cell) for cell in table["item_id"].to_pylist()] == [row[1] for row in ROWS]
    assert event_times(table, name).to_pylist() == TIMES
    if "rating" in table.column_names:
        assert table["rating"].to_pylist() == [row[2] for row in ROWS]
    assert "reviewText" not in table.column_names


@pytest.mark.parametrize("name", ["ratings.csv", "u.data"])
def test_the_import_reads_the_same_files_and_keeps_what_it_does_not_know(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(FILES[name])
    [table] = named_tables("events", tmp_path / name)
    assert table.column_names == ["user_id", "item_id", "rating", "at"]


def test_a_table_says_how_its_file_was_read(tmp_path: Path) -> None:
    for name in ("plain.csv", "u.data", "exact.csv"):
        (tmp_path / name).write_bytes(FILES[name])
    assert read_events(tmp_path / "plain.csv").notes == (
        "columns: user is user_id, item is item_id, time is at",
    )
    assert read_events(tmp_path / "u.data").notes == (
        "no header: column 1 is user_id, column 2 is item_id, column 3 is rating, column 4 is at",
    )
    assert read_events(tmp_path / "exact.csv").notes == ()


def test_a_line_may_be_a_person_and_all_items_in_order(tmp_path: Path) -> None:
    path = tmp_path / "train.txt"
    path.write_text("0 5 6 7\n1 5\n")
    table = read_events(path).table
    assert table.select(["user_id", "item_id"]).to_pylist() == [
        {"user_id": user, "item_id": item} for user, item in [("0", "5"), ("0", "6"), ("0", "7"), ("1", "5")]
    ]


def test_windows_become_sequences(tmp_path: Path) -> None:
    path = tmp_path / "windows.parquet"
    windows = pa.table(
        {"user_id": ["u"], "history": [["a", "b"]], "target": ["c"], "split": ["test"], "x": [1]}
    )
    pq.write_table(windows, path)
    assert read_events(path).table["item_id"].to_pylist() == ["a", "b", "c"]


def test_what_is_said_wins_and_nothing_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    path.write_bytes(b"user_id,shopper,item_id,when\n1,2,3,2026-01-31\n")
    [table] = named_tables("events", path, given_names("user=shopper, time=when"))
    assert table.to_pylist() == [{"user_id_unused": "1", "user_id": "2", "item_id": "3", "at": "2026-01-31"}]
    without = read_events(path, given_names("user=shopper,at=")).table
    assert "at" not in without.column_names


def test_columns_without_a_header_are_named_by_number(tmp_path: Path) -> None:
    path = tmp_path / "odd.csv"
    path.write_bytes(text("", ",", (3, 1, 2, 0)))
    with pytest.raises(
        InputError, match=r"no header, and what its 4 columns are cannot be told \(1300000000, "
    ):
        read_events(path)
    table = read_events(path, given_names("user=4,item=2,time=1")).table
    assert table["user_id"].to_pylist() == [row[0] for row in ROWS]
    assert event_times(table, "odd.csv").to_pylist() == TIMES


def test_one_column_may_be_two_things() -> None:
    items = pa.table({"image": ["a.jpg"], "title": ["lamp"]})
    names = standard_names(items.column_names, "items", {"item_id": "image"})
    assert renamed(items, names, "items").to_pylist() == [{"item_id": "a.jpg", "image": "a.jpg", "title": "lamp"}]  # fmt: skip


def test_items_beside_events_are_joined_by_what_they_call_their_id() -> None:
    for name in ("id", "asin", "movieId", "item_id"):
        assert named_items(pa.table({name: ["x"], "title": ["lamp"]})).column_names == ["item_id", "title"]
    assert named_items(pa.table({"no": ["x"]}), {"item_id": "no"}).column_names == ["item_id"]
    assert named_items(pa.table({"sku": ["x"]}), {"item_id": "no"}).column_names == ["item_id"]


def test_rows_that_say_too_little_are_left_out_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    path.write_bytes(b"user_id,item_id,at\n1,2,2026-01-31\n,2,2026-01-31\n1,,2026-01-31\n1,2,\n")
    read = read_events(path)
    assert read.table.num_rows == 1
    assert read.notes == ("3 rows without a person, an item or a time left out",)


@pytest.mark.parametrize(
    ("data", "columns", "message"),
    [
        (b"who,what\n1,2\n", "", r"no column of people and items; found who, what; expected user_id and item_id, or"),
        (b"user_id,what\n1,2\n", "", r"no column of items; found user_id, what"),
        (b"customer,visitor,item\n1,2,3\n", "", r"customer and visitor could each be user_id; .*--columns user=cus"),
        (b"user,item,date,time\n1,2,3,4\n", "", r"date and time could each be at; say which, e.g. --columns time=date"),
        (b"user,item\n1,2\n", "time=when", r"--columns says 'when' for at, no such column; found user, item"),
        (b"user,item\n1,2\n", "item=itm", r"says 'itm' for item_id, no such column; did you mean 'item'"),
        (b"user,item\n1,2\n", "usr=user", r"unknown column 'usr'; did you mean 'user'"),
        (b"user,item\n1,2\n", "user", r"--columns: found 'user'; expected e.g. user=NAME"),
        (b"user,item\n,2\n1,\n", "", r"none of 2 rows has user_id, item_id"),
        (b"user,item\n", "", r"none of 0 rows has user_id, item_id"),
        (b"1,2,3,4,5\n", "", r"what its 5 columns are cannot be told \(1, 2, 3, 4, 5\)"),
    ],
)  # fmt: skip
def test_what_cannot_be_told_is_asked_for(tmp_path: Path, data: bytes, columns: str, message: str) -> None:
    path = tmp_path / "events.csv"
    path.write_bytes(data)
    with pytest.raises(InputError, match=message):
        read_events(path, given_names(columns))


def test_an_action_nobody_knows_is_told_and_may_be_left_out(tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    path.write_bytes(b"user_id,item_id,action\n1,2,view\n1,3,cart\n")
    with pytest.raises(InputError, match=r"events.csv column action: none of view, cart says a person liked"):
        liked_rows(read_events(path).table, path.name)
    assert liked_rows(read_events(path, given_names("action=")).table, path.name).tolist() == [True, True]
    known = pa.table({"action": ["Save", "hide", None]})
    assert liked_rows(known, "e").tolist() == [True, False, False]


def test_a_cell_that_is_no_time_is_told_with_its_row(tmp_path: Path) -> None:
    table = pa.table({"at": ["2026-01-31", "12/1/2010 8:26"]})
    with pytest.raises(InputError, match=r"e.csv row 1: at is '12/1/2010 8:26'; expected an ISO"):
        event_times(table, "e.csv")
