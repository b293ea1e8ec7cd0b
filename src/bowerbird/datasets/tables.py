"""Table files of any usual format, read whole or in batches with bounded memory.

Delimited text is :mod:`bowerbird.datasets.delimited`; :mod:`bowerbird.datasets.standard` gives columns their types.
"""

from __future__ import annotations

import codecs
import gzip
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from bowerbird.datasets.delimited import (
    DELIMITED,
    broken_text,
    damaged_gzip,
    delimited_batches,
    open_bytes,
)
from bowerbird.datasets.spreadsheets import sheet_records
from bowerbird.errors import InputError, NotFoundError, StorageError

_JSON_LINES = (".jsonl", ".ndjson", ".json")
EXTENSIONS = (".parquet", *DELIMITED, *_JSON_LINES, ".xlsx")
"""What :func:`read_table` reads; text and JSON may also end in ``.gz``."""


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
        path: a file whose ending is one of :data:`EXTENSIONS`; text formats also as .gz.

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


def iter_batches(
    path: Path, rows: int = 50_000, names: Sequence[str] | None = None
) -> Iterator[pa.RecordBatch]:
    """A table file as batches, for files larger than memory.

    A file with columns and no rows yields one batch of no rows, so that its columns are still known.

    Args:
        path: as in :func:`read_table`.
        rows: the most rows in a batch, at least 1.
        names: the columns of a text file without a header.

    Yields:
        Batches in file order. In JSON lines, columns and types may differ between batches.

    Raises:
        NotFoundError: there is no such file.
        InputError: as in :func:`read_table`; raised when the faulty part is reached.
        MissingDependencyError: .xlsx without openpyxl.
    """
    if rows < 1:
        raise InputError(f"rows of a batch: found {rows}; expected at least 1")
    reader = _reader(table_format(path), names)
    if not path.is_file():
        raise NotFoundError(f"{path}: no such file; give the path of a table file")
    if path.stat().st_size == 0:
        raise InputError(f"{path.name}: the file is empty (0 bytes); expected a table")
    try:
        yield from reader(path, rows)
    except UnicodeDecodeError as error:
        raise broken_text(path) from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise damaged_gzip(path, error) from error
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
    return join_tables([pa.Table.from_batches([batch]) for batch in batches])


def join_tables(tables: Sequence[pa.Table]) -> pa.Table:
    """One table of tables whose columns and types may differ; see :func:`join_batches`."""
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


def _reader(extension: str, names: Sequence[str] | None) -> Callable[[Path, int], Iterator[pa.RecordBatch]]:
    if extension == ".parquet":
        return _parquet_batches
    if extension in DELIMITED:
        return lambda path, rows: delimited_batches(path, rows, DELIMITED[extension], names)
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


def _json_batches(path: Path, rows: int) -> Iterator[pa.RecordBatch]:
    """One object a line, or one list of objects."""
    records: list[dict[str, Any]] = []
    found = False
    for record in _json_records(path):
        found = True
        records.append(record)
        if len(records) == rows:
            yield _batch_of(records)
            records = []
    if records:
        yield _batch_of(records)
    elif not found:
        raise InputError(f"{path.name}: found no rows; expected one JSON object a line")


def _json_records(path: Path) -> Iterator[dict[str, Any]]:
    may_be_list = table_format(path) == ".json"
    with open_bytes(path) as file:
        for number, given in enumerate(file, start=1):
            line = given.removeprefix(codecs.BOM_UTF8)
            if not line.strip():
                continue
            if may_be_list and line.lstrip().startswith(b"["):
                yield from _json_list(path, line + file.read())
                return
            may_be_list = False
            yield _json_record(path, number, line)


def _json_list(path: Path, data: bytes) -> Iterator[dict[str, Any]]:
    try:
        records = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise InputError(f"{path.name}: not a JSON list ({error}); expected one object a line") from error
    for number, record in enumerate(records):
        if not isinstance(record, dict):
            raise InputError(
                f"{path.name} entry {number}: found a JSON {type(record).__name__}; expected a list of objects"
            )
        yield record


def _json_record(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        try:
            line.decode("utf-8")
        except UnicodeDecodeError:
            raise broken_text(path) from error
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
    for names, records in sheet_records(path, rows):
        yield _batch_of(records) if records else pa.RecordBatch.from_pylist([], schema=_text_schema(names))


def _text_schema(names: list[str]) -> pa.Schema:
    return pa.schema([(name, pa.string()) for name in names])
