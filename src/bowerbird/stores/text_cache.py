"""Texts by content hash, so that what was read of a picture is not read twice."""

from __future__ import annotations

import sqlite3
import threading
import weakref
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from bowerbird.errors import InputError
from bowerbird.stores.atomic import storage_error, storage_errors
from bowerbird.stores.layout import Layout

__all__ = ["TextCache"]


class TextCache:
    """Texts one producer made of things, keyed by the hash of the thing. Safe to use from several threads.

    Args:
        layout: the workspace; its folders exist.
        producer: name and version of what made them; another version has another cache.

    Raises:
        InputError: the name is not made of letters, digits, ``.``, ``-`` and ``_``.
    """

    def __init__(self, layout: Layout, producer: str) -> None:
        if not producer or not all(letter.isalnum() or letter in ".-_" for letter in producer):
            raise InputError(f"text cache {producer!r}: expected a name of letters, digits, '.', '-' and '_'")
        folder = layout.cache / "texts"
        self._path = folder / f"{producer}.sqlite"
        self._guard = threading.Lock()
        with storage_errors(self._path, "open the text cache"):
            folder.mkdir(parents=True, exist_ok=True)
        with self._translated("open the text cache"):
            self._db = sqlite3.connect(self._path, check_same_thread=False)
            self._closed = weakref.finalize(self, self._db.close)
            self._db.execute("PRAGMA secure_delete=ON")
            self._db.execute(
                "CREATE TABLE IF NOT EXISTS made (hash TEXT PRIMARY KEY, text TEXT) WITHOUT ROWID"
            )

    def close(self) -> None:
        """Let go of the file."""
        self._closed()

    def get(self, hashes: Iterable[str]) -> dict[str, str]:
        """The texts of some hashes; those not cached are left out."""
        found: dict[str, str] = {}
        with self._translated("read cached texts"):
            for name in dict.fromkeys(hashes):
                row = self._db.execute("SELECT text FROM made WHERE hash = ?", [name]).fetchone()
                if row is not None:
                    found[name] = row[0]
        return found

    def put(self, texts: Mapping[str, str]) -> None:
        """Keep texts; on return they are on the disk."""
        with self._translated("write cached texts"), self._db:
            self._db.executemany("INSERT OR REPLACE INTO made VALUES (?, ?)", texts.items())

    def forget(self, hashes: Iterable[str]) -> int:
        """Remove texts; how many there were."""
        with self._translated("forget cached texts"), self._db:
            return sum(
                self._db.execute("DELETE FROM made WHERE hash = ?", [name]).rowcount for name in hashes
            )

    @contextmanager
    def _translated(self, doing: str) -> Iterator[None]:
        try:
            with self._guard:
                yield
        except sqlite3.Error as error:
            raise storage_error(self._path, doing, error) from error
