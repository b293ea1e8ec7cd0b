"""Text files whose cells a delimiter divides, with a header or without, in batches with bounded memory.

Text has no types, so every column comes as text (an id such as ``"007"`` stays itself) and empty cells as nulls.
Arrow reads the file by itself: its reading thread may outlive an error, and one that calls Python (a Python file, a
Python handler of faulty rows) aborts an interpreter that is about to end.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv

from bowerbird.errors import InputError

__all__ = [
    "DELIMITED",
    "broken_text",
    "damaged_gzip",
    "delimited_batches",
    "encoding_of",
    "first_cells",
    "open_bytes",
    "open_text",
    "separated",
    "text_table",
    "text_tables",
]

BLOCK_BYTES = 8 * 1024 * 1024
"""How much text is parsed at once; also the longest row."""
ROWS = 200_000
"""Rows of a table of :func:`text_tables`."""

DELIMITED = {
    ".csv": (",", ";", "\t", "|"),
    ".tsv": ("\t",),
    ".dat": ("::", "\t", ",", ";", "|", " "),
    ".data": ("\t", "::", ",", ";", "|", " "),
    ".inter": ("\t", ",", " "),
    ".txt": ("\t", "::", ",", ";", "|", " "),
}
"""What may divide the cells of a file, by its ending; the first stands where the first line has none of them.

Spreadsheets of many languages write semicolons; ``.dat`` and ``.data`` are MovieLens, ``.inter`` is RecBole.
"""
_WRONG_ROW = re.compile(r"(?:Row #(\d+): )?Expected (\d+) columns, got (\d+)(?:: (.*))?", re.DOTALL)


def open_bytes(path: Path) -> gzip.GzipFile | io.BufferedReader:
    """A file opened for reading, unzipped on the way if it ends in ``.gz``."""
    return gzip.open(path, "rb") if _zipped(path) else path.open("rb")


def damaged_gzip(path: Path, error: Exception) -> InputError:
    """The error for a file that cannot be unzipped."""
    return InputError(f"{path.name}: the gzip file is damaged or cut short ({error}); fetch it again")


def first_cells(path: Path, delimiters: Sequence[str]) -> tuple[list[str], str]:
    """Cells of the first line, and what divides them.

    Args:
        path: the file.
        delimiters: what may divide them: the first if the line holds it, else what it holds most of.
    """
    with open_bytes(path) as file:
        line = file.readline(BLOCK_BYTES).decode("utf-8-sig")
    usual = delimiters[0]
    if usual not in line and any(map(line.count, delimiters)):
        usual = max(delimiters, key=line.count)
    if len(usual) > 1:
        cells = line.rstrip("\r\n").split(usual)
    else:
        cells = next(csv.reader([line], delimiter=usual), [])
    return [cell.strip() for cell in cells], usual


def delimited_batches(
    path: Path, rows: int, delimiters: Sequence[str], names: Sequence[str] | None = None
) -> Iterator[pa.RecordBatch]:
    """A file of delimited text as batches of text columns.

    Args:
        path: the file, perhaps ending in ``.gz``.
        rows: the most rows in a batch.
        delimiters: see :func:`first_cells`.
        names: the columns of a file without a header; None: the first line is the header.

    Raises:
        InputError: no header, a row of another number of cells, a quote without an end, text that is not utf-8.
    """
    cells, delimiter = first_cells(path, delimiters)
    if names is None:
        _check_header(path, cells)
    columns, skipped = (cells, 1) if names is None else (list(names), 0)
    if len(delimiter) > 1:
        tables = separated(path, columns, delimiter, skipped=skipped)
        batches = (batch for table in tables for batch in table.to_batches(max_chunksize=rows))
    else:
        batches = _arrow_batches(path, rows, delimiter, columns, skipped)
    found = False
    for batch in batches:
        found = True
        yield batch
    if not found:
        yield pa.RecordBatch.from_pylist([], schema=pa.schema([(name, pa.string()) for name in columns]))


def _check_header(path: Path, names: Sequence[str]) -> None:
    if not any(names):
        raise InputError(f"{path.name} line 1: found no column names; expected a header line")
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise InputError(f"{path.name} line 1: column {repeated[0]!r} is there twice; name each column once")


def _arrow_batches(
    path: Path, rows: int, delimiter: str, names: list[str], skipped: int
) -> Iterator[pa.RecordBatch]:
    read = pa_csv.ReadOptions(
        use_threads=False, block_size=BLOCK_BYTES, column_names=names, skip_rows=skipped
    )
    parse = pa_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True)
    convert = pa_csv.ConvertOptions(
        column_types={name: pa.string() for name in names}, strings_can_be_null=True, null_values=[""]
    )
    last: str | None = None
    try:
        with _native(path) as file, pa_csv.open_csv(file, read, parse, convert) as reader:
            for block in reader:
                for start in range(0, block.num_rows, rows):
                    yield block.slice(start, rows)
                if block.num_rows:
                    last = block.column(len(names) - 1)[-1].as_py()
    except pa.ArrowInvalid as error:
        if "Empty CSV file" not in str(error) and "Could not skip initial" not in str(error):
            raise _wrong_text(path, error) from error
    except OSError as error:
        if _zipped(path) and error.errno is None:  # of Arrow's own unzipping
            raise damaged_gzip(path, error) from error
        raise
    if last is not None and "\n" in last and not _tail(path).endswith(b'"'):
        raise InputError(
            f"{path.name}: a quote that opens before {last[:40]!r} is never closed and swallowed the rest of the file; "
            "close it, or double quotes inside a cell"
        )


def _native(path: Path) -> pa.NativeFile:
    """The file as Arrow's own stream, which no thread of it needs Python for."""
    return pa.input_stream(str(path), compression="gzip" if _zipped(path) else None)


def _zipped(path: Path) -> bool:
    return path.suffix.lower() == ".gz"


def _tail(path: Path) -> bytes:
    """The last bytes of a file without the white space at its end."""
    tail = b""
    with open_bytes(path) as file:
        while block := file.read(BLOCK_BYTES):
            tail = (tail + block).rstrip()[-16:]
    return tail


def _wrong_text(path: Path, error: pa.ArrowInvalid) -> InputError:
    wrong = _WRONG_ROW.search(str(error))
    if wrong:
        number, expected, actual, text = wrong.groups()
        line = f" line {number}" if number else ""
        return InputError(
            f"{path.name}{line}: found {actual} columns, expected {expected} as in the first line; "
            f"the row begins {(text or '')[:60]!r}; quote cells that hold the delimiter"
        )
    if "UTF8" in str(error):
        return broken_text(path)
    return InputError(f"{path.name}: not a well-formed table of text ({error}); check quotes and delimiters")


def broken_text(path: Path) -> InputError:
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


def separated(path: Path, names: Sequence[str], separator: str, *, skipped: int = 0) -> Iterator[pa.Table]:
    """A text file whose cells a separator of any length divides (``::``), never quoted.

    Args:
        path: utf-8, or latin-1 where it is not.
        names: the columns.
        separator: what stands between cells.
        skipped: lines before the first row.

    Raises:
        InputError: a line has another number of cells.
    """

    def cells_of(lines: Iterable[str]) -> Iterator[list[str]]:
        for number, line in enumerate(lines, start=1):
            if number <= skipped or not line.strip():
                continue
            cells = line.rstrip("\r\n").split(separator)
            if len(cells) != len(names):
                raise InputError(
                    f"{path.name} line {number}: found {len(cells)} cells, expected {len(names)} ({', '.join(names)})"
                )
            yield cells

    with open_text(path) as lines:
        yield from text_tables(cells_of(lines), names)


def encoding_of(path: Path) -> str:
    """``utf-8-sig`` if the whole file is utf-8, else ``latin-1``, which old sets are written in."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with open_bytes(path) as file:
        try:
            while block := file.read(1 << 20):
                decoder.decode(block)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "latin-1"
    return "utf-8-sig"


def open_text(path: Path) -> io.TextIOWrapper:
    """A file opened as the text it is, line breaks as they are."""
    encoding = encoding_of(path)
    return io.TextIOWrapper(open_bytes(path), encoding=encoding, newline="")


def text_table(rows: Sequence[Sequence[str]], names: Sequence[str]) -> pa.Table:
    """Rows of cells as a table of text columns."""
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(names)
    return pa.table([pa.array(column, pa.string()) for column in columns], names=list(names))


def text_tables(rows: Iterable[Sequence[str]], names: Sequence[str]) -> Iterator[pa.Table]:
    """Rows of cells as tables of at most :data:`ROWS` rows; none for no row."""
    rest = iter(rows)
    while part := list(islice(rest, ROWS)):
        yield text_table(part, names)
