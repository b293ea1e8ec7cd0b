from __future__ import annotations

import gzip
import json
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from bowerbird.datasets import delimited, tables
from bowerbird.datasets.tables import as_text, iter_batches, read_table, table_format
from bowerbird.errors import InputError, MissingDependencyError, NotFoundError, StorageError

ROWS = [{"user_id": "u1", "item_id": "007"}, {"user_id": "u2", "item_id": "8"}]


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def test_every_format_gives_the_same_rows(tmp_path: Path) -> None:
    csv_text = b"user_id,item_id\nu1,007\nu2,8\n"
    lines = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
    book = openpyxl.Workbook()
    for row in (("user_id", "item_id"), ("u1", "007"), ("u2", "8")):
        book.active.append(row)
    book.save(tmp_path / "e.xlsx")
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "e.parquet")
    files = [
        tmp_path / "e.xlsx",
        tmp_path / "e.parquet",
        written(tmp_path / "e.csv", csv_text),
        written(tmp_path / "bom.csv", b"\xef\xbb\xbf" + csv_text),
        written(tmp_path / "semicolons.csv", b"\xef\xbb\xbf" + csv_text.replace(b",", b";")),
        written(tmp_path / "tabs.csv", csv_text.replace(b",", b"\t")),
        written(tmp_path / "bars.csv", csv_text.replace(b",", b"|")),
        written(tmp_path / "e.tsv", csv_text.replace(b",", b"\t")),
        written(tmp_path / "e.csv.gz", gzip.compress(csv_text)),
        written(tmp_path / "e.jsonl", lines),
        written(tmp_path / "e.ndjson.gz", gzip.compress(lines)),
    ]
    for file in files:
        assert read_table(file).to_pylist() == ROWS, file.name


@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl", "xlsx"])
def test_batches_are_bounded_and_joined_are_the_table(tmp_path: Path, ending: str) -> None:
    rows = [{"item_id": f"i{number}"} for number in range(25)]
    path = tmp_path / f"items.{ending}"
    if ending == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif ending == "csv":
        path.write_text("item_id\n" + "".join(row["item_id"] + "\n" for row in rows), encoding="utf-8")
    elif ending == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    else:
        book = openpyxl.Workbook()
        for cell in ["item_id", *(row["item_id"] for row in rows)]:
            book.active.append([cell])
        book.save(path)
    batches = list(iter_batches(path, rows=10))
    assert [batch.num_rows for batch in batches] == [10, 10, 5]
    assert [row for batch in batches for row in batch.to_pylist()] == rows


@pytest.mark.parametrize("text", [b"item_id,title", b"item_id,title\n"])
def test_a_header_alone_is_a_table_of_no_rows(tmp_path: Path, text: bytes) -> None:
    table = read_table(written(tmp_path / "items.csv", text))
    assert (table.num_rows, table.column_names) == (0, ["item_id", "title"])


def test_a_parquet_of_no_rows_keeps_its_columns(tmp_path: Path) -> None:
    pq.write_table(pa.table({"item_id": pa.array([], pa.int64())}), tmp_path / "items.parquet")
    assert read_table(tmp_path / "items.parquet").schema.field("item_id").type == pa.int64()


def test_a_cell_may_hold_line_breaks_and_empty_cells_are_null(tmp_path: Path) -> None:
    table = read_table(written(tmp_path / "items.csv", b'item_id,title\n1,"two\nlines"\n2,""\n3,\n'))
    assert table.column("title").to_pylist() == ["two\nlines", None, None]


def test_json_columns_that_change_type_become_text(tmp_path: Path) -> None:
    table = read_table(
        written(tmp_path / "items.jsonl", b'{"item_id": 1}\n{"item_id": "x", "tags": ["a"]}\n')
    )
    assert table.to_pylist() == [{"item_id": "1", "tags": None}, {"item_id": "x", "tags": ["a"]}]


def test_json_batches_whose_types_differ_join_as_text(tmp_path: Path) -> None:
    path = written(tmp_path / "items.jsonl", b'{"item_id": 1}\n\n{"item_id": "x", "price": 2}\n')
    joined = tables.join_batches(list(iter_batches(path, rows=1)))
    assert joined.to_pylist() == [{"item_id": "1", "price": None}, {"item_id": "x", "price": 2}]


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("e.csv", b"", r"e\.csv: the file is empty \(0 bytes\)"),
        ("e.csv", b"\na,b\n", r"line 1: found no column names"),
        ("e.csv", b"a,a\n1,2\n", r"line 1: column 'a' is there twice"),
        ("e.csv", b"a,b\n1,2\n3\n", r"line 3: found 1 columns, expected 2"),
        ("e.csv", b"a,b\n1,2,3\n", r"line 2: found 3 columns, expected 2"),
        ("e.csv", b"a,b\n1,2\n3,\xff\n", r"line 3: not utf-8 at byte 2"),
        ("e.csv", b"a,\xff\n1,2\n", r"line 1: not utf-8"),
        ("e.csv", b'a,b\n1,"5 inch\n2,x\n3,y\n', r"never closed and swallowed the rest"),
        ("e.csv.gz", b"a,b\n", r"gzip file is damaged"),
        (
            "e.csv.gz",
            gzip.compress(b"a,b\n1,2\n" * 1000, mtime=0)[:-20],
            r"gzip file is damaged or cut short",
        ),
        ("e.parquet", b"PAR1 and no more", r"not a whole parquet file"),
        ("e.jsonl", b"\n", r"found no rows; expected one JSON object a line"),
        ("e.jsonl", b'{"a": 1}\n{"a"\n', r"line 2: not JSON"),
        ("e.jsonl", b'{"a": 1}\n[1]\n', r"line 2: found a JSON list"),
        ("e.jsonl", b'{"a": "\xff"}\n', r"line 1: not utf-8"),
        ("e.xlsx", b"not a zip", r"not an xlsx file"),
        ("e.foo", b"x", r"files ending in '.foo' cannot be read; expected one of .parquet"),
        ("e", b"x", r"cannot be read"),
    ],
)
def test_a_faulty_file_is_told_with_its_place(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_table(written(tmp_path / name, data))


def test_a_damaged_page_of_a_parquet_is_told(tmp_path: Path) -> None:
    path = tmp_path / "e.parquet"
    pq.write_table(pa.table({"a": [str(number) for number in range(5000)]}), path, compression="gzip")
    data = bytearray(path.read_bytes())
    data[100:4000] = bytes(3900)
    with pytest.raises(InputError, match=r"e\.parquet"):
        read_table(written(path, bytes(data)))


def test_an_absent_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no such file"):
        read_table(tmp_path / "e.csv")


def test_a_batch_needs_rows(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="found 0; expected at least 1"):
        next(iter_batches(tmp_path / "e.csv", rows=0))


def test_a_disk_that_fails_is_a_storage_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "e.jsonl", b"{}\n")

    def fail(_: Path) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(tables, "open_bytes", fail)
    with pytest.raises(StorageError, match="reading failed"):
        read_table(path)


def test_a_sheet_of_other_columns_is_told(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["a"])
    book.create_sheet("more").append(["b"])
    book.save(tmp_path / "e.xlsx")
    with pytest.raises(InputError, match="sheet 'more': columns differ"):
        read_table(tmp_path / "e.xlsx")


def test_a_column_without_a_name_moves_no_other(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for row in ((None, "user_id", " ", "item_id"), (1, "u1", 2, "007"), (3, "u2", 4)):
        book.active.append(row)
    book.save(tmp_path / "e.xlsx")
    found = read_table(tmp_path / "e.xlsx").to_pylist()
    assert found == [{"user_id": "u1", "item_id": "007"}, {"user_id": "u2", "item_id": None}]


def test_a_name_that_is_there_twice_in_a_sheet_is_told(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["a", "b", "a"])
    book.save(tmp_path / "e.xlsx")
    with pytest.raises(InputError, match="sheet 'Sheet': column 'a' is there twice"):
        read_table(tmp_path / "e.xlsx")


def test_an_empty_workbook_is_told(tmp_path: Path) -> None:
    openpyxl.Workbook().save(tmp_path / "e.xlsx")
    with pytest.raises(InputError, match="no rows in any sheet"):
        read_table(tmp_path / "e.xlsx")


def test_xlsx_without_its_package_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "openpyxl", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'bowerbird\[xlsx\]'"):
        read_table(written(tmp_path / "e.xlsx", b"x"))


def test_cells_as_text() -> None:
    cells = [b"\xff", True, {"a": 1}, 3]
    assert [as_text(cell) for cell in cells] == ["\N{REPLACEMENT CHARACTER}", "true", '{"a":1}', "3"]


def test_only_text_formats_may_be_zipped() -> None:
    with pytest.raises(InputError, match="cannot be read"):
        table_format(Path("e.parquet.gz"))


def test_json_may_be_one_list(tmp_path: Path) -> None:
    path = written(tmp_path / "e.json", b"\xef\xbb\xbf" + json.dumps(ROWS, indent=1).encode())
    assert read_table(path).to_pylist() == ROWS
    with pytest.raises(InputError, match="entry 1: found a JSON int; expected a list of objects"):
        read_table(written(path, b'[{"a": 1}, 2]'))
    with pytest.raises(InputError, match="not a JSON list"):
        read_table(written(path, b'[{"a": 1}'))


@pytest.mark.parametrize("name", ["e.csv", "e.csv.gz", "e.tsv"])
def test_no_thread_of_the_reader_needs_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """One that does may abort an interpreter that is about to end (exit code 134)."""
    opened: list[object] = []

    def open_csv(file: object, read: object, parse: pa_csv.ParseOptions, convert: object) -> object:
        opened.append(file)
        assert parse.invalid_row_handler is None
        return real(file, read, parse, convert)

    real = pa_csv.open_csv
    monkeypatch.setattr(delimited.pa_csv, "open_csv", open_csv)
    data = b"a,b\n1,2\n" if ".csv" in name else b"a\tb\n1\t2\n"
    path = written(tmp_path / name, gzip.compress(data) if name.endswith("gz") else data)
    assert read_table(path).to_pylist() == [{"a": "1", "b": "2"}]
    assert all(isinstance(file, pa.NativeFile) and not isinstance(file, pa.PythonFile) for file in opened)
    assert opened
