"""Vectors by content hash, so that nothing is encoded twice and a killed encode goes on where it was."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from jaxtyping import Float32

from bowerbird.errors import InputError, StorageError
from bowerbird.records import Space, Vectors
from bowerbird.stores.atomic import publish, scratch_path, storage_errors, sweep_scratch
from bowerbird.stores.id_runs import runs_to_merge
from bowerbird.stores.layout import Layout
from bowerbird.stores.vector_columns import column_of, matrix_of


def checked_vectors(space: Space, hashes: Sequence[str], matrix: Float32[np.ndarray, "row dim"]) -> None:
    """Refuse vectors that do not fit the space or the hashes, or are not finite.

    Raises:
        InputError: the shapes disagree, or a value is not finite.
    """
    if matrix.shape != (len(hashes), space.dim):
        raise InputError(
            f"vector cache {space.key!r}: vectors of shape {matrix.shape}, expected {(len(hashes), space.dim)}"
        )
    if not np.isfinite(matrix).all():
        bad = int(np.flatnonzero(~np.isfinite(matrix).all(axis=1))[0])
        raise InputError(
            f"vector cache {space.key!r}: the vector of {hashes[bad]!r} is not finite; encode it again"
        )


class VectorCache:
    """Vectors of one space on disk, keyed by the hash of what was encoded.

    Each append writes one Arrow file whose name is the hash of its keys; small files are merged into
    larger ones, each over twice the next one's size. A vector in two files (a merge was killed) is the
    same vector, so there is nothing to repair. Appends need the workspace's lock; reads do not.

    Args:
        layout: the workspace; its folders exist.
        space: where the vectors live; another version of an encoder has another cache.
    """

    def __init__(self, layout: Layout, space: Space) -> None:
        self.space = space
        key = hashlib.blake2b(space.key.encode(), digest_size=8).hexdigest()
        name = "".join(letter if letter.isalnum() or letter in "-." else "_" for letter in space.name)
        self._folder = layout.cache / "vectors" / f"{name}-{key}"
        self._guard = threading.RLock()
        self._files: dict[str, Float32[np.ndarray, "row dim"]] = {}
        self._place: dict[str, tuple[str, int]] = {}
        with storage_errors(self._folder, "open the vector cache"):
            self._folder.mkdir(parents=True, exist_ok=True)

    def __len__(self) -> int:
        with self._guard:
            self._refresh()
            return len(self._place)

    def missing(self, hashes: Sequence[str]) -> list[str]:
        """The hashes that have no vector yet, each once, in order."""
        with self._guard:
            self._refresh()
            return [name for name in dict.fromkeys(hashes) if name not in self._place]

    def append(self, hashes: Sequence[str], matrix: Float32[np.ndarray, "row dim"]) -> None:
        """Keep vectors; on return they are on the disk.

        Args:
            hashes: what was encoded; those already cached keep their vector.
            matrix: one row per hash.

        Raises:
            InputError: the shapes disagree, or a value is not finite.
            StorageError: the system refused; the cache is as it was.
        """
        checked_vectors(self.space, hashes, matrix)
        with self._guard:
            self._refresh()
            first = {name: row for row, name in reversed(list(enumerate(hashes))) if name not in self._place}
            rows = sorted(first.values())
            if rows:
                self._write([hashes[row] for row in rows], matrix[rows])
                self._refresh()
                self._merge_small()

    def get(self, hashes: Sequence[str]) -> Vectors:
        """The vectors of some hashes, one row each; rows are absent where nothing is cached."""
        with self._guard:
            self._refresh()
            matrix = np.zeros((len(hashes), self.space.dim), dtype=np.float32)
            present = np.zeros(len(hashes), dtype=bool)
            wanted: dict[str, list[tuple[int, int]]] = {}
            for row, name in enumerate(hashes):
                place = self._place.get(name)
                if place is not None:
                    wanted.setdefault(place[0], []).append((row, place[1]))
            for name, pairs in wanted.items():
                rows, places = np.array(pairs, dtype=np.int64).T
                matrix[rows] = self._files[name][places]
                present[rows] = True
        return Vectors(self.space, matrix, present)

    def _refresh(self) -> None:
        """Open files that are new since the last call, forget those that were merged away."""
        with storage_errors(self._folder, "read the vector cache"):
            there = sorted(
                path.name for path in self._folder.glob("*.arrow") if not path.name.startswith(".")
            )
        if set(there) == set(self._files):
            return
        for name in there:
            if name not in self._files:
                self._load(name)
        for name in set(self._files) - set(there):
            del self._files[name]
        self._place = {key: place for key, place in self._place.items() if place[0] in self._files}

    def _load(self, name: str) -> None:
        path = self._folder / name
        try:
            with pa.memory_map(str(path)) as source:
                table = pa.ipc.open_file(source).read_all()
        except (OSError, pa.ArrowException) as error:
            raise StorageError(
                f"{path}: cached vectors cannot be read: {error}; delete the file and build again"
            ) from error
        self._files[name] = matrix_of(table.column("vector"))
        for row, key in enumerate(table.column("hash").to_pylist()):
            self._place[key] = (name, row)

    def _write(self, hashes: list[str], matrix: Float32[np.ndarray, "row dim"]) -> str:
        name = hashlib.blake2b("\n".join(hashes).encode(), digest_size=16).hexdigest() + ".arrow"
        table = pa.table({"hash": pa.array(hashes, pa.string()), "vector": column_of(matrix)})
        target = self._folder / name
        scratch = scratch_path(target)
        with storage_errors(target, "write cached vectors", table.nbytes):
            try:
                with pa.OSFile(str(scratch), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
                    writer.write_table(table.combine_chunks())
                publish(scratch, target)
            finally:
                scratch.unlink(missing_ok=True)
        return name

    def _merge_small(self) -> None:
        ordered = sorted(self._files, key=lambda name: (-len(self._files[name]), name))
        count = runs_to_merge([len(self._files[name]) for name in ordered])
        old = ordered[len(ordered) - count :]
        keys = [key for key, place in self._place.items() if place[0] in old]
        if count < 2:
            return
        sweep_scratch(self._folder)
        merged = self._write(keys, self.get(keys).matrix)
        for name in old:
            if name != merged:
                (self._folder / name).unlink(missing_ok=True)
        self._refresh()
