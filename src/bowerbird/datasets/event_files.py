"""Files of events as people publish them, in the standard columns: the one reading of benches and of the import.

What a column is called is :mod:`~bowerbird.datasets.column_names`; here are text files without a header (MovieLens,
Amazon ratings), lines of a person and the items one after another, and windows of a history with what followed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool

from bowerbird.clock import SECOND_US
from bowerbird.datasets import columns
from bowerbird.datasets.amazon2018 import unrolled
from bowerbird.datasets.amazon_reviews import sequence_tables
from bowerbird.datasets.column_names import (
    BENCH_COLUMNS,
    TIME_UNITS_US,
    is_event_column,
    renamed,
    standard_names,
)
from bowerbird.datasets.delimited import DELIMITED, first_cells, open_bytes
from bowerbird.datasets.tables import iter_batches, join_tables, table_format
from bowerbird.errors import InputError
from bowerbird.records.event import POSITIVE_ACTIONS

__all__ = ["EventFile", "event_times", "liked_rows", "named_tables", "read_events"]

WINDOWS = ("user_id", "history", "target", "split")
"""Columns of a file of windows: what a person met, and the item that followed."""
_READ = {*BENCH_COLUMNS, *WINDOWS}
TIME_NAMES = {"at" + unit: unit_us for unit, unit_us in TIME_UNITS_US.items()} | {"timestamp": None}
"""Columns that hold times, and the unit of their numbers in microseconds where the name gives it."""
_PEEKED = 1000
"""Rows and lines that a file without a header is judged by."""
_NUMBER = re.compile(r"[-+]?\d+(\.\d*)?([eE][-+]?\d+)?")
MOST_RATING, LEAST_TIME = 100.0, 1e8
"""No rating is larger, no time since 1970 in use is smaller."""


@dataclass(frozen=True)
class EventFile:
    """Events of a file.

    Args:
        table: in the standard columns; each row has a person and an item, and a time where the file has times.
        notes: how the file was read, and what was left out.
    """

    table: pa.Table
    notes: tuple[str, ...] = ()


def named_tables(
    kind: str, path: Path, given: Mapping[str, str] | None = None, rows: int = 50_000
) -> Iterator[pa.Table]:
    """A file's batches with the standard columns under their standard names, everything else as it is.

    Args:
        kind: events, items, users, campaigns or queries.
        path: a file :func:`~bowerbird.datasets.tables.read_table` reads; events also without a header.
        given: what ``--columns`` says, see :func:`~bowerbird.datasets.column_names.given_names`.
        rows: the most rows in a batch.

    Raises:
        InputError: the file cannot be read, a given column is not there, or two could be the same one.
    """
    form = _form(kind, path, given or {})
    if form.sequences:
        yield from (table.drop_columns(["action"]) for table in sequence_tables(path))
        return
    for batch in iter_batches(path, rows, form.unnamed):
        names = standard_names(batch.schema.names, kind, form.given, path.name)
        yield renamed(pa.Table.from_batches([batch]), names, kind)


def read_events(path: Path, given: Mapping[str, str] | None = None) -> EventFile:
    """The events of a file that somebody wants to bench on; rows without a person, an item or a time are left out.

    Args:
        path: as in :func:`named_tables`.
        given: as there.

    Raises:
        NotFoundError: there is no such file.
        InputError: it cannot be read, has no column of people or of items, or no row with both.
    """
    found: dict[str, None] = {}
    parts: list[pa.Table] = []
    for table in named_tables("events", path, given):
        found |= dict.fromkeys(table.column_names)
        parts.append(table.select([name for name in table.column_names if name in _READ]))
    table = join_tables(parts)
    if set(WINDOWS) <= set(table.column_names) and "item_id" not in table.column_names:
        table = unrolled(table)
    absent = [name for name in ("user_id", "item_id") if name not in table.column_names]
    if absent:
        what = " and ".join({"user_id": "people", "item_id": "items"}[name] for name in absent)
        raise InputError(
            f"{path.name}: no column of {what}; found {', '.join(found)}; expected {' and '.join(absent)}, or say "
            "which columns they are: --columns user=NAME,item=NAME,time=NAME"
        )
    needed = ["user_id", "item_id", *(name for name in TIME_NAMES if name in table.column_names)]
    whole = [pc.is_valid(columns.texts(table[name])) for name in needed]
    kept = table.filter(reduce(pc.and_, whole))
    lost = table.num_rows - kept.num_rows
    if not kept.num_rows:
        raise InputError(
            f"{path.name}: none of {lost:,} rows has {', '.join(needed)}; expected all in at least one row"
        )
    notes = [f"{lost:,} rows without a person, an item or a time left out"] if lost else []
    return EventFile(kept, (*_form("events", path, given or {}).told(path), *notes))


def event_times(events: pa.Table, where: str) -> pa.Array | None:
    """Microseconds UTC of events, null where the cell is empty; None where there is no column of times.

    Of ``at``, ``at_s``, ``at_ms``, ``at_us`` or ``timestamp``. The unit of bare numbers follows from the column's
    largest, one unit for all of them, so that the order of the numbers is the order of the times.

    Args:
        events: in the standard columns.
        where: the file, for messages.

    Raises:
        InputError: something stands there that is no time.
    """
    name = next((name for name in TIME_NAMES if name in events.column_names), None)
    if name is None:
        return None
    column = columns.flat(events[name])
    values, bad = columns.times(column, TIME_NAMES[name] or _unit_us(column))
    if bad.any():
        row = int(bad.argmax())
        raise InputError(
            f"{where} row {row}: {name} is {column[row].as_py()!r}; expected an ISO date-time such as "
            f"2026-01-31T12:00:00, or a number since 1970 ({int(bad.sum()):,} such rows); `--columns time=` reads no times"
        )
    return values


def liked_rows(events: pa.Table, where: str) -> Bool[np.ndarray, "row"]:
    """Rows that say a person liked the item; all of them where no column says what was done.

    Args:
        events: in the standard columns.
        where: the file, for messages.

    Raises:
        InputError: no action says so.
    """
    if "action" not in events.column_names:
        return np.ones(events.num_rows, dtype=bool)
    action = pc.utf8_lower(columns.texts(events["action"]))
    liked = columns.mask(pc.is_in(action, value_set=pa.array(POSITIVE_ACTIONS)))
    if not liked.any():
        found = ", ".join(map(str, pc.unique(action).to_pylist()[:6]))
        raise InputError(
            f"{where} column action: none of {found} says a person liked an item; expected "
            f"{', '.join(POSITIVE_ACTIONS)}; `--columns action=` takes all rows alike"
        )
    return liked


def _unit_us(column: pa.Array) -> int | None:
    """Microseconds of one step of a column of numbers: the unit that puts its largest before the year 5138."""
    values, _ = columns.numbers(column) if not pa.types.is_temporal(column.type) else (column[:0], None)
    if values.null_count == len(values):
        return None
    largest = pc.max(pc.abs(values)).as_py()
    for limit, unit_us in ((1e11, SECOND_US), (1e14, 1000), (1e17, 1)):
        if largest < limit:
            return unit_us
    return None  # nanoseconds, as each cell's size says


@dataclass(frozen=True)
class _Form:
    """How a file is read.

    Args:
        given: what columns are, where it was said or could be told without a header.
        unnamed: numbers as names of columns without a header; None with one.
        sequences: whether lines are a person and then items.
    """

    given: Mapping[str, str]
    unnamed: list[str] | None = None
    sequences: bool = False

    def told(self, path: Path) -> list[str]:
        """What a reader of a table should know of it."""
        if self.sequences:
            return ["each line read as a person and the items in order"]
        if self.unnamed is not None:
            named = ", ".join(f"column {own} is {name}" for name, own in self.given.items() if own)
            return [f"no header: {named}"]
        schema = next(iter_batches(path, 1)).schema
        named = standard_names(schema.names, "events", self.given, path.name)
        return ["columns: " + ", ".join(f"{own} is {name}" for own, name in named.items())] if named else []


def _form(kind: str, path: Path, given: Mapping[str, str]) -> _Form:
    if (
        kind != "events"
        or table_format(path) not in DELIMITED
        or not path.is_file()
        or not path.stat().st_size
    ):
        return _Form(given)
    if _is_sequences(path):
        return _Form(given, sequences=True)
    unnamed = _column_numbers(path)
    if unnamed is None:
        return _Form(given)
    return _Form({**_guessed(path, unnamed, given), **given}, unnamed)


def _column_numbers(path: Path) -> list[str] | None:
    """Numbers as names of the columns of a file whose first line is data: it holds a number and no known name."""
    cells, _ = first_cells(path, DELIMITED[table_format(path)])
    if len(cells) < 2 or any(map(is_event_column, cells)) or not any(map(_NUMBER.fullmatch, cells)):
        return None
    return [str(number) for number in range(1, len(cells) + 1)]


def _guessed(path: Path, names: list[str], given: Mapping[str, str]) -> dict[str, str]:
    """What columns without names are: a person, an item, perhaps a rating and a time.

    Raises:
        InputError: it cannot be told.
    """
    if {"user_id", "item_id"} <= set(given):
        return {}
    some = pa.Table.from_batches([next(iter_batches(path, _PEEKED, names))])
    found = {"user_id": "1", "item_id": "2"}
    rest = {2: [], 3: ["at"], 4: ["rating", "at"]}
    if len(names) == 3 and _is_rating(some["3"]):
        rest[3] = ["rating"]
    fits = {"rating": _is_rating, "at": _is_time}
    wanted = dict(zip(rest.get(len(names), ()), names[2:], strict=False))
    if len(names) not in rest or not all(fits[name](some[own]) for name, own in wanted.items()):
        row = ", ".join(str(some[name][0].as_py()) for name in names)
        raise InputError(
            f"{path.name}: no header, and what its {len(names)} columns are cannot be told ({row}); say it by their "
            "numbers, e.g. --columns user=1,item=2,time=4"
        )
    return found | wanted


def _is_rating(column: pa.ChunkedArray) -> bool:
    values, bad = columns.numbers(column)
    return not bad.any() and values.null_count == 0 and pc.max(pc.abs(values)).as_py() <= MOST_RATING


def _is_time(column: pa.ChunkedArray) -> bool:
    values, bad = columns.numbers(column)
    if not bad.any():
        return values.null_count == 0 and pc.min(values).as_py() >= LEAST_TIME
    times, wrong = columns.times(column)
    return not wrong.any() and times.null_count == 0


def _is_sequences(path: Path) -> bool:
    """Whether lines are a person and then items, as many as there are: ``12 7 81 4`` beside ``13 9``."""
    if table_format(path) != ".txt":
        return False
    with open_bytes(path) as file:
        lines = [line.decode("utf-8", "replace").split() for line in islice(file, _PEEKED) if line.strip()]
    counts = set(map(len, lines))
    return len(counts) > 1 and min(counts) > 1 and all(map(_NUMBER.fullmatch, lines[0]))
