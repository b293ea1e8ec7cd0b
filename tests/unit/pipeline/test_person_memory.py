"""What is remembered of a person equals what would be computed, and ends with their next event."""

from __future__ import annotations

import numpy as np

from bowerbird.clock import DAY_US
from bowerbird.pipeline.person_memory import PersonMemory
from bowerbird.records.history import History
from bowerbird.records.signal import Space, Vectors
from bowerbird.users.interest_clusters import interest_clusters
from bowerbird.users.long_term import decayed_mean

ITEMS = Vectors.full(Space("item", "1", 2), np.array([[1, 0], [0, 1], [0.8, 0.6]], np.float32))


def history(*rows):
    at = np.arange(1, len(rows) + 1, dtype=np.int64) * DAY_US
    return History(np.array(rows, np.int32), at, np.full(len(rows), 3, np.int8))


def test_what_is_remembered_is_what_would_be_computed_at_any_later_time():
    memory, own = PersonMemory(), history(0, 1, 2)
    for as_of in (4 * DAY_US, 400 * DAY_US):
        assert memory.interests(7, own, ITEMS, as_of) == interest_clusters(own, ITEMS, as_of)
        remembered, computed = memory.vector(7, own, ITEMS, as_of), decayed_mean(own, ITEMS, as_of)
        assert remembered.matrix.tobytes() == computed.matrix.tobytes()


def test_the_next_event_another_catalogue_and_too_many_people_end_it():
    memory = PersonMemory(most=1)
    first = memory.vector(7, history(0), ITEMS, 9 * DAY_US)
    assert memory.vector(7, history(0), ITEMS, 9 * DAY_US) is first
    assert memory.vector(7, history(0, 1), ITEMS, 9 * DAY_US).matrix.tolist() != first.matrix.tolist()
    other = Vectors.full(ITEMS.space, ITEMS.matrix[::-1].copy())
    assert memory.vector(7, history(0), other, 9 * DAY_US).matrix.tolist() != first.matrix.tolist()
    again = memory.vector(7, history(0), ITEMS, 9 * DAY_US)
    memory.vector(8, history(0), ITEMS, 9 * DAY_US)
    assert memory.vector(7, history(0), ITEMS, 9 * DAY_US) is not again
