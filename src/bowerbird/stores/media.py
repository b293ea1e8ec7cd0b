"""Pictures and other bytes by content hash, in append-only pack files."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import threading
import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bowerbird.errors import BusyError, InputError, NotFoundError, StorageError
from bowerbird.stores.atomic import storage_error, storage_errors
from bowerbird.stores.layout import Layout

PACK_BYTES = 256 * 2**20
"""A pack is closed when it has grown to this size."""

BUSY_TIMEOUT_S = 60.0
"""How long a writer waits for another one to finish."""

BATCH_BYTES = 64 * 2**20
"""``put_many`` makes its work durable at least this often."""


def content_name(data: bytes) -> str:
    """The name bytes are kept under: blake2b of 16 bytes, in hex.

    Example:
        >>> content_name(b"")
        'cae66941d9efbd404e4d88758ea67670'
    """
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def checked_content_name(name: str) -> str:
    """The name, if it is one :func:`content_name` can give.

    Raises:
        InputError: it is not 32 hexadecimal digits.
    """
    if len(name) != 32 or not set(name) <= set("0123456789abcdef"):
        raise InputError(f"media {name!r} is not a content hash; expected 32 hexadecimal digits")
    return name


class LocalMedia:
    """Bytes by content hash: the same picture is kept once, whoever brings it.

    Packs (``media/000001.pack``) only grow; a SQLite index says where in which pack a hash lies. The
    index is committed after the pack is flushed, so a killed writer leaves bytes nobody points to and
    nothing else. Safe to use from several threads and processes.

    Args:
        layout: the workspace; its folders exist.
    """

    def __init__(self, layout: Layout) -> None:
        self._folder = layout.media
        self._path = self._folder / "index.sqlite"
        self._guard = threading.RLock()
        with storage_errors(self._folder, "open the media store"):
            self._folder.mkdir(parents=True, exist_ok=True)
        with self._translated("open the media store"):
            self._db = sqlite3.connect(
                self._path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
            )
            self._closed = weakref.finalize(self, self._db.close)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.execute(
                "CREATE TABLE IF NOT EXISTS blob"
                " (hash BLOB PRIMARY KEY, pack INTEGER, start INTEGER, length INTEGER) WITHOUT ROWID"
            )

    def close(self) -> None:
        """Let go of the files. Anything put is already safe."""
        self._closed()

    def put(self, data: bytes) -> str:
        """Keep bytes; returns their hash. Putting the same bytes again changes nothing.

        Raises:
            StorageError: the system refused; the store is as it was.
        """
        return self.put_many([data])[0]

    def put_many(self, blobs: Iterable[bytes]) -> list[str]:
        """Keep many blobs; returns their hashes, in order.

        Work is made durable every :data:`BATCH_BYTES`, so a killed import need not begin again.

        Raises:
            StorageError: the system refused; finished batches are kept.
        """
        names: list[str] = []
        batch: dict[str, bytes] = {}
        size = 0
        for data in blobs:
            name = content_name(data)
            names.append(name)
            if name not in batch:
                batch[name] = data
                size += len(data)
            if size >= BATCH_BYTES or len(batch) >= 4096:
                self._write(batch)
                batch, size = {}, 0
        self._write(batch)
        return names

    def get(self, name: str) -> bytes:
        """The bytes of a hash, checked against it.

        Raises:
            NotFoundError: the hash is not in the store.
            StorageError: the pack is damaged.
        """
        found = self._find(name)
        if found is None:
            raise NotFoundError(f"media {name!r} is not in {self._folder}; import the picture again")
        pack, start, length = found
        path = self._pack(pack)
        with storage_errors(path, "read"), path.open("rb") as file:
            data = os.pread(file.fileno(), length, start)
        if content_name(data) != name:
            raise StorageError(f"{path}: the bytes of {name} are damaged; restore the file from a copy")
        return data

    def forget(self, names: Iterable[str]) -> int:
        """Remove blobs: their bytes are overwritten with zeros where they lie. Returns how many are gone.

        Raises:
            StorageError: the system refused.
        """
        gone = 0
        with self._guard, self._translated("forget"):
            for name in names:
                found = self._find(name)
                if found is None:
                    continue
                pack, start, length = found
                with storage_errors(self._pack(pack), "overwrite"), self._pack(pack).open("r+b") as file:
                    os.pwrite(file.fileno(), bytes(length), start)
                    os.fsync(file.fileno())
                self._db.execute("DELETE FROM blob WHERE hash = ?", (bytes.fromhex(name),))
                gone += 1
        return gone

    def has(self, name: str) -> bool:
        """Whether the store has the bytes of a hash."""
        return self._find(name) is not None

    def __len__(self) -> int:
        with self._guard, self._translated("count"):
            return self._db.execute("SELECT count(*) FROM blob").fetchone()[0]

    def _find(self, name: str) -> tuple[int, int, int] | None:
        key = bytes.fromhex(checked_content_name(name))
        with self._guard, self._translated("read"):
            return self._db.execute("SELECT pack, start, length FROM blob WHERE hash = ?", (key,)).fetchone()

    def _pack(self, number: int) -> Path:
        return self._folder / f"{number:06d}.pack"

    def _write(self, batch: dict[str, bytes]) -> None:
        """Append the blobs that are not known yet, flush, then commit where they lie."""
        with self._guard, self._translated("write"):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                new = {name: data for name, data in batch.items() if self._find(name) is None}
                if new:
                    rows = self._append(new)
                    self._db.executemany("INSERT INTO blob VALUES (?, ?, ?, ?)", rows)
                self._db.execute("COMMIT")
            except BaseException:  # an interrupt must not leave the transaction open either
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def _append(self, new: dict[str, bytes]) -> list[tuple[bytes, int, int, int]]:
        number = self._db.execute("SELECT coalesce(max(pack), 1) FROM blob").fetchone()[0]
        if self._pack(number).exists() and self._pack(number).stat().st_size >= PACK_BYTES:
            number += 1
        path = self._pack(number)
        rows = []
        with storage_errors(path, "write", sum(map(len, new.values()))), path.open("ab") as file:
            before = start = file.tell()
            try:
                for name, data in new.items():
                    file.write(data)
                    rows.append((bytes.fromhex(name), number, start, len(data)))
                    start += len(data)
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                os.ftruncate(file.fileno(), before)  # give the space back; nobody points there
                raise
        return rows

    @contextmanager
    def _translated(self, doing: str) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise BusyError(
                    f"{self._path}: another process is writing; wait until it ends and try again"
                ) from error
            raise storage_error(self._path, doing, error) from error
        except sqlite3.DatabaseError as error:
            raise StorageError(
                f"{self._path}: could not {doing}: {error}; the file is damaged: restore it from a copy"
            ) from error
