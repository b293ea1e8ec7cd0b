"""The embedded online state: one SQLite file that any number of processes of a machine share."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from bowerbird.errors import StorageError
from bowerbird.records import Events
from bowerbird.stores.atomic import storage_error
from bowerbird.stores.online_state import KEPT, as_events, kept_columns, tallied, tally_table

_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS step (event_id TEXT PRIMARY KEY, at INTEGER NOT NULL, user_id TEXT NOT NULL,
    item_id TEXT, action TEXT NOT NULL, query TEXT) WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS of_user ON step (user_id, at)",
    "CREATE INDEX IF NOT EXISTS of_item ON step (item_id)",
    """CREATE TABLE IF NOT EXISTS tally (item_id TEXT, hour INTEGER, action TEXT, events INTEGER NOT NULL,
    PRIMARY KEY (item_id, hour, action)) WITHOUT ROWID""",
    "CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
)
_COLUMNS = ", ".join(KEPT)
_ADD_TALLY = (
    "INSERT INTO tally VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET events = events + excluded.events"
)


class SqliteOnlineState:
    """Online state in a file. Events and position move in one transaction, so a kill leaves no half of either.

    A transaction is not flushed at once (``synchronous=NORMAL``): after a loss of power the state is an
    older one with its older position, and the consumer carries on from there.

    Args:
        path: the file; its folder exists.

    Raises:
        StorageError: the file is damaged or may not be opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._guard = threading.RLock()
        try:
            self._db = sqlite3.connect(path, timeout=60.0, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.execute("PRAGMA secure_delete=ON")
            for statement in _SCHEMA:
                self._db.execute(statement)
        except sqlite3.Error as error:
            raise StorageError(
                f"{path}: not an online state ({error}); remove it, it is made again from the log"
            ) from error

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    @property
    def position(self) -> str:
        """How far the stream was consumed."""
        return self._meta("position", "")

    @property
    def newest(self) -> int:
        """Time of the newest event."""
        return int(self._meta("newest", "0"))

    def apply(self, events: Events, position: str) -> int:
        """Take events whose id is new and move the position, in one transaction."""
        with self._transaction():
            table = kept_columns(events, int(self._meta("floor", "0")))
            rows = list(zip(*(table.column(name).to_pylist() for name in KEPT), strict=True))
            known = self._known([row[0] for row in rows])
            new = [row for row in rows if row[0] not in known]
            self._db.executemany(f"INSERT INTO step ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)", new)  # noqa: S608 - our words
            self._db.executemany(_ADD_TALLY, [(*key, count) for key, count in tallied(new).items()])
            newest = int(events.at[-1]) if len(events) else 0
            if position:
                self._set(position=position)
            self._set(newest=max(newest, int(self._meta("newest", "0"))))
        return len(new)

    def person(self, user_id: str) -> Events:
        """A person's steps."""
        return self._events("user_id = ?", user_id)

    def tallies(self) -> pa.Table:
        """Events per item, hour and action."""
        with self._guard:
            rows = self._db.execute("SELECT item_id, hour, action, events FROM tally").fetchall()
        return tally_table({(item, hour, action): count for item, hour, action, count in rows})

    def steps(self) -> Events:
        """Everybody's steps."""
        return self._events("1")

    def trim(self, before: int) -> int:
        """Forget what lies before a time."""
        with self._transaction():
            self._set(floor=max(before, int(self._meta("floor", "0"))))
            return self._remove("at < ?", before)

    def forget(self, *, user_id: str | None = None, item_id: str | None = None) -> int:
        """Remove a person or an item; the bytes are overwritten, also in the write-ahead log."""
        with self._transaction():
            gone = self._remove("user_id = ?", user_id) if user_id is not None else 0
            gone += self._remove("item_id = ?", item_id) if item_id is not None else 0
        with self._guard:
            self._db.execute("VACUUM")
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return gone

    def _remove(self, where: str, value: str | int) -> int:
        rows = self._db.execute(f"SELECT {_COLUMNS} FROM step WHERE {where}", (value,)).fetchall()  # noqa: S608 - our words
        self._db.execute(f"DELETE FROM step WHERE {where}", (value,))  # noqa: S608 - our words
        self._db.executemany(_ADD_TALLY, [(*key, -count) for key, count in tallied(rows).items()])
        self._db.execute("DELETE FROM tally WHERE events <= 0")
        return len(rows)

    def _known(self, ids: list[str]) -> set[str]:
        found: set[str] = set()
        for start in range(0, len(ids), 500):
            part = ids[start : start + 500]
            marks = ", ".join("?" * len(part))
            query = f"SELECT event_id FROM step WHERE event_id IN ({marks})"  # noqa: S608 - only marks
            found.update(name for (name,) in self._db.execute(query, part))
        return found

    def _events(self, where: str, *values: str) -> Events:
        with self._guard:
            rows = self._db.execute(f"SELECT {_COLUMNS} FROM step WHERE {where}", values).fetchall()  # noqa: S608 - our words
        return as_events(rows)

    def _meta(self, key: str, default: str) -> str:
        with self._guard:
            found = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return default if found is None else found[0]

    def _set(self, **values: str | int) -> None:
        rows = [(key, str(value)) for key, value in values.items()]
        self._db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", rows)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._guard:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                yield
                self._db.execute("COMMIT")
            except sqlite3.Error as error:
                raise storage_error(self._path, "write the online state", error) from error
            finally:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
