"""The event log: SQLite for what arrives, Parquet segments for what stays."""

from __future__ import annotations

import sqlite3
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, UInt64

from bowerbird.clock import DAY_US
from bowerbird.errors import BusyError, StorageError
from bowerbird.records import EVENT_SCHEMA, Events
from bowerbird.stores.atomic import storage_error, storage_errors, sweep_scratch
from bowerbird.stores.event_rows import COLUMNS, CREATE_EVENT, INSERT_EVENT, arrow_rows, canonical, sql_rows
from bowerbird.stores.id_runs import known_in, read_run, runs_to_merge, sorted_run, write_run
from bowerbird.stores.layout import Layout
from bowerbird.stores.row_hash import digest, string_lanes
from bowerbird.stores.segments import (
    STORED_SCHEMA,
    Segment,
    added,
    day_cuts,
    in_order,
    lane_sums,
    read_segment,
    stored,
    write_segment,
)

BULK_ROWS = 20_000
"""Appends of at least this many events go straight into segments."""

BUSY_TIMEOUT_S = 60.0
"""How long a writer waits for another one to finish."""

_SCHEMA = (
    CREATE_EVENT,
    """CREATE TABLE IF NOT EXISTS segment (name TEXT PRIMARY KEY, rows INTEGER, first_at INTEGER, last_at INTEGER,
    first_sequence INTEGER, last_sequence INTEGER, sum_a TEXT, sum_b TEXT)""",
    "CREATE TABLE IF NOT EXISTS id_run (number INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT, rows INTEGER)",
    "CREATE TABLE IF NOT EXISTS forgotten (hashes BLOB NOT NULL)",
    "CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
)


class SqliteEventLog:
    """The event log of a workspace. What ``append`` returned for is on the disk, once, whatever happens next.

    SQLite (write-ahead log, every commit flushed) holds the newest events and the manifest: which
    Parquet segments are part of the log, how many events there are and the sums of their hashes. A
    segment counts from the commit that names it, and the same commit takes its rows out of SQLite, so
    a reader meets each event exactly once. Safe to use from several threads and several processes.

    Args:
        layout: the workspace; its folders exist.

    Raises:
        StorageError: the file is damaged or may not be opened.
    """

    def __init__(self, layout: Layout) -> None:
        self._folder: Path = layout.events
        self._path = self._folder / "log.sqlite"
        self._guard = threading.RLock()
        self._runs: dict[str, UInt64[np.ndarray, "2 row"]] = {}
        with storage_errors(self._folder, "open the event log"):
            self._folder.mkdir(parents=True, exist_ok=True)
        with self._translated("open the event log"):
            self._db = sqlite3.connect(
                self._path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
            )
            self._closed = weakref.finalize(self, self._db.close)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.execute("PRAGMA secure_delete=ON")  # what was moved or forgotten is overwritten
        with self._transaction("IMMEDIATE", "open the event log"):
            for statement in _SCHEMA:
                self._db.execute(statement)

    def close(self) -> None:
        """Let go of the file. Anything appended is already safe."""
        self._closed()

    def append(self, events: Events) -> int:
        """Add events; those whose id is already in the log are left as they are.

        All of a call's events are added, or none. NaN is kept as null.

        Args:
            events: any number; :data:`BULK_ROWS` or more take the fast path of imports.

        Returns:
            How many were new.

        Raises:
            BusyError: another process wrote for longer than :data:`BUSY_TIMEOUT_S`.
            StorageError: the system refused; the log is as it was.
        """
        table = canonical(events.table)
        if not len(table):
            return 0
        with self._transaction("IMMEDIATE", "append"):
            new = table.filter(pa.array(~self._known(table.column("event_id"))))
            if not len(new):
                return 0
            first = int(self._meta("next_sequence", "1"))
            rows = stored(new, first)
            if len(rows) >= BULK_ROWS:
                self._sweep()
                self._add_segments(rows)
            else:
                self._db.executemany(INSERT_EVENT, sql_rows(rows))
            sums = added(self._sums(), lane_sums(rows))
            count = self.count() + len(rows)
            self._set_meta(next_sequence=first + len(rows), count=count, sum_a=sums[0], sum_b=sums[1])
        return len(new)

    def read(self, as_of: int | None = None) -> Events:
        """The events before a time, sorted by time and then by arrival.

        Args:
            as_of: events at or after this time are not returned; microseconds UTC; None for all.
        """
        with self._transaction("DEFERRED", "read"):
            parts = [read_segment(self._folder, part, as_of) for part in self._segments(before=as_of)]
            parts.append(self._tail("at < ?", as_of) if as_of is not None else self._tail("1"))
        return _events(parts)

    def read_since(self, sequence: int) -> tuple[Events, int]:
        """The events that arrived after a known point, for consumers that follow the log.

        Args:
            sequence: what the last call returned; 0 for the beginning.

        Returns:
            The events, sorted by time, and the sequence to pass next.
        """
        with self._transaction("DEFERRED", "read"):
            parts = []
            for part in self._segments():
                if part.last_sequence > sequence:
                    rows = read_segment(self._folder, part, None)
                    parts.append(rows.filter(pa.array(rows.column("sequence").to_numpy() > sequence)))
            parts.append(self._tail("sequence > ?", sequence))
            last = int(self._meta("next_sequence", "1")) - 1
        return _events(parts), last

    def count(self) -> int:
        """How many events there are."""
        with self._guard:
            return int(self._meta("count", "0"))

    def fingerprint(self, as_of: int | None = None) -> str:
        """A hash of the events before a time, whatever order they arrived in.

        Without ``as_of`` it is kept up to date by every append, so it costs nothing; with it, only
        segments the time falls into are read.
        """
        with self._transaction("DEFERRED", "read"):
            if as_of is None:
                return digest(self.count(), self._sums())
            count, sums = 0, (0, 0)
            for part in self._segments(before=as_of):
                if part.last_at < as_of:
                    count, sums = count + part.rows, added(sums, part.lane_sums)
                else:
                    rows = read_segment(self._folder, part, as_of, ["hash_a", "hash_b"])
                    count, sums = count + len(rows), added(sums, lane_sums(rows))
            hashes = self._db.execute("SELECT hash_a, hash_b FROM event WHERE at < ?", (as_of,)).fetchall()
            for pair in hashes:
                sums = added(sums, pair)
            return digest(count + len(hashes), sums)

    def seal(self, keep_days: int = 2) -> int:
        """Move complete days from SQLite into Parquet segments.

        The newest event of the log, not the clock, says which days are the newest.

        Args:
            keep_days: how many of the newest UTC days stay in SQLite.

        Returns:
            How many events were moved.

        Raises:
            StorageError: the system refused; the log is as it was.
        """
        with self._transaction("IMMEDIATE", "seal"):
            self._sweep()
            newest = self._db.execute("SELECT max(at) FROM event").fetchone()[0]
            if newest is None:
                return 0
            last_at = max([newest, *(part.last_at for part in self._segments())])
            cutoff = (last_at // DAY_US + 1 - keep_days) * DAY_US
            rows = self._tail("at < ?", cutoff)
            if len(rows):
                self._add_segments(in_order(rows))
                self._db.execute("DELETE FROM event WHERE at < ?", (cutoff,))
        return len(rows)

    def forget(self, *, user_id: str | None = None, item_id: str | None = None) -> int:
        """Remove a person's events, or an item's, from everywhere the log keeps them.

        Their ids stay known (as hashes), so a copy that is sent again later is a duplicate, not a return.

        Returns:
            How many events are gone.

        Raises:
            StorageError: the system refused; the log is as it was.
        """
        matched = (user_id or "", item_id or "")
        with self._transaction("IMMEDIATE", "forget"):
            where = "(user_id = ? AND ? <> '') OR (item_id = ? AND ? <> '')"
            values = (matched[0], matched[0], matched[1], matched[1])
            gone = self._tail(where, *values)
            self._db.execute(f"DELETE FROM event WHERE {where}", values)  # noqa: S608 - our own words
            if len(gone):
                self._add_run(string_lanes(gone.column("event_id")))
            parts = [gone, *(self._rewritten(part, *matched) for part in self._segments())]
            removed = pa.concat_tables(parts)
            if len(removed):
                lanes = string_lanes(removed.column("event_id"))
                self._db.execute("INSERT INTO forgotten VALUES (?)", (lanes.tobytes(),))
            sums = lane_sums(removed)
            left = tuple((kept - lost) % 2**64 for kept, lost in zip(self._sums(), sums, strict=True))
            self._set_meta(count=self.count() - len(removed), sum_a=left[0], sum_b=left[1])
        with self._transaction("IMMEDIATE", "forget"):
            self._sweep()
        with self._guard, self._translated("forget"):
            self._db.execute("VACUUM")
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return len(removed)

    def forgotten(self, ids: pa.ChunkedArray) -> Bool[np.ndarray, "row"]:
        """Which event ids are of events that were forgotten, by their hashes."""
        with self._transaction("DEFERRED", "read"):
            rows = self._db.execute("SELECT hashes FROM forgotten").fetchall()
        lanes = [np.frombuffer(blob, np.uint64).reshape(2, -1) for (blob,) in rows]
        run = sorted_run(np.concatenate([np.empty((2, 0), np.uint64), *lanes], axis=1))
        return known_in(run, string_lanes(ids))

    def _rewritten(self, part: Segment, user_id: str, item_id: str) -> pa.Table:
        """Replace a segment by one without a person's or an item's events; returns those."""
        rows = read_segment(self._folder, part, None)
        hit = pc.or_kleene(
            pc.equal(rows.column("user_id"), user_id),
            pc.fill_null(pc.equal(rows.column("item_id"), item_id), False),
        )
        gone = rows.filter(hit)
        if len(gone):
            self._db.execute("DELETE FROM segment WHERE name = ?", (part.name,))
            left = rows.filter(pc.invert(hit))
            if len(left):
                self._name_segment(write_segment(self._folder, left, replaces=part.name))
        return gone

    @property
    def logical_time(self) -> bool:
        """Whether times are only an order (the data had none), not moments of a calendar."""
        with self._guard:
            return self._meta("logical_time", "0") == "1"

    @logical_time.setter
    def logical_time(self, value: bool) -> None:
        """Remember it; on the disk on return."""
        with self._transaction("IMMEDIATE", "write settings of the log"):
            self._set_meta(logical_time=int(value))

    def _known(self, ids: pa.ChunkedArray) -> Bool[np.ndarray, "row"]:
        """Which ids the log already has, in SQLite or in a segment."""
        lanes = string_lanes(ids)
        known = np.zeros(len(ids), dtype=bool)
        names = [name for (name,) in self._db.execute("SELECT name FROM id_run ORDER BY number")]
        self._runs = {
            name: self._runs[name] if name in self._runs else read_run(self._folder, name) for name in names
        }
        for run in self._runs.values():
            known |= known_in(run, lanes)
        if len(ids) >= BULK_ROWS:
            tail = pa.array([name for (name,) in self._db.execute("SELECT event_id FROM event")], pa.string())
            return known | pc.is_in(ids, value_set=tail).to_numpy(zero_copy_only=False)
        texts = ids.to_pylist()
        there: set[str] = set()
        for start in range(0, len(texts), 500):
            part = texts[start : start + 500]
            marks = ", ".join("?" * len(part))
            there.update(
                name
                for (name,) in self._db.execute(
                    f"SELECT event_id FROM event WHERE event_id IN ({marks})",  # noqa: S608 - only marks
                    part,
                )
            )
        if there:
            known |= np.fromiter((text in there for text in texts), dtype=bool, count=len(texts))
        return known

    def _add_segments(self, rows: pa.Table) -> None:
        """Write rows sorted by time as segments, with their ids, and name them in the manifest."""
        for start, end in day_cuts(rows.column("at").to_numpy()):
            self._name_segment(write_segment(self._folder, rows.slice(start, end - start)))
        self._add_run(string_lanes(rows.column("event_id")))

    def _name_segment(self, part: Segment) -> None:
        """Make a written segment part of the log."""
        values = (part.name, part.rows, part.first_at, part.last_at, part.first_sequence, part.last_sequence)
        self._db.execute(
            "INSERT INTO segment VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (*values, *map(str, part.lane_sums))
        )

    def _add_run(self, lanes: UInt64[np.ndarray, "2 row"]) -> None:
        runs = self._db.execute("SELECT number, name, rows FROM id_run ORDER BY number").fetchall()
        merge = max(runs_to_merge([*(size for _, _, size in runs), lanes.shape[1]]) - 1, 0)
        merged = runs[len(runs) - merge :]
        lanes = np.concatenate([*(read_run(self._folder, name) for _, name, _ in merged), lanes], axis=1)
        self._db.executemany("DELETE FROM id_run WHERE number = ?", [(number,) for number, _, _ in merged])
        cursor = self._db.execute("INSERT INTO id_run (name, rows) VALUES ('', ?)", (lanes.shape[1],))
        name = f"ids-{cursor.lastrowid}.npy"
        write_run(self._folder, name, lanes)
        self._db.execute("UPDATE id_run SET name = ? WHERE number = ?", (name, cursor.lastrowid))

    def _sweep(self) -> None:
        """Remove files no manifest names. Holding the write transaction, nobody else makes any."""
        sweep_scratch(self._folder)
        named = {
            name for (name,) in self._db.execute("SELECT name FROM segment UNION SELECT name FROM id_run")
        }
        for pattern in ("*.parquet", "ids-*.npy"):
            for path in self._folder.glob(pattern):
                if path.name not in named and not path.name.startswith("."):
                    path.unlink(missing_ok=True)

    def _segments(self, before: int | None = None) -> list[Segment]:
        found = self._db.execute("SELECT * FROM segment ORDER BY first_at, first_sequence").fetchall()
        segments = [Segment(*values, lane_sums=(int(sum_a), int(sum_b))) for *values, sum_a, sum_b in found]
        return [part for part in segments if before is None or part.first_at < before]

    def _tail(self, where: str, *values: int | str) -> pa.Table:
        query = f"SELECT {', '.join(COLUMNS)} FROM event WHERE {where} ORDER BY at, sequence"  # noqa: S608 - our own words
        return arrow_rows(self._db.execute(query, values).fetchall())

    def _sums(self) -> tuple[int, int]:
        return int(self._meta("sum_a", "0")), int(self._meta("sum_b", "0"))

    def _meta(self, key: str, default: str) -> str:
        with self._translated("read"):
            found = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return default if found is None else found[0]

    def _set_meta(self, **values: int) -> None:
        rows = [(key, str(value)) for key, value in values.items()]
        self._db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", rows)

    @contextmanager
    def _transaction(self, kind: str, doing: str) -> Iterator[None]:
        """One transaction: a snapshot for reads, all or nothing for writes."""
        with self._guard, self._translated(doing):
            self._db.execute(f"BEGIN {kind}")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:  # an interrupt must not leave the transaction open either
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    @contextmanager
    def _translated(self, doing: str) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            if "locked" in str(error) or "busy" in str(error):
                raise BusyError(
                    f"{self._path}: another process has been writing for over {BUSY_TIMEOUT_S:.0f} s; "
                    "wait until it ends and try again"
                ) from error
            raise storage_error(self._path, doing, error) from error
        except sqlite3.DatabaseError as error:
            raise StorageError(
                f"{self._path}: could not {doing}: {error}; the file is damaged: restore it from a copy"
            ) from error


def _events(parts: list[pa.Table]) -> Events:
    rows = in_order(pa.concat_tables([STORED_SCHEMA.empty_table(), *parts]))
    return Events(rows.select(EVENT_SCHEMA.names).combine_chunks())
