"""The stream's side of the one definition of sequences: what arrives while serving, read as if it had been in the batch."""

from __future__ import annotations

import threading
from itertools import pairwise

import numpy as np
from jaxtyping import Int32, Int64

from bowerbird.records.event import Events
from bowerbird.records.history import History
from bowerbird.records.vocabulary import Vocabulary
from bowerbird.signals.arrivals import Arrivals
from bowerbird.signals.sequences import Sequences, known_steps
from bowerbird.signals.tracks import Steps

__all__ = ["OnlineSequence"]


class OnlineSequence:
    """Sequences that take new events while serving: the stream's side of the one definition.

    What arrives waits until its person is read; then their arrays are copied and it is put in its place.
    Everybody else is read from the batch. Every answer equals that of :meth:`Sequences.appended`.

    Args:
        batch: the sequences last built.

    Cost: adding sorts a batch of arrivals by person; the first read of a person after it copies their arrays.
    """

    def __init__(self, batch: Sequences) -> None:
        self._batch = batch
        self._whole = batch
        self._touched: dict[int, Sequences] = {}
        self._waiting: dict[int, list[Steps]] = {}
        self._arrived = Arrivals(Steps.joined)
        self._unknown = [0, 0]
        self._guard = threading.Lock()
        self.unknown_users = batch.unknown_users
        """Events left out because the user is not known."""
        self.unknown_items = batch.unknown_items
        """Events left out because the item is not known."""

    @property
    def users(self) -> Vocabulary:
        """The people."""
        return self._batch.users

    @property
    def items(self) -> Vocabulary:
        """The catalogue."""
        return self._batch.items

    def add(self, events: Events) -> None:
        """Take new events, late ones too."""
        with self._guard:
            self._take(events)

    def whole(self) -> Sequences:
        """Everybody's sequence with the new events in it, for what reads all people at once.

        Cost: the first call after new events copies the tracks.
        """
        with self._guard:
            arrived = self._arrived.taken()
            if arrived is not None:
                self._whole = self._whole.with_steps(arrived, *self._unknown)
                self._unknown = [0, 0]
            return self._whole

    def meet(self, names: tuple[str, ...]) -> None:
        """Know more people, who did nothing yet; rows of those already known stay."""
        with self._guard:
            same = self._whole is self._batch
            self._batch = self._batch.with_users(names)
            self._whole = self._batch if same else self._whole.with_users(names)

    def _take(self, events: Events) -> None:
        steps, unknown_users, unknown_items = known_steps(events, self._batch.users, self._batch.items)
        self.unknown_users += unknown_users
        self.unknown_items += unknown_items
        self._unknown[0] += unknown_users
        self._unknown[1] += unknown_items
        self._arrived.add(steps)
        order = np.argsort(steps.users, kind="stable")  # each person's arrivals stay in their order
        users = steps.users[order]
        bounds = np.flatnonzero(np.diff(users, prepend=-1, append=-1))
        for start, stop in pairwise(bounds.tolist()):
            own = order[start:stop]
            nobody = np.zeros(len(own), np.int32)
            alone = Steps(nobody, steps.rows[own], steps.at[own], steps.actions[own], steps.asked[own])
            self._waiting.setdefault(int(users[start]), []).append(alone)

    def history(self, user_row: int, as_of: int) -> History:
        """See :meth:`Sequences.history`."""
        sequences, row = self._read(user_row)
        return sequences.history(row, as_of)

    def shown(self, user_row: int, as_of: int) -> Int32[np.ndarray, "shown"]:
        """See :meth:`Sequences.shown`."""
        sequences, row = self._read(user_row)
        return sequences.shown(row, as_of)

    def impressed(self, user_row: int, as_of: int, days: int | float) -> History:
        """See :meth:`Sequences.impressed`."""
        sequences, row = self._read(user_row)
        return sequences.impressed(row, as_of, days)

    def answered(self, user_row: int, as_of: int, days: int | float) -> History:
        """See :meth:`Sequences.answered`."""
        sequences, row = self._read(user_row)
        return sequences.answered(row, as_of, days)

    def refused(self, user_row: int, as_of: int) -> History:
        """See :meth:`Sequences.refused`."""
        sequences, row = self._read(user_row)
        return sequences.refused(row, as_of)

    def hidden(self, user_row: int, as_of: int) -> Int32[np.ndarray, "hidden"]:
        """See :meth:`Sequences.hidden`."""
        sequences, row = self._read(user_row)
        return sequences.hidden(row, as_of)

    def times(self, user_row: int, as_of: int) -> Int64[np.ndarray, "event"]:
        """See :meth:`Sequences.times`."""
        sequences, row = self._read(user_row)
        return sequences.times(row, as_of)

    def _read(self, user_row: int) -> tuple[Sequences, int]:
        if user_row in self._waiting:
            with self._guard:
                for steps in self._waiting.get(user_row, ()):
                    before = self._touched.get(user_row)
                    before = self._batch.of_one(user_row) if before is None else before
                    self._touched[user_row] = before.with_steps(steps)
                # last: until then others wait for what is being put in place
                self._waiting.pop(user_row, None)
        touched = self._touched.get(user_row)
        return (self._batch, user_row) if touched is None else (touched, 0)
