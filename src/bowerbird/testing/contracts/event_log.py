"""What every event log promises."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from bowerbird.clock import DAY_US
from bowerbird.records import EVENT_SCHEMA, Events
from bowerbird.stores.event_rows import canonical
from bowerbird.stores.protocol import EventLog
from bowerbird.testing.contracts.examples import event_rows, events, numbered_events

Make = Callable[[], EventLog]


def _ids(read: Events) -> list[str]:
    return read.table.column("event_id").to_pylist()


def an_empty_log_reads_as_no_events(make: Make) -> None:
    """Nothing appended: nothing read, counted or sealed."""
    log = make()
    assert len(log.read()) == 0
    assert log.count() == 0
    assert log.seal() == 0
    assert log.append(Events(EVENT_SCHEMA.empty_table())) == 0
    assert log.read_since(0)[1] == 0
    assert log.fingerprint() == make().fingerprint()


def an_event_sent_twice_is_kept_once(make: Make) -> None:
    """The id decides; the first one stays."""
    log = make()
    assert log.append(events({"event_id": "e", "at": 1}, {"event_id": "e", "at": 2})) == 1
    assert log.append(events({"event_id": "e", "at": 3}, {"event_id": "f", "at": 0})) == 1
    assert _ids(log.read()) == ["f", "e"]
    assert log.read().at.tolist() == [0, 1]
    assert log.count() == 2


def equal_times_keep_the_order_of_arrival(make: Make) -> None:
    """Time first, then arrival, also across a seal."""
    log = make()
    log.append(events({"event_id": "b", "at": 5}))
    log.append(events({"event_id": "late", "at": 9 * DAY_US}))
    log.seal(keep_days=1)
    log.append(events({"event_id": "a", "at": 5}))
    assert _ids(log.read()) == ["b", "a", "late"]


def a_read_holds_nothing_at_or_after_its_time(make: Make) -> None:
    """``as_of`` is exclusive, and the future changes neither reads nor fingerprints."""
    log = make()
    log.append(numbered_events(0, 10, step_us=DAY_US))
    before = log.read(as_of=5 * DAY_US), log.fingerprint(as_of=5 * DAY_US)
    assert _ids(before[0]) == ["e0", "e1", "e2", "e3", "e4"]
    log.append(numbered_events(10, 5, step_us=DAY_US))
    log.seal(keep_days=1)
    assert log.read(as_of=5 * DAY_US).table.equals(before[0].table)
    assert log.fingerprint(as_of=5 * DAY_US) == before[1]


def every_column_comes_back_as_it_went_in(make: Make) -> None:
    """Other alphabets, quotes, zero bytes, empty maps and infinities survive; NaN becomes null."""

    @settings(max_examples=8)
    @given(st.lists(event_rows(), max_size=12))
    def check(rows: list[dict]) -> None:
        sent = events(*rows)
        log = make()
        log.append(sent)
        assert log.read().table.equals(canonical(sent.table))
        log.seal(keep_days=0)
        assert log.read().table.equals(canonical(sent.table))

    check()


def any_batches_and_repeats_read_the_same(make: Make) -> None:
    """However events are cut, repeated, sealed in between: one read, one count, one fingerprint."""

    @settings(max_examples=8)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        rows = data.draw(st.lists(event_rows(), max_size=15, unique_by=lambda row: row["event_id"]))
        whole = make()
        whole.append(events(*rows))
        pieces = make()
        start, new = 0, 0
        while start < len(rows):
            end = data.draw(st.integers(start + 1, len(rows)))
            again = data.draw(st.integers(0, start))
            new += pieces.append(events(*rows[again:end]))
            if data.draw(st.booleans()):
                pieces.seal(keep_days=data.draw(st.integers(0, 2)))
            start = end
        assert new == len(rows) == pieces.count()
        assert pieces.fingerprint() == whole.fingerprint()
        as_of = data.draw(st.integers(-3, 7)) * DAY_US
        assert pieces.fingerprint(as_of) == whole.fingerprint(as_of)
        assert _sorted(pieces.read(as_of)).equals(_sorted(whole.read(as_of)))

    check()


def the_order_of_arrival_leaves_the_fingerprint(make: Make) -> None:
    """The same events the other way round are the same log; one event less is another."""
    forward, backward, fewer = make(), make(), make()
    for n in range(4):
        forward.append(numbered_events(n, 1))
        backward.append(numbered_events(3 - n, 1))
    fewer.append(numbered_events(0, 3))
    assert forward.fingerprint() == backward.fingerprint()
    assert forward.fingerprint() != fewer.fingerprint()
    assert forward.fingerprint(as_of=3 * DAY_US // 100) == fewer.fingerprint()


def a_follower_sees_each_event_once(make: Make) -> None:
    """``read_since`` with what it returned last misses nothing and repeats nothing."""
    log = make()
    seen: list[str] = []
    sequence = 0
    for start in (0, 3, 50, 51):
        log.append(numbered_events(start, 3))
        arrived, sequence = log.read_since(sequence)
        seen += _ids(arrived)
        log.seal(keep_days=0 if start == 3 else 1)
    arrived, sequence = log.read_since(sequence)
    assert len(arrived) == 0
    assert sorted(seen) == sorted(_ids(log.read()))
    assert len(set(seen)) == len(seen)
    assert len(log.read_since(0)[0]) == log.count()


def what_is_forgotten_is_gone_and_does_not_come_back(make: Make) -> None:
    """A person, then an item, sealed or not; the rest is the log that never had them, and followers go on."""
    log, twin = make(), make()
    rows = [
        {"event_id": f"e{n}", "at": n * DAY_US, "user_id": "uv"[n % 2], "item_id": "ijk"[n % 3]}
        for n in range(12)
    ]
    log.append(events(*rows[:8]))
    log.seal(keep_days=2)
    log.append(events(*rows[8:]))
    sequence = log.read_since(0)[1]
    assert log.forget(user_id="u") == 6
    assert log.forget(item_id="i") == 2
    assert log.forget(user_id="nobody") == 0
    twin.append(events(*(row for row in rows if row["user_id"] == "v" and row["item_id"] != "i")))
    assert log.read().table.equals(twin.read().table)
    assert (log.count(), log.fingerprint()) == (twin.count(), twin.fingerprint())
    assert log.append(events(*rows)) == 0
    gone = [row["user_id"] == "u" or row["item_id"] == "i" for row in rows]
    assert log.forgotten(events(*rows).table.column("event_id")).tolist() == gone
    log.append(events({"event_id": "new", "at": 5}))
    assert _ids(log.read_since(sequence)[0]) == ["new"]


def logical_time_is_remembered(make: Make) -> None:
    """False until it is said."""
    log = make()
    assert log.logical_time is False
    log.logical_time = True
    assert log.logical_time is True


def _sorted(read: Events) -> pa.Table:
    return read.table.sort_by("event_id")


LAWS = (
    an_empty_log_reads_as_no_events,
    an_event_sent_twice_is_kept_once,
    equal_times_keep_the_order_of_arrival,
    a_read_holds_nothing_at_or_after_its_time,
    every_column_comes_back_as_it_went_in,
    any_batches_and_repeats_read_the_same,
    the_order_of_arrival_leaves_the_fingerprint,
    a_follower_sees_each_event_once,
    what_is_forgotten_is_gone_and_does_not_come_back,
    logical_time_is_remembered,
)
