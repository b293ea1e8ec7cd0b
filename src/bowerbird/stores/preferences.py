"""What people said about their own interests: muted and deleted ones, in one SQLite file.

A sentence is on the disk when the call returns, and every process that answers reads it at its next request.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bowerbird.errors import InputError, StorageError

RefusalKind = Literal["mute", "delete"]

_TABLE = """
CREATE TABLE IF NOT EXISTS refused (
    user_id TEXT NOT NULL,
    interest TEXT NOT NULL,
    wish TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (user_id, interest)
) WITHOUT ROWID
"""


@dataclass(frozen=True)
class Refusal:
    """One interest a person does not want to be known for."""

    interest: str
    """Path of the category."""
    wish: RefusalKind
    """``mute``: nothing under it is shown. ``delete``: what the person did under it before is not held against them,
    and nothing under it is shown until they act on such an item again."""
    at: int
    """When they said so, microseconds UTC."""


class Preferences:
    """Refused interests by person. Safe for many threads and processes.

    Args:
        path: the file; made when something is written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._guard = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def of(self, user_id: str | None) -> tuple[Refusal, ...]:
        """A person's refusals, by interest; none for nobody.

        Raises:
            StorageError: the file cannot be read.
        """
        if user_id is None or (self._connection is None and not self._path.exists()):
            return ()
        with self._open() as connection:
            rows = connection.execute(
                "SELECT interest, wish, at FROM refused WHERE user_id = ? ORDER BY interest", (user_id,)
            ).fetchall()
        return tuple(Refusal(*row) for row in rows)

    def refuse(self, user_id: str, interest: str, wish: RefusalKind, at: int) -> None:
        """Remember a refusal; a later one of the same interest replaces it.

        Raises:
            InputError: the interest is empty.
            StorageError: the disk refused; nothing was remembered.
        """
        if not interest.strip():
            raise InputError(f"user {user_id!r}: the interest is empty; name a category such as food/bread")
        with self._open() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO refused VALUES (?, ?, ?, ?)", (user_id, interest, wish, at)
            )

    def allow(self, user_id: str, interest: str) -> bool:
        """Take a refusal back; returns whether there was one.

        Raises:
            StorageError: the disk refused.
        """
        with self._open() as connection:
            done = connection.execute(
                "DELETE FROM refused WHERE user_id = ? AND interest = ?", (user_id, interest)
            )
            return done.rowcount > 0

    def forget(self, user_id: str) -> int:
        """Remove everything a person said; returns how much there was.

        Raises:
            StorageError: the disk refused.
        """
        with self._open() as connection:
            gone = connection.execute("DELETE FROM refused WHERE user_id = ?", (user_id,)).rowcount
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()  # nor is it in the journal
        return gone

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            with self._guard:
                if self._connection is None:
                    self._path.parent.mkdir(parents=True, exist_ok=True)
                    connection = sqlite3.connect(
                        self._path, timeout=10.0, isolation_level=None, check_same_thread=False
                    )
                    connection.execute("PRAGMA journal_mode = WAL")
                    connection.execute("PRAGMA secure_delete = ON")
                    connection.execute("PRAGMA synchronous = FULL")  # said is said, even if the power fails
                    connection.execute(_TABLE)
                    self._connection = connection
                yield self._connection
        except (sqlite3.Error, OSError) as error:
            raise StorageError(f"{self._path}: preferences could not be read or written: {error}") from error
