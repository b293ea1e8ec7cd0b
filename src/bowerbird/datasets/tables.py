"""Table files of any usual format, read whole or in batches with bounded memory.

A text format has no types, so ``.csv`` and ``.tsv`` columns come as text (an id such as ``"007"`` stays
itself) and empty cells as nulls; :mod:`bowerbird.datasets.standard` gives columns their types. A ``.csv`` whose
header holds no comma may be cut at semicolons, tabs or bars.
"""

from __future__ import annotations

import csv
import gzip
import io
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from bowerbird.errors import InputError, MissingDependencyError, NotFoundError, StorageError

BLOCK_BYTES = 8 * 1024 * 1024
"""How much text is parsed at once; also the longest csv row."""

_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_OTHER_DELIMITERS = (";", "\t", "|")
"""What a ``.csv`` whose header has no comma is cut at instead; spreadsheets of many languages write semicolons."""
_JSON_LINES = (".jsonl", ".ndjson", ".json")
EXTENSIONS = (".parquet", *_DELIMITERS, *_JSON_LINES, ".xlsx")
"""What :func:`read_table` reads; csv, tsv and JSON lines may also end in ``.gz``."""


def table_format(path: Path) -> str:
    """The extension that decides how a file is read, without ``.gz``.

    Raises:
        InputError: the extension is not one of :data:`EXTENSIONS`.

    Example:
        >>> table_format(Path("events.CSV.gz"))
        '.csv'
    """
    suffixes = [suffix.lower() for suffix in path.suffixes]
    zipped = bool(suffixes) and suffixes[-1] == ".gz"
    if zipped:
        suffixes.pop()
    extension = suffixes[-1] if suffixes else ""
    if extension not in EXTENSIONS or (zipped and extension in {".parquet", ".xlsx"}):
        known = ", ".join(EXTENSIONS)
        raise InputError(
            f"{path.name}: files ending in {path.suffix!r} cannot be read; expected one of {known}"
        )
    return extension


def read_table(path: Path) -> pa.Table:
    r"""The whole of a table file.

    Args:
        path: a .parquet, .csv, .tsv, .jsonl, .ndjson or .xlsx file; text formats also as .gz.

    Returns:
        The table; columns whose type changes along a JSON lines file come as text.

    Raises:
        NotFoundError: there is no such file.
        InputError: the file is empty, damaged, not utf-8 or not of its format; says the line where it can be told.
        MissingDependencyError: .xlsx without openpyxl.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "events.csv"
        >>> _ = file.write_text("user_id,item_id\nu1,007\n", encoding="utf-8")
        >>> read_table(file).to_pylist()
        [{'user_id': 'u1', 'item_id': '007'}]
    """
    return join_batches(list(iter_batches(path)))


def iter_batches(path: Path, rows: int = 50_000) -> Iterator[pa.RecordBatch]:
    """A table file as batches, for files larger than memory.

    A file with columns and no rows yields one batch of no rows, so that its columns are still known.

    Args:
        path: as in :func:`read_table`.
        rows: the most rows in a batch, at least 1.

    Yields:
        Batches in file order. In JSON lines, columns and types may differ between batches.

    Raises:
        NotFoundError: there is no such file.
        InputError: as in :func:`read_table`; raised when the faulty part is reached.
        MissingDependencyError: .xlsx without openpyxl.
    """
    if rows < 1:
        raise InputError(f"rows of a batch: found {rows}; expected at least 1")
    reader = _reader(table_format(path))
    if not path.is_file():
        raise NotFoundError(f"{path}: no such file; give the path of a table file")
    if path.stat().st_size == 0:
        raise InputError(f"{path.name}: the file is empty (0 bytes); expected a table")
    try:
        yield from reader(path, rows)
    except UnicodeDecodeError as error:
        raise _broken_text(path) from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(
            f"{path.name}: the gzip file is damaged or cut short ({error}); fetch it again"
        ) from error
    except OSError as error:
        if isinstance(error, StorageError):
            raise
        raise StorageError(
            f"{path.name}: reading failed: {error}; check the disk and the permissions"
        ) from error


def join_batches(batches: list[pa.RecordBatch]) -> pa.Table:
    """One table of batches whose columns and types may differ.

    A column absent from a batch is null there; a column whose types cannot be reconciled becomes text.

    Args:
        batches: at least one.
    """
    tables = [pa.Table.from_batches([batch]) for batch in batches]
    if len({table.schema.remove_metadata() for table in tables}) == 1:
        return pa.concat_tables(tables)
    names = list(dict.fromkeys(name for table in tables for name in table.column_names))
    columns: dict[str, pa.ChunkedArray] = {}
    for name in names:
        parts = [
            table.select([name]) if name in table.column_names else pa.table({name: pa.nulls(table.num_rows)})
            for table in tables
        ]
        try:
            columns[name] = pa.concat_tables(parts, promote_options="permissive").column(name)
        except (pa.ArrowTypeError, pa.ArrowInvalid):
            text = [as_text(value) for part in parts for value in part.column(name).to_pylist()]
            columns[name] = pa.chunked_array([pa.array(text, pa.string())])
    return pa.table(columns)


def as_text(value: Any) -> str | None:
    """A cell as text: text as it is, lists and mappings as JSON, null as None.

    Example:
        >>> as_text([1, "a"]), as_text(2.5), as_text(None)
        ('[1,"a"]', '2.5', None)
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple | dict):
        return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS, default=str).decode()
    return str(value)


def column_of(values: list[Any]) -> pa.Array:
    """An Arrow column of Python values; mixed types become text instead of failing.

    Example:
        >>> column_of([1, "a", None]).to_pylist()
        ['1', 'a', None]
    """
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        return pa.array([as_text(value) for value in values], pa.string())


def open_bytes(path: Path) -> gzip.GzipFile | io.BufferedReader:
    """A file opened for reading, unzipped on the way if it ends in ``.gz``."""
    return gzip.open(path, "rb") if path.suffix.lower() == ".gz" else path.open("rb")


def _reader(extension: str) -> Callable[[Path, int], Iterator[pa.RecordBatch]]:
    if extension == ".parquet":
        return _parquet_batches
    if extension in _DELIMITERS:
        return lambda path, rows: _delimited_batches(path, rows, _DELIMITERS[extension])
    if extension == ".xlsx":
        return _xlsx_batches
    return _json_batches


def _parquet_batches(path: Path, rows: int) -> Iterator[pa.RecordBatch]:
    try:
        with pq.ParquetFile(path) as file:
            found = False
            for batch in file.iter_batches(batch_size=rows):
                found = True
                yield batch
            if not found:
                yield pa.RecordBatch.from_pylist([], schema=file.schema_arrow)
    except pa.ArrowInvalid as error:
        raise InputError(
            f"{path.name}: not a whole parquet file ({error}); fetch or write it again"
        ) from error
    except OSError as error:  # pyarrow says OSError for a damaged page too
        raise InputError(
            f"{path.name}: the parquet file is damaged ({error}); fetch or write it again"
        ) from error


def _header(path: Path, delimiter: str) -> tuple[list[str], str]:
    """Names of the columns, and what really stands between them."""
    with open_bytes(path) as file:
        first = file.readline(BLOCK_BYTES).decode("utf-8-sig")
    if delimiter == "," and delimiter not in first:
        delimiter = (
            max(_OTHER_DELIMITERS, key=first.count) if any(map(first.count, _OTHER_DELIMITERS)) else ","
        )
    names = [name.strip() for name in next(csv.reader([first], delimiter=delimiter), [])]
    if not any(names):
        raise InputError(f"{path.name} line 1: found no column names; expected a header line")
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise InputError(f"{path.name} line 1: column {repeated[0]!r} is there twice; name each column once")
    return names, delimiter


def _delimited_batches(path: Path, rows: int, delimiter: str) -> Iterator[pa.RecordBatch]:
    names, delimiter = _header(path, delimiter)
    wrong: list[pa_csv.InvalidRow] = []

    def note(row: pa_csv.InvalidRow) -> str:
        wrong.append(row)
        return "error"

    read = pa_csv.ReadOptions(use_threads=False, block_size=BLOCK_BYTES, column_names=names, skip_rows=1)
    parse = pa_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True, invalid_row_handler=note)
    convert = pa_csv.ConvertOptions(
        column_types={name: pa.string() for name in names}, strings_can_be_null=True, null_values=[""]
    )
    last: str | None = None
    found = False
    try:
        with open_bytes(path) as file, pa_csv.open_csv(file, read, parse, convert) as reader:
            for block in reader:
                for start in range(0, block.num_rows, rows):
                    found = True
                    yield block.slice(start, rows)
                if block.num_rows:
                    last = block.column(len(names) - 1)[-1].as_py()
    except pa.ArrowInvalid as error:
        if "Empty CSV file" not in str(error) and "Could not skip initial" not in str(error):
            raise _wrong_csv(path, wrong, error) from error
    if last is not None and "\n" in last and not _tail(path).endswith(b'"'):
        raise InputError(
            f"{path.name}: a quote that opens before {last[:40]!r} is never closed and swallowed the rest of the file; "
            "close it, or double quotes inside a cell"
        )
    if not found:
        yield pa.RecordBatch.from_pylist([], schema=_text_schema(names))


def _tail(path: Path) -> bytes:
    """The last bytes of a file without the white space at its end."""
    tail = b""
    with open_bytes(path) as file:
        while block := file.read(BLOCK_BYTES):
            tail = (tail + block).rstrip()[-16:]
    return tail


def _wrong_csv(path: Path, wrong: list[pa_csv.InvalidRow], error: pa.ArrowInvalid) -> InputError:
    if wrong:
        row = wrong[0]
        line = f" line {row.number}" if row.number is not None else ""
        return InputError(
            f"{path.name}{line}: found {row.actual_columns} columns, expected {row.expected_columns} as in the header; "
            f"the row begins {row.text[:60]!r}; quote cells that hold the delimiter"
        )
    if "UTF8" in str(error):
        return _broken_text(path)
    return InputError(f"{path.name}: not a well-formed table of text ({error}); check quotes and delimiters")


def _broken_text(path: Path) -> InputError:
    """The error for text that is not utf-8, with the first line where it is not."""
    with open_bytes(path) as file:
        for number, line in enumerate(file, start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                found = line[error.start : error.start + 4].hex(" ")
                return InputError(
                    f"{path.name} line {number}: not utf-8 at byte {error.start} (found {found}); "
                    "save the file as utf-8, e.g. iconv -f latin1 -t utf-8"
                )
    return InputError(f"{path.name}: not utf-8; save the file as utf-8, e.g. iconv -f latin1 -t utf-8")


def _json_batches(path: Path, rows: int) -> Iterator[pa.RecordBatch]:
    records: list[dict[str, Any]] = []
    found = False
    with open_bytes(path) as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            found = True
            records.append(_json_record(path, number, line))
            if len(records) == rows:
                yield _batch_of(records)
                records = []
    if records:
        yield _batch_of(records)
    elif not found:
        raise InputError(f"{path.name}: found no rows; expected one JSON object a line")


def _json_record(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        try:
            line.decode("utf-8")
        except UnicodeDecodeError:
            raise _broken_text(path) from error
        raise InputError(
            f"{path.name} line {number}: not JSON ({error}); expected one object a line"
        ) from error
    if not isinstance(record, dict):
        raise InputError(
            f"{path.name} line {number}: found a JSON {type(record).__name__}; expected one object a line"
        )
    return record


def _batch_of(records: list[dict[str, Any]]) -> pa.RecordBatch:
    names = list(dict.fromkeys(name for record in records for name in record))
    return pa.RecordBatch.from_arrays(
        [column_of([record.get(name) for record in records]) for name in names], names
    )


def _xlsx_batches(path: Path, rows: int) -> Iterator[pa.RecordBatch]:
    try:
        import openpyxl
        from openpyxl.utils.exceptions import InvalidFileException
    except ImportError as error:
        raise MissingDependencyError(
            f"{path.name}: reading .xlsx needs openpyxl; pip install 'bowerbird[xlsx]', or save the sheet as csv"
        ) from error
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except (InvalidFileException, zipfile.BadZipFile, KeyError) as error:
        raise InputError(f"{path.name}: not an xlsx file ({error}); save the sheet again") from error
    names: list[str] = []
    records: list[dict[str, Any]] = []
    found = False
    for sheet in book.worksheets:
        lines = sheet.iter_rows(values_only=True)
        header = [str(cell).strip() for cell in next(lines, ()) if cell is not None]
        if not header:
            continue
        names = names or header
        if header != names:
            raise InputError(
                f"{path.name} sheet {sheet.title!r}: columns differ from the first sheet; save it apart"
            )
        for line in lines:
            if any(cell is not None for cell in line):
                records.append(dict(zip(names, line, strict=False)))
            if len(records) == rows:
                found = True
                yield _batch_of(records)
                records = []
    book.close()
    if not names:
        raise InputError(f"{path.name}: found no rows in any sheet; expected a header line")
    if records or not found:
        yield _batch_of(records) if records else pa.RecordBatch.from_pylist([], schema=_text_schema(names))


def _text_schema(names: list[str]) -> pa.Schema:
    return pa.schema([(name, pa.string()) for name in names])
