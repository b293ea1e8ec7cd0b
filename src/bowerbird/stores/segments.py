"""Sealed segments: events in Parquet files that never change once they are named."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Int64

from bowerbird.clock import DAY_US
from bowerbird.errors import StorageError
from bowerbird.records import EVENT_SCHEMA
from bowerbird.stores.atomic import publish, scratch_path, storage_errors
from bowerbird.stores.row_hash import table_lanes

SEGMENT_ROWS = 250_000
"""A segment holds whole UTC days and, where its days allow, at least this many events."""

STORED_SCHEMA = pa.schema(
    [pa.field("sequence", pa.int64(), nullable=False), *EVENT_SCHEMA]
    + [pa.field(name, pa.int64(), nullable=False) for name in ("hash_a", "hash_b")]
)
"""What the log keeps of an event: its arrival number, the record, and the row's hash in two lanes."""


@dataclass(frozen=True)
class Segment:
    """What the log's manifest knows of one Parquet file."""

    name: str
    rows: int
    first_at: int
    last_at: int
    first_sequence: int
    last_sequence: int
    lane_sums: tuple[int, int]


def stored(events: pa.Table, first_sequence: int) -> pa.Table:
    """Event rows with arrival numbers and hashes: the form both SQLite and Parquet keep."""
    lanes = table_lanes(events).view(np.int64)
    sequence = np.arange(first_sequence, first_sequence + events.num_rows, dtype=np.int64)
    return pa.table([pa.array(sequence), *events.columns, *map(pa.array, lanes)], schema=STORED_SCHEMA)


def lane_sums(rows: pa.Table) -> tuple[int, int]:
    """Sums of the row hashes, mod 2^64 per lane."""
    first, second = (
        int(rows.column(name).to_numpy().view(np.uint64).sum(dtype=np.uint64))
        for name in ("hash_a", "hash_b")
    )
    return first, second


def added(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    """Lane sums of two disjoint sets of rows together."""
    return (one[0] + other[0]) % 2**64, (one[1] + other[1]) % 2**64


def in_order(rows: pa.Table) -> pa.Table:
    """Stored rows sorted by time, then arrival."""
    at, sequence = rows.column("at").to_numpy(), rows.column("sequence").to_numpy()
    later = (at[1:] > at[:-1]) | ((at[1:] == at[:-1]) & (sequence[1:] > sequence[:-1]))
    return rows if later.all() else rows.take(pa.array(np.lexsort((sequence, at))))


def day_cuts(at: Int64[np.ndarray, "event"], at_least: int = SEGMENT_ROWS) -> list[tuple[int, int]]:
    """Where to cut sorted times into segments of whole UTC days.

    Args:
        at: times, ascending, microseconds UTC.
        at_least: a segment is closed at the first end of a day after this many events.

    Returns:
        Half-open ranges that cover all events.

    Example:
        >>> day_cuts(np.array([0, 5, DAY_US, DAY_US + 1, 3 * DAY_US]), at_least=2)
        [(0, 2), (2, 4), (4, 5)]
    """
    day = at // DAY_US
    ends = np.append(np.flatnonzero(day[1:] != day[:-1]) + 1, len(at))
    cuts, start = [], 0
    for end in ends.tolist():
        if end - start >= at_least or (end == len(at) and end > start):
            cuts.append((start, end))
            start = end
    return cuts


def write_segment(folder: Path, rows: pa.Table, replaces: str = "") -> Segment:
    """Write stored rows, sorted by time and arrival, as one Parquet file, flushed to the disk.

    The file is data only once the log's manifest names it.

    Args:
        folder: where segments lie.
        rows: what it holds.
        replaces: the segment it takes the place of, whose name it must not have.

    Raises:
        StorageError: the system refused; nothing half-written is left.
    """
    at, sequence = rows.column("at").to_numpy(), rows.column("sequence").to_numpy()
    name = f"{int(at[0]) // DAY_US:06d}-{int(sequence.min())}-{int(sequence.max())}.parquet"
    if name == replaces or replaces.startswith(name.removesuffix(".parquet") + "~"):
        number = int(replaces.removesuffix(".parquet").partition("~")[2] or 1) + 1
        name = f"{name.removesuffix('.parquet')}~{number}.parquet"
    target = folder / name
    scratch = scratch_path(target)
    with storage_errors(target, "write a segment", rows.nbytes):
        try:
            pq.write_table(
                rows,
                scratch,
                compression="zstd",
                compression_level=1,
                use_dictionary=["user_id", "item_id", "action", "surface", "request_id", "collection_id"],  # pyright: ignore[reportArgumentType] - Arrow's stub is too narrow
                row_group_size=SEGMENT_ROWS,
            )
            publish(scratch, target)
        finally:
            scratch.unlink(missing_ok=True)
    return Segment(
        name,
        rows.num_rows,
        int(at[0]),
        int(at[-1]),
        int(sequence.min()),
        int(sequence.max()),
        lane_sums(rows),
    )


def read_segment(
    folder: Path, segment: Segment, before: int | None, columns: list[str] | None = None
) -> pa.Table:
    """The stored rows of a segment, only those strictly before a time if one is given.

    Raises:
        StorageError: the file is gone or damaged.
    """
    path = folder / segment.name
    if columns is not None and "at" not in columns:
        columns = [*columns, "at"]
    try:
        rows = pq.read_table(path, columns=columns, memory_map=True)
    except (OSError, pa.ArrowException) as error:
        raise StorageError(
            f"{path}: segment of {segment.rows} events cannot be read: {error}; restore the file from a copy"
        ) from error
    if rows.num_rows != segment.rows:
        raise StorageError(
            f"{path}: segment has {rows.num_rows} events, expected {segment.rows}; restore the file from a copy"
        )
    if before is not None and segment.last_at >= before:
        rows = rows.slice(0, int(np.searchsorted(rows.column("at").to_numpy(), before, side="left")))
    return rows
