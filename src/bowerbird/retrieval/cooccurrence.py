"""Sequential co-occurrence: what people do next after an item, counted, no training.

On the Amazon 5-core sets this counting model stands above most published neural ones, so it is both
a baseline that every board must carry and a good co-visitation source. Bench and serving use this one
implementation.

Letters: ``i`` and ``j`` are items, ``d`` is the distance in a person's sequence (1 = next event),
``a`` the age of a history event in events (0 = the latest), ``c`` the number of events of an item.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int, Int32
from pydantic import Field
from scipy import sparse

from bowerbird.arrays import top_k
from bowerbird.config import Settings, validated
from bowerbird.errors import InputError, StorageError
from bowerbird.telemetry import require_memory

__all__ = ["CooccurrenceSettings", "SequentialCooccurrence", "decayed_histories"]

PAIR_BYTES = 30
"""Of a pair while the table is made: both directions, their sum, and the damped copy of it."""


class CooccurrenceSettings(Settings):
    """How pairs are counted, damped and recalled. Defaults were chosen on validation data of two sets."""

    window: int = Field(default=10, ge=1, le=1000)
    """Pairs up to this many events apart are counted."""
    distance_power: float = Field(default=0.5, ge=0.0, le=4.0)
    """A pair ``d`` apart weighs ``distance_decay**(d - 1) / d**distance_power``."""
    distance_decay: float = Field(default=1.0, gt=0.0, le=1.0)
    """See ``distance_power``; dense data may prefer decay 0.7 with power 0."""
    backward: float = Field(default=0.5, ge=0.0, le=1.0)
    """Weight of the reverse direction: the table is ``A + backward * A'``."""
    from_damping: float = Field(default=0.5, ge=0.0, le=1.0)
    """Row ``i`` is divided by ``c_i**from_damping``: frequent history items say less."""
    to_damping: float = Field(default=0.25, ge=0.0, le=1.0)
    """Column ``j`` is divided by ``c_j**to_damping``: 0 follows popularity, 0.5 is cosine-like."""
    history_decay: float = Field(default=0.7, gt=0.0, le=1.0)
    """A history event of age ``a`` weighs ``history_decay**a``."""
    history_length: int = Field(default=50, ge=1, le=10_000)
    """Only the latest events of a history are used."""


def decayed_histories(
    users: Int[np.ndarray, " event"],
    items: Int[np.ndarray, " event"],
    shape: tuple[int, int],
    decay: float = 1.0,
    length: int | None = None,
) -> sparse.csr_array:
    """Each user's history as a sparse row of weights ``decay**age``; age 0 is the latest event.

    An item met several times gets the sum of its weights.

    Args:
        users: user row of each event; events of one user stand in order of time.
        items: item row of each event.
        shape: numbers of users and of items.
        decay: weight ratio of one event to the next newer one, in (0, 1].
        length: how many latest events count; all when None.

    Returns:
        float32, users by items.

    Example:
        >>> decayed_histories(np.array([0, 0]), np.array([2, 1]), (1, 3), decay=0.5).toarray().tolist()
        [[0.0, 1.0, 0.5]]
    """
    order = np.argsort(users, kind="stable")
    rows, columns = users[order], items[order]
    ends = np.cumsum(np.bincount(rows, minlength=shape[0]))
    age = ends[rows] - 1 - np.arange(rows.size)
    kept = np.ones(rows.size, dtype=bool) if length is None else age < length
    weight = np.power(decay, age[kept], dtype=np.float32)
    table = sparse.coo_array((weight, (rows[kept], columns[kept])), shape=shape)
    return table.tocsr()


def _require_room(adjacent: int, items_total: int, window: int) -> None:
    """Refuse a window with more pairs than fit: at most so many at each distance as there are neighbours."""
    pairs = min(2.0 * window * adjacent, float(items_total) ** 2)
    advice = f"lower window ({window}), or keep fewer items ({items_total:,})"
    require_memory("sequential co-occurrence", {f"{pairs:,.0f} pairs of items": (PAIR_BYTES * pairs, advice)})


class SequentialCooccurrence:
    """A fitted table of what follows what.

    ``A_ij = sum over sequences, over positions s < t <= s + window with items i, j of w(t - s)``,
    ``w(d) = distance_decay**(d - 1) / d**distance_power``,
    ``S_ij = (A + backward * A')_ij / (c_i**from_damping * c_j**to_damping)``, and a history scores item
    ``j`` with ``sum_a history_decay**a * S[item of age a, j]``.

    Source: the item graph heuristics of Han et al., arXiv 2605.07125, and item-to-item co-visitation;
    the two dampings are ours (they generalise cosine, from = to = 0.5).

    Example:
        >>> people, seen = np.array([0, 0, 0, 1, 1]), np.array([0, 1, 2, 0, 1])
        >>> table = SequentialCooccurrence.fit(people, seen, items_total=3)
        >>> table.neighbours(0, 2)[0].tolist()
        [1, 2]
    """

    def __init__(self, table: sparse.csr_array, settings: CooccurrenceSettings) -> None:
        self.table = table
        self.settings = settings

    @classmethod
    def fit(
        cls,
        users: Int[np.ndarray, " event"],
        items: Int[np.ndarray, " event"],
        *,
        items_total: int,
        settings: CooccurrenceSettings | None = None,
    ) -> SequentialCooccurrence:
        """Count the pairs of all sequences.

        Args:
            users: user row of each event; events of one user stand in order of time.
            items: item row of each event.
            items_total: size of the catalogue, more than every item row.
            settings: the dials; defaults when None.

        Raises:
            InputError: an item row is outside the catalogue.
            TooLargeError: the pairs would not fit into memory.

        Cost: O(events * window) time; memory of the distinct pairs.
        """
        dials = settings or CooccurrenceSettings()
        if items.size and not 0 <= int(items.min()) <= int(items.max()) < items_total:
            raise InputError(
                f"SequentialCooccurrence.fit: item rows {int(items.min())}..{int(items.max())}; "
                f"expected rows in 0..{items_total - 1}"
            )
        order = np.argsort(users, kind="stable")
        people, sequence = users[order], items[order]
        shape = (items_total, items_total)
        forward = sparse.csr_array(shape, dtype=np.float32)
        for distance in range(1, min(dials.window, max(people.size - 1, 0)) + 1):
            same = people[:-distance] == people[distance:]
            if not same.any():
                break  # the longest sequence is shorter than the window
            weight = dials.distance_decay ** (distance - 1) / distance**dials.distance_power
            pairs = (sequence[:-distance][same], sequence[distance:][same])
            weights = np.full(pairs[0].size, weight, dtype=np.float32)
            forward = forward + sparse.coo_array((weights, pairs), shape=shape).tocsr()
            if distance == 1:
                _require_room(forward.nnz, items_total, dials.window)
        events = np.maximum(np.bincount(sequence, minlength=items_total), 1).astype(np.float64)
        both = forward + dials.backward * forward.T
        damped = (
            sparse.diags_array(events**-dials.from_damping)
            @ both
            @ sparse.diags_array(events**-dials.to_damping)
        )
        return cls(sparse.csr_array(damped, dtype=np.float32), dials)

    @property
    def items(self) -> int:
        """Size of the catalogue."""
        return int(self.table.shape[0])

    def neighbours(self, row: int, n: int) -> tuple[Int32[np.ndarray, " n"], Float32[np.ndarray, " n"]]:
        """The items that most follow one item, best first, without the item itself.

        Args:
            row: the item.
            n: how many; fewer come back when fewer follow it.

        Returns:
            Item rows and their scores.

        Raises:
            InputError: the row is outside the catalogue.
        """
        if not 0 <= row < self.items:
            raise InputError(f"neighbours: item row {row}; expected 0..{self.items - 1}")
        start, stop = self.table.indptr[row], self.table.indptr[row + 1]
        columns, scores = self.table.indices[start:stop], self.table.data[start:stop]
        others = (columns != row) & (scores > 0)
        columns, scores = columns[others], scores[others]
        best = top_k(scores, n)
        return columns[best].astype(np.int32), scores[best]

    def scores(self, history: Int[np.ndarray, " event"]) -> Float32[np.ndarray, " item"]:
        """Scores of all items for one history.

        Args:
            history: item rows in order of time, the latest last.
        """
        nobody = np.zeros(history.size, dtype=np.int64)
        return self.score_histories(nobody, history, users_total=1)[0]

    def scores_with_evidence(
        self, history: Int[np.ndarray, " event"]
    ) -> tuple[Float32[np.ndarray, " item"], Int32[np.ndarray, " item"]]:
        """Scores of all items for one history, and which history item gave most of each.

        Args:
            history: item rows in order of time, the latest last.

        Returns:
            The scores of :meth:`scores`; per item the history item with the largest term, -1 where
            nothing in the history points to it.

        Cost: the neighbours of the history items, plus O(items).
        """
        total = np.zeros(self.items, dtype=np.float32)
        largest = np.zeros(self.items, dtype=np.float32)
        evidence = np.full(self.items, -1, dtype=np.int32)
        for age, row in enumerate(history[::-1][: self.settings.history_length]):
            start, stop = self.table.indptr[row], self.table.indptr[row + 1]
            columns = self.table.indices[start:stop]
            terms = self.table.data[start:stop] * np.float32(self.settings.history_decay**age)
            total[columns] += terms
            stronger = terms > largest[columns]
            largest[columns[stronger]] = terms[stronger]
            evidence[columns[stronger]] = row
        return total, evidence

    def score_histories(
        self, users: Int[np.ndarray, " event"], items: Int[np.ndarray, " event"], *, users_total: int
    ) -> Float32[np.ndarray, "user item"]:
        """Scores of all items for a batch of histories; the batch equals one by one.

        Args:
            users: which history an event belongs to, ``0..users_total - 1``; each in order of time.
            items: item row of each event.
            users_total: number of histories; one without events scores 0 everywhere.
        """
        shape = (users_total, self.items)
        weights = decayed_histories(
            users, items, shape, self.settings.history_decay, self.settings.history_length
        )
        return (weights @ self.table).toarray().astype(np.float32, copy=False)

    def save(self, path: Path) -> None:
        """Write the table as a compressed npz, no pickle inside."""
        with path.open("wb") as file:
            np.savez_compressed(
                file,
                data=self.table.data,
                indices=self.table.indices,
                indptr=self.table.indptr,
                settings=np.frombuffer(self.settings.model_dump_json().encode(), dtype=np.uint8),
            )

    @classmethod
    def load(cls, path: Path) -> SequentialCooccurrence:
        """Read a table back; it gives the same scores.

        Raises:
            StorageError: the file is not a whole table.
        """
        try:
            # opened here, not by numpy, which leaves a damaged file open
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                data, indices, indptr = stored["data"], stored["indices"], stored["indptr"]
                values = json.loads(stored["settings"].tobytes())
            items = indptr.size - 1
            table = sparse.csr_array((data, indices, indptr), shape=(items, items))
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise StorageError(
                f"{path}: found no whole co-occurrence table ({error}); expected the npz that save() writes: build it again"
            ) from error
        return cls(table, validated(CooccurrenceSettings, values, str(path)))
