"""What an earlier build made of people whose inputs are the same, so that a build redoes only the others.

Beside a signal of people stands a file with one 64-bit hash per person: of who they are and of everything the signal
reads of them. What all of them share (the space of the items, settings, popularity) has a hash of its own. A person
whose hash is known keeps their rows. Nothing here is trusted further than that: without the file, with another version
of it or with another world, everybody is redone, to the same bytes.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Float32, UInt64

from bowerbird.records.history import History
from bowerbird.records.signal import Space
from bowerbird.stores.atomic import write_atomically
from bowerbird.workspace.workbench import Workbench

__all__ = ["FOLDER", "KeptPeople", "each_person", "person_key"]

FOLDER = "people"
"""Folder in the workspace's ``state``; forgetting removes it whole."""


def person_key(user_id: str, histories: Iterable[History]) -> int:
    """The hash of a person and of what is read of them.

    Example:
        >>> person_key("u", [History.empty()]) == person_key("u", []), person_key("u", []) == person_key("v", [])
        (False, False)
    """
    digest = hashlib.blake2b(user_id.encode(), digest_size=8)
    for one in histories:
        digest.update(len(one).to_bytes(8, "little"))
        for array in (one.rows, one.at, one.actions):
            digest.update(np.ascontiguousarray(array).tobytes())
    return int.from_bytes(digest.digest(), "little")


class KeptPeople:
    """The people of one signal: who must be redone, and where the rows of the others are.

    Args:
        bench: the build.
        signal: the signal that is made.
        world: what everybody's value depends on, as text: the revision of the code, settings, what is read of items.
        keys: :func:`person_key` of everybody.
    """

    def __init__(self, bench: Workbench, signal: str, world: str, keys: Sequence[int]) -> None:
        self._bench, self._signal = bench, signal
        self._world = _number(world)
        self._keys: UInt64[np.ndarray, "person"] = np.array(keys, dtype=np.uint64)
        self._path = bench.made_in.state / FOLDER / f"{signal}.npy"
        self.redo: Bool[np.ndarray, "person"] = ~np.isin(self._keys, self._known())
        """Who must be redone."""
        bench.redone[signal] = (int(self.redo.sum()), len(keys))

    def _known(self) -> UInt64[np.ndarray, "known"]:
        card = self._bench.signals.card(self._signal)
        if card is None or not self._path.exists():
            return np.empty(0, np.uint64)
        held = np.load(self._path, allow_pickle=False)
        fits = len(held) >= 2 and held[0] == self._world and held[1] == _number(card.version)
        return held[2:] if fits else np.empty(0, np.uint64)

    def vectors(self, space: Space) -> tuple[Float32[np.ndarray, "person dim"], Bool[np.ndarray, "person"]]:
        """The vectors of everybody kept, and who of them has one; zeros and False for everybody to be redone."""
        people = self._bench.people
        if self.redo.all():
            return np.zeros((len(people), space.dim), dtype=np.float32), np.zeros(len(people), dtype=bool)
        before = self._bench.signals.vectors(self._signal, people, space)
        matrix, present = before.matrix, before.present
        matrix[self.redo], present[self.redo] = 0.0, False
        return matrix, present

    def table(self, made: pa.Table, key: str = "user_id") -> pa.Table:
        """What was made of the people redone, with the kept rows of the others, in the order of people."""
        if self.redo.all():
            return made
        people = self._bench.people
        names = pa.array(people.names(np.flatnonzero(~self.redo).tolist()), pa.string())
        before = self._bench.signals.table(self._signal).select(made.column_names).cast(made.schema)
        kept = before.filter(pc.is_in(before.column(key), value_set=names))
        both = pa.concat_tables([kept, made])
        order = np.argsort(people.rows(both.column(key).to_pylist()), kind="stable")
        return both.take(order).combine_chunks()

    def written(self, version: str) -> None:
        """Note whom the signal of a version, now live, was made of."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        head = np.array([self._world, _number(version)], dtype=np.uint64)
        write_atomically(self._path, _bytes(np.concatenate([head, self._keys])))


def each_person(
    bench: Workbench, redo: Bool[np.ndarray, "person"], doing: str, make: Callable[[int, str], None]
) -> None:
    """Call ``make(row, user_id)`` for everybody to be redone, with progress."""
    rows = np.flatnonzero(redo).tolist()
    bench.progress.start(doing, len(rows), "people")
    for row in rows:
        make(row, bench.people.id(row))
        bench.progress.advance()
    bench.progress.finish()


def _number(text: str) -> np.uint64:
    return np.uint64(int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little"))


def _bytes(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()
