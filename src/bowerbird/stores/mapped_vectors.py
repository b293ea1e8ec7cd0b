"""Vectors as a file that every process of a machine maps: many workers, one copy in memory.

A signal's table has a row per entity that has a vector; requests want a row per item of the catalogue. The
first process to load a release writes that matrix beside the caches, the others map it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bowerbird.records import SignalCard, Vectors, Vocabulary
from bowerbird.stores.atomic import publish, scratch_path, storage_errors
from bowerbird.stores.layout import Layout

FOLDER = "mapped"
"""In the cache: safe to delete; a process that has a file mapped keeps it."""
LEAST_BYTES = 16 * 2**20
"""Smaller matrices are not worth a file."""


def mapped_vectors(layout: Layout, card: SignalCard, ids: Vocabulary, read: Callable[[], Vectors]) -> Vectors:
    """The vectors of a signal in the order of a vocabulary, from a mapped file.

    Args:
        layout: the workspace.
        card: the signal's live card.
        ids: whose vectors, in which order.
        read: reads them from the store, where there is no file yet.

    Raises:
        StorageError: the file cannot be written or read.
    """
    space = card.space
    if space is None or len(ids) * space.dim * np.dtype(np.float32).itemsize < LEAST_BYTES:
        return read()
    digest = hashlib.blake2b(f"{card.version} {space.key}\n".encode(), digest_size=12)
    digest.update("\n".join(ids.ids).encode())
    folder = layout.cache / FOLDER
    stem = f"{card.name}.{digest.hexdigest()}"
    matrix, present = folder / f"{stem}.matrix.npy", folder / f"{stem}.present.npy"
    if not (matrix.exists() and present.exists()):
        vectors = read()
        with storage_errors(folder, "keep vectors for other processes", vectors.matrix.nbytes):
            folder.mkdir(parents=True, exist_ok=True)
            _write(present, vectors.present)
            _write(matrix, vectors.matrix)
            for old in folder.glob(f"{card.name}.*.npy"):
                if old not in (matrix, present):
                    old.unlink(missing_ok=True)
    with storage_errors(folder, "read mapped vectors"):
        values = np.load(matrix, mmap_mode="r", allow_pickle=False)
        return Vectors(space, np.asarray(values), np.load(present, allow_pickle=False))


def _write(target: Path, array: np.ndarray) -> None:
    scratch = scratch_path(target)
    try:
        with scratch.open("wb") as file:
            np.save(file, array, allow_pickle=False)
        publish(scratch, target)
    finally:
        scratch.unlink(missing_ok=True)
