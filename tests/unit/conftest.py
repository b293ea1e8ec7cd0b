"""A release small enough to compute by hand: six items in a plane, three people, two weeks."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from bowerbird.clock import DAY_US
from bowerbird.pipeline.queries import QueryEncoder
from bowerbird.pipeline.release import Release
from bowerbird.records.event import Events
from bowerbird.records.item import Items
from bowerbird.records.signal import Space, Vectors
from bowerbird.records.vocabulary import Vocabulary
from bowerbird.retrieval.cooccurrence import SequentialCooccurrence
from bowerbird.retrieval.index import ExactIndex
from bowerbird.retrieval.text_index import LexicalIndex
from bowerbird.signals.aggregates import EventCounts
from bowerbird.signals.sequences import Sequences

DAY0 = 20_000 * DAY_US
"""A midnight, UTC."""
PLANE = Space("item", "1", 2)

ITEMS = {
    "item_id": ["i0", "i1", "i2", "i3", "i4", "i5"],
    "title": ["red cup", "red mug", "blue lamp", "blue lamp again", "cup for sale", None],
    "category": ["cups/red", "cups/red", "lamps/blue", "lamps/blue", "cups/red", None],
    "price": [10.0, None, 30.0, 30.0, 5.0, None],
    "created_at": [DAY0 - 30 * DAY_US] * 4 + [DAY0 + 6 * DAY_US, DAY0 + 12 * DAY_US],
    "is_ad": [False, False, False, False, True, False],
    "campaign_id": [None, None, None, None, "c", None],
}
MATRIX = [[1.0, 0.0], [0.8, 0.6], [0.0, 1.0], [0.0, 1.0], [1.0, 0.0], [0.0, 0.0]]
EVENTS = [  # day, person, item, action, request
    (1, "u0", "i0", "impression", "r1"),
    (1.001, "u0", "i0", "save", "r1"),
    (1, "u0", "i2", "impression", "r1"),
    (2, "u0", "i1", "closeup", None),
    (3, "u1", "i0", "closeup", None),
    (4, "u1", "i2", "save", None),
    (5, "u1", "i2", "hide", None),
    (5, "u0", "i4", "impression", "r2"),
]


def small_events(rows: list[tuple] = EVENTS) -> Events:
    """Events from (day, person, item, action, request)."""
    return Events(
        pa.table(
            {
                "event_id": [f"e{number}" for number in range(len(rows))],
                "at": pa.array([DAY0 + round(day * DAY_US) for day, *_ in rows], pa.int64()),
                "user_id": pa.array([row[1] for row in rows], pa.string()),
                "item_id": pa.array([row[2] for row in rows], pa.string()),
                "action": pa.array([row[3] for row in rows], pa.string()),
                "request_id": pa.array([row[4] for row in rows], pa.string()),
                "surface": pa.array(["homefeed"] * len(rows), pa.string()),
                "position": pa.array([0] * len(rows), pa.int32()),
            }
        )
    )


@pytest.fixture(scope="session")
def small() -> Release:
    """The release, as of day 14, without a ranker and without encoders."""
    items, events = Items(pa.table(ITEMS)), small_events()
    vocabulary, people = items.vocabulary, Vocabulary("user", ("u0", "u1", "u2"))
    sequences = Sequences.from_events(events, people, vocabulary)
    vectors = Vectors(PLANE, np.array(MATRIX, np.float32), np.array([True] * 5 + [False]))
    track = sequences.positives
    return Release(
        version="by-hand",
        as_of=DAY0 + 14 * DAY_US,
        items=items,
        people=people,
        sequences=sequences,
        counts=EventCounts.from_events(events, vocabulary),
        vectors={"item": vectors},
        indexes={"item": ExactIndex(vectors)},
        cooccurrence=SequentialCooccurrence.fit(track.owners(), track.rows, items_total=6),
        lexical=LexicalIndex.build([title or "" for title in ITEMS["title"]]),
        duplicate_of=np.array([0, 1, 2, 2, 4, 5], np.int32),
        interests=None,
        queries=QueryEncoder(None, None, None),
    )
