from __future__ import annotations

import pyarrow as pa
import pytest

from bowerbird.datasets.delimited import encoding_of, separated
from bowerbird.datasets.published import Published, distinct, lenient_csv, source
from bowerbird.errors import InputError, NotFoundError


def test_a_set_may_be_its_one_file(write) -> None:
    folder = write({"data.csv": "a\n1\n"})
    assert Published(folder / "data.csv", "x").need("*.csv") == folder / "data.csv"
    assert Published(folder / "data.csv", "x").first("*.parquet") is None


def test_files_come_in_the_order_of_patterns_each_once(write) -> None:
    folder = write({"b.csv": "", "a.csv": "", "c.txt": ""})
    assert [file.name for file in Published(folder, "x").all("c.*", "*.csv", "a.*")] == [
        "c.txt",
        "a.csv",
        "b.csv",
    ]


def test_an_absent_folder_is_told(tmp_path) -> None:
    with pytest.raises(NotFoundError, match="does not exist; give the folder of the data set"):
        Published(tmp_path / "none", "x").all("*")


def test_old_files_are_latin_1(write) -> None:
    folder = write({"new": "\xe9", "old": b"\xe9", "cut": "\xe9".encode()[:1]})
    assert [encoding_of(folder / name) for name in ("new", "old", "cut")] == [
        "utf-8-sig",
        "latin-1",
        "latin-1",
    ]


def test_large_files_come_in_parts(write, monkeypatch) -> None:
    monkeypatch.setattr("bowerbird.datasets.delimited.ROWS", 2)
    folder = write({"a.dat": "1::2\n\n3::4\n5::6\n", "a.csv": "a,b\n1,2\n\n3,4\n5,6\n"})
    parts = list(separated(folder / "a.dat", ("a", "b"), "::"))
    assert [part.num_rows for part in parts] == [2, 1]
    assert pa.concat_tables(parts).to_pylist() == pa.concat_tables(lenient_csv(folder / "a.csv")).to_pylist()


def test_a_csv_line_of_another_length_is_told(write) -> None:
    folder = write({"a.csv": "a,b\n1,2,3\n"})
    with pytest.raises(InputError, match=r"a\.csv line 2: found 3 columns, expected 2"):
        list(lenient_csv(folder / "a.csv"))


def test_null_is_no_id() -> None:
    assert distinct(pa.table({"a": [2, None, 2, 1]}), "a", "item_id").to_pylist() == [
        {"item_id": "2"},
        {"item_id": "1"},
    ]


def test_parts_of_one_file_have_ids_apart(write) -> None:
    path = write({"a.csv": "a\n"}) / "a.csv"
    table = pa.table({"user_id": ["u"]})
    whole, clicks = source("users", table, path), source("users", table, path, part="clicks")
    assert (whole.file, clicks.file) == ("a.csv", "a.csv (clicks)")
    assert clicks.source_id == f"{whole.source_id}-clicks"
