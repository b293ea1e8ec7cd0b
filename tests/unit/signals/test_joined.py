from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from bowerbird.clock import HOUR_US
from bowerbird.records.event import Events
from bowerbird.records.vocabulary import Vocabulary
from bowerbird.retrieval.cooccurrence import SequentialCooccurrence
from bowerbird.signals.aggregates import EventCounts
from bowerbird.signals.joined import JoinedCounts, JoinedItems
from bowerbird.signals.online_counts import OnlineCounts

ITEMS = Vocabulary("item", ("a", "b", "a_copy", "c"))
JOINED = JoinedItems(np.array([0, 1, 0, 3], dtype=np.int32))
LOG = (
    (1, "a", "save"),
    (2, "a_copy", "save"),
    (3, "a_copy", "impression"),
    (4, "b", "click"),
    (5, "a", "impression"),
)


def events(log: tuple[tuple[int, str, str], ...]) -> Events:
    return Events(
        pa.table(
            {
                "event_id": [str(number) for number in range(len(log))],
                "at": [hour * HOUR_US for hour, _, _ in log],
                "user_id": ["u"] * len(log),
                "item_id": [item for _, item, _ in log],
                "action": [action for _, _, action in log],
            }
        )
    )


def test_every_item_of_a_group_reads_what_the_group_gathered():
    counts = JoinedCounts(EventCounts.from_events(events(LOG), ITEMS), JOINED)
    assert counts.totals(("save",), 0, 9 * HOUR_US).tolist() == [2, 0, 2, 0]
    assert counts.totals(("save", "click"), 2 * HOUR_US, 9 * HOUR_US).tolist() == [1, 1, 1, 0]


def test_trending_adds_responses_and_impressions_up_before_it_weighs_them():
    counts = JoinedCounts(EventCounts.from_events(events(LOG), ITEMS), JOINED)
    found = counts.trending(5 * HOUR_US, half_life_hours=1)
    # at hour 5: saves of age 4 and 3, one impression of age 2; the second comes at the hour itself
    group = (2.0**-4 + 2.0**-3) / np.sqrt(1 + 2.0**-2)
    np.testing.assert_allclose(found, [group, 2.0**-1, group, 0.0], rtol=1e-6)


def test_copies_count_as_if_everything_had_happened_to_the_original():
    renamed = tuple((hour, "a" if item == "a_copy" else item, action) for hour, item, action in LOG)
    joined = JoinedCounts(EventCounts.from_events(events(LOG), ITEMS), JOINED)
    plain = EventCounts.from_events(events(renamed), ITEMS)
    assert joined.trending(9 * HOUR_US)[0] == plain.trending(9 * HOUR_US)[0]
    assert joined.totals(("save",), 0, 9 * HOUR_US)[0] == plain.totals(("save",), 0, 9 * HOUR_US)[0]


def test_arrivals_are_joined_as_the_past_is():
    online = OnlineCounts(EventCounts.from_events(events(LOG[:1]), ITEMS), ITEMS, hour=1)
    counts = JoinedCounts(online, JOINED)
    online.add(events(LOG[1:]), now=7 * HOUR_US)
    whole = JoinedCounts(EventCounts.from_events(events(LOG), ITEMS), JOINED)
    assert counts.trending(7 * HOUR_US).tolist() == whole.trending(7 * HOUR_US).tolist()


def test_without_copies_nothing_changes():
    own = EventCounts.from_events(events(LOG), ITEMS)
    alone = JoinedCounts(own, JoinedItems(np.arange(4, dtype=np.int32)))
    assert alone.trending(9 * HOUR_US).tolist() == own.trending(9 * HOUR_US).tolist()
    table = sparse.csr_array(np.eye(4, dtype=np.float32))
    assert alone.items.table(table) is table


def test_what_followed_a_copy_followed_the_original_and_copies_are_no_neighbours_of_each_other():
    people, seen = np.array([0, 0, 1, 1, 2, 2]), np.array([0, 1, 2, 1, 0, 2])
    fitted = SequentialCooccurrence.fit(people, JOINED.canonical[seen], items_total=4)
    table = SequentialCooccurrence(JOINED.table(fitted.table), fitted.settings)
    whole = SequentialCooccurrence.fit(people, np.array([0, 1, 0, 1, 0, 0]), items_total=4)
    for row in (0, 2):  # either of them leads to b, as strongly as if nobody had told them apart
        found, scores = table.neighbours(row, 3)
        assert found.tolist() == [1]
        assert scores[0] == whole.table[0, 1]
    assert sorted(table.neighbours(1, 3)[0].tolist()) == [0, 2]


@settings(max_examples=30)
@given(st.lists(st.integers(0, 5), min_size=6, max_size=6), st.integers(0, 99))
def test_the_joined_table_equals_reading_every_cell_at_the_canonical_items(drawn: list[int], seed: int):
    canonical = np.array([min(place, other) for place, other in enumerate(drawn)], dtype=np.int32)
    canonical = canonical[canonical[canonical[canonical]]]  # a canonical item is its own
    cells = np.random.default_rng(seed).random((6, 6)).astype(np.float32)
    cells *= np.isin(np.arange(6), canonical)[:, None] & np.isin(np.arange(6), canonical)[None, :]
    found = JoinedItems(canonical).table(sparse.csr_array(cells)).toarray()
    for row in range(6):
        for column in range(6):
            copies = row != column and canonical[row] == canonical[column]
            assert found[row, column] == (0.0 if copies else cells[canonical[row], canonical[column]])
