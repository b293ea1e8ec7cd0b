"""Counts over any window, exact at any moment."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bowerbird.clock import HOUR_US
from bowerbird.errors import InputError
from bowerbird.records import Events, Vocabulary
from bowerbird.signals.aggregates import NEVER, EventCounts
from bowerbird.signals.online_counts import OnlineCounts

ITEMS = Vocabulary("item", ("a", "b", "c"))
Fact = tuple[int, str | None, str]


def events(facts: list[Fact]) -> Events:
    columns = list(zip(*facts, strict=True)) if facts else [[], [], []]
    return Events(
        pa.table(
            {
                "event_id": pa.array([str(n) for n in range(len(facts))], pa.string()),
                "at": pa.array(columns[0], pa.int64()),
                "user_id": pa.array(["u"] * len(facts), pa.string()),
                "item_id": pa.array(columns[1], pa.string()),
                "action": pa.array(columns[2], pa.string()),
            }
        )
    )


facts = st.lists(
    st.tuples(
        st.integers(-4, 9),
        st.sampled_from(["a", "b", "c", "other", None]),
        st.sampled_from(["save", "click", "impression"]),
    ),
    max_size=30,
)


@given(facts, st.integers(-5, 10), st.integers(-5, 10))
def test_counts_equal_a_plain_loop(log: list[Fact], since: int, until: int):
    counts = EventCounts.from_events(events(log), ITEMS)
    expected = [
        sum(1 for at, item, action in log if item == name and action != "click" and since <= at < until)
        for name in ITEMS.ids
    ]
    assert counts.totals(("save", "impression"), since, until).tolist() == expected


def test_rows_times_moments_beyond_32_bits_are_counted():
    moments, row = 100_000, 30_000  # 30,000 x 100,001 > 2^31
    last = np.array([row * (moments + 1) + moments - 1], dtype=np.int64)
    first = np.full(row + 1, NEVER, dtype=np.int64)
    counts = EventCounts(row + 1, np.arange(moments, dtype=np.int64), {"save": last}, first)
    assert counts.counts(np.array([row], np.int32), ("save",), 0, moments).tolist() == [1]
    assert counts.counts(np.array([row], np.int32), ("save",), 0, moments - 1).tolist() == [0]


@given(facts)
def test_each_row_may_have_its_own_window(log: list[Fact]):
    counts = EventCounts.from_events(events(log), ITEMS)
    rows, since, until = np.array([0, 2, -1, 0], np.int32), np.array([-4, 0, 0, 5]), np.array([5, 3, 9, 9])
    together = counts.counts(rows, ("save",), since, until)
    alone = [
        int(counts.counts(rows[n : n + 1], ("save",), int(since[n]), int(until[n]))[0])
        for n in range(rows.shape[0])
    ]
    assert together.tolist() == alone
    assert together[2] == 0


@given(facts, facts, st.integers(-5, 10))
def test_the_future_changes_nothing(log: list[Fact], more: list[Fact], as_of: int):
    future = [(as_of + abs(at), item, action) for at, item, action in more]
    before, after = (
        EventCounts.from_events(events(log), ITEMS),
        EventCounts.from_events(events(log + future), ITEMS),
    )
    assert before.totals(("save",), -10, as_of).tobytes() == after.totals(("save",), -10, as_of).tobytes()
    assert before.trending(as_of).tobytes() == after.trending(as_of).tobytes()


def test_times_far_apart_and_large_do_not_overflow():
    far = 9_000_000_000_000_000_000
    counts = EventCounts.from_events(events([(-far, "c", "save"), (far, "c", "save")]), ITEMS)
    assert counts.totals(("save",), -far, far).tolist() == [0, 0, 1]


def test_first_seen_is_the_earliest_event_of_any_action():
    counts = EventCounts.from_events(events([(9, "a", "save"), (4, "a", "impression")]), ITEMS)
    assert counts.first_seen(np.array([0, 1, -1], np.int32)).tolist() == [4, NEVER, NEVER]


def test_an_empty_catalogue_has_no_counts():
    counts = EventCounts.from_events(events([(9, "a", "save")]), Vocabulary("item", ()))
    assert counts.totals(("save",), 0, 10).tolist() == []
    assert counts.first_seen(np.array([-1], np.int32)).tolist() == [NEVER]


def test_trending_halves_per_half_life_and_is_damped_by_impressions():
    log = [
        (0, "a", "save"),
        (6 * HOUR_US, "b", "save"),
        (6 * HOUR_US, "c", "save"),
        *[(6 * HOUR_US, "c", "impression")] * 3,
    ]
    score = EventCounts.from_events(events(log), ITEMS).trending(12 * HOUR_US, half_life_hours=6)
    assert score[0] == np.float32(2.0**-2)
    assert score[1] == np.float32(2.0**-1)
    assert score[2] == np.float32(2.0**-1 / (1 + 3 * 2.0**-1) ** 0.5)


def test_people_can_be_counted_too():
    counts = EventCounts.of_users(
        events([(1, "a", "save"), (2, None, "visit")]), Vocabulary("user", ("u", "v"))
    )
    assert counts.totals(("save", "visit"), 0, 3).tolist() == [2, 0]


def test_unknown_actions_and_half_lives_are_refused():
    counts = EventCounts.from_events(events([]), ITEMS)
    with pytest.raises(InputError, match="did you mean 'save'"):
        counts.totals(("saves",), 0, 1)
    with pytest.raises(InputError, match="half_life_hours = 0; expected more than 0"):
        counts.trending(0, half_life_hours=0)


@pytest.mark.data
def test_online_retail_counts_equal_a_plain_count(shared_data):
    table = pq.read_table(shared_data / "online_retail" / "transactions.parquet").slice(0, 100_000)
    at = table["ts"].cast(pa.timestamp("us")).cast(pa.int64()).to_numpy()
    codes = table["stock_code"].cast(pa.string())
    items = Vocabulary("item", tuple(sorted(set(codes.to_pylist()))))
    log = Events(
        pa.table(
            {
                "event_id": pa.array(np.arange(len(table)).astype(str)),
                "at": at,
                "user_id": pa.array(["shop"] * len(table)),
                "item_id": codes,
                "action": pa.array(["purchase"] * len(table)),
            }
        )
    )
    counts = EventCounts.from_events(log, items)
    middle = int(np.median(at))
    rows = items.rows(codes.to_pylist())
    assert (
        counts.totals(("purchase",), int(at.min()), middle).tolist()
        == np.bincount(rows[at < middle], minlength=len(items)).tolist()
    )


def test_counts_that_grow_equal_counts_of_everything_at_every_full_hour():
    rows = [
        (f"e{n}", n * HOUR_US // 3, f"u{n % 3}", "ab"[n % 2], ("save", "impression")[n % 3 == 0])
        for n in range(20)
    ]
    rows.append(("late", 5, "u0", "a", "click"))

    def logged(part):
        names = ("event_id", "at", "user_id", "item_id", "action")
        return Events(
            pa.table(
                {name: list(column) for name, column in zip(names, zip(*part, strict=True), strict=True)}
            )
        )

    items = Vocabulary("item", ("a", "b"))
    online = OnlineCounts(EventCounts.from_events(logged(rows[:8]), items), items, rows[7][1] // HOUR_US)
    for row in rows[8:]:
        online.add(logged([row]), max(row[1], rows[-2][1] if row[0] == "late" else 0) + 1)
    online.add(logged([("end", 100 * HOUR_US, "u", "b", "save")]), 100 * HOUR_US)
    whole = EventCounts.from_events(logged([*rows, ("end", 100 * HOUR_US, "u", "b", "save")]), items)
    assert (
        online.totals(("save", "click"), 0, 10**18).tolist()
        == whole.totals(("save", "click"), 0, 10**18).tolist()
    )
    assert (
        online.first_seen(np.array([0, 1], np.int32)).tolist()
        == whole.first_seen(np.array([0, 1], np.int32)).tolist()
    )
    assert online.trending(99 * HOUR_US).tobytes() == whole.trending(99 * HOUR_US).tobytes()
    assert online.entities == 2
