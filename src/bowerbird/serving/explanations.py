"""The newest slates, kept so that they can be explained."""

from __future__ import annotations

import logging
import sqlite3
import threading
import zlib
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, runtime_checkable

import orjson

from bowerbird.errors import NotFoundError, StorageError
from bowerbird.records.slate import Slate
from bowerbird.serving.replies import ItemCards, slate_reply

log = logging.getLogger(__name__)

CLEARED_EVERY = 200
"""Slates kept between two looks for old ones."""


@runtime_checkable
class Explanations(Protocol):
    """Where slates are kept."""

    def keep(self, slate: Slate, cards: ItemCards) -> None:
        """Keep a slate with the items of the release whose rows it speaks of."""
        ...

    def find(self, request_id: str) -> bytes:
        """A kept slate with everything that explains it, as JSON.

        Raises:
            NotFoundError: it was never made here, or has left since.
        """
        ...

    def clear(self) -> None:
        """Let go of everything, and with it of older releases and of who was forgotten."""
        ...


class KeptSlates:
    """The newest slates of one process by request id; the oldest leaves when there are too many.

    Args:
        most: how many are kept.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._guard = threading.Lock()
        self._slates: OrderedDict[str, tuple[Slate, ItemCards]] = OrderedDict()

    def keep(self, slate: Slate, cards: ItemCards) -> None:
        """Keep a slate."""
        with self._guard:
            self._slates.pop(slate.request_id, None)
            self._slates[slate.request_id] = (slate, cards)
            while len(self._slates) > self._most:
                self._slates.popitem(last=False)

    def find(self, request_id: str) -> bytes:
        """A kept slate as JSON."""
        with self._guard:
            found = self._slates.get(request_id)
        if found is None:
            raise _unknown(request_id, self._most)
        return orjson.dumps(slate_reply(*found, explain=True))

    def clear(self) -> None:
        """Let go of everything."""
        with self._guard:
            self._slates.clear()


class SharedSlates:
    """The newest slates of all workers of a machine, in a file: any worker explains what any worker answered.

    The file is a convenience, not a record: it is not flushed, and a new server begins with an empty one.

    Args:
        path: the file; its folder exists.
        most: how many are kept.

    Raises:
        StorageError: the file cannot be opened.
    """

    def __init__(self, path: Path, most: int) -> None:
        self._path, self._most = path, most
        self._guard = threading.Lock()
        self._kept = 0
        with self._translated():
            self._db = sqlite3.connect(path, timeout=5.0, isolation_level=None, check_same_thread=False)
            for statement in (
                "PRAGMA journal_mode=WAL",
                "PRAGMA synchronous=OFF",
                "PRAGMA secure_delete=ON",
                "CREATE TABLE IF NOT EXISTS slate (number INTEGER PRIMARY KEY, request_id TEXT UNIQUE, reply BLOB)",
            ):
                self._db.execute(statement)

    def keep(self, slate: Slate, cards: ItemCards) -> None:
        """Keep a slate; one that cannot be written is not explained, its answer is given all the same."""
        reply = zlib.compress(orjson.dumps(slate_reply(slate, cards, explain=True)), 1)
        with self._guard:
            try:
                self._db.execute(
                    "INSERT OR REPLACE INTO slate (request_id, reply) VALUES (?, ?)",
                    (slate.request_id, reply),
                )
                self._kept += 1
                if self._kept % CLEARED_EVERY == 0:
                    newest = self._db.execute("SELECT max(number) FROM slate").fetchone()[0] or 0
                    self._db.execute("DELETE FROM slate WHERE number <= ?", (newest - self._most,))
            except sqlite3.OperationalError as error:
                log.warning("a slate cannot be explained later", extra={"why": type(error).__name__})

    def find(self, request_id: str) -> bytes:
        """A kept slate as JSON."""
        with self._guard, self._translated():
            row = self._db.execute("SELECT reply FROM slate WHERE request_id = ?", (request_id,)).fetchone()
        if row is None:
            raise _unknown(request_id, self._most)
        return zlib.decompress(row[0])

    def clear(self) -> None:
        """Let go of everything, also in the write-ahead log."""
        with self._guard, self._translated():
            self._db.execute("DELETE FROM slate")
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StorageError(
                f"{self._path}: slates cannot be kept there ({error}); remove the file, a server makes it anew"
            ) from error


def _unknown(request_id: str, most: int) -> NotFoundError:
    return NotFoundError(
        f"request {request_id[:64]!r} is not among the newest {most:,} slates of this server; ask again"
    )
