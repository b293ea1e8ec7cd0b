"""What was worked out for a person, kept until their next event."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

from bowerbird.records.history import History
from bowerbird.records.request import Interest
from bowerbird.records.signal import Vectors
from bowerbird.users.interest_clusters import interest_clusters
from bowerbird.users.long_term import decayed_mean

MOST_PEOPLE = 20_000
"""People remembered; whoever asked longest ago is forgotten first."""


@dataclass
class _Known:
    history: History
    items: Vectors
    vector: Vectors | None = None
    interests: tuple[Interest, ...] | None = None


class PersonMemory:
    """Interests and vectors of people, worked out once per history.

    Neither depends on the time of the request but through the history (weights count from its newest
    step), so a person's answer holds until their history changes. It is compared whole, not by a
    counter: what is remembered can only be what would be computed.

    Args:
        most: people remembered.
    """

    def __init__(self, most: int = MOST_PEOPLE) -> None:
        self._most = most
        self._guard = threading.Lock()
        self._known: OrderedDict[int, _Known] = OrderedDict()

    def vector(self, user_row: int, history: History, items: Vectors, as_of: int) -> Vectors:
        """:func:`bowerbird.users.long_term.decayed_mean` of the person."""
        known = self._of(user_row, history, items)
        if known.vector is None:
            known.vector = decayed_mean(history, items, as_of)
        return known.vector

    def interests(self, user_row: int, history: History, items: Vectors, as_of: int) -> tuple[Interest, ...]:
        """:func:`bowerbird.users.interest_clusters.interest_clusters` of the person."""
        known = self._of(user_row, history, items)
        if known.interests is None:
            known.interests = interest_clusters(history, items, as_of)
        return known.interests

    def _of(self, user_row: int, history: History, items: Vectors) -> _Known:
        with self._guard:
            known = self._known.get(user_row)
            if known is not None and known.items is items and known.history.equals(history):
                self._known.move_to_end(user_row)
                return known
            known = self._known[user_row] = _Known(history, items)
            while len(self._known) > self._most:
                self._known.popitem(last=False)
        return known
