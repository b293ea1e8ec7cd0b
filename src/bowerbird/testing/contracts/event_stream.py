"""What every event stream promises: everything published is read, from any position, and consumed once."""

from __future__ import annotations

from collections.abc import Callable

from bowerbird.records import Events
from bowerbird.stores.event_stream import START, EventStream, Forgotten, LogStream, advance
from bowerbird.stores.memory import MemoryEventLog
from bowerbird.stores.online_state import MemoryOnlineState, state_fingerprint
from bowerbird.testing.contracts.examples import events, numbered_events

_LATE = 2**60
Make = Callable[[], EventStream]


def _ids(read: Events) -> set[str]:
    return set(read.table.column("event_id").to_pylist())


def an_empty_stream_has_nothing_and_stays_where_it_is(make: Make) -> None:
    """Reading nothing moves nothing."""
    read, position = make().read(START)
    assert (len(read), position) == (0, START)


def what_was_published_is_read_after_any_position(make: Make) -> None:
    """Whole records, whatever is in them; a position leads to what came later and to nothing else."""
    stream = make()
    odd = {"event_id": "ü\x00", "at": 3, "query": "日本", "value": 0.5, "attributes": [("a", "b")]}
    stream.publish(events(odd))
    first, position = stream.read(START)
    assert first.table.to_pylist() == events(odd).table.to_pylist()
    stream.publish(numbered_events(0, 3))
    later, end = stream.read(position)
    assert _ids(later) == {"e0", "e1", "e2"}
    assert _ids(stream.read(START)[0]) == {"ü\x00", "e0", "e1", "e2"}
    assert (len(stream.read(end)[0]), stream.read(end)[1]) == (0, end)


def a_consumer_killed_anywhere_ends_in_the_same_state(make: Make) -> None:
    """Steps done again, from an older position, change nothing in state or log."""
    stream, archive = make(), MemoryEventLog()
    state, twin = MemoryOnlineState(), MemoryOnlineState()
    for first in range(0, 12, 4):
        stream.publish(numbered_events(first, 4))
    while advance(stream, state, archive, most=5):
        state.apply(stream.read(START, most=3)[0], state.position)  # a repeated delivery
        archive.append(stream.read(START, most=7)[0])  # killed between the log and the state
    twin.apply(numbered_events(0, 12), "end")
    assert state_fingerprint(state) == state_fingerprint(twin)
    assert archive.count() == 12


def what_was_forgotten_is_gone_or_counted_and_never_comes_back(make: Make) -> None:
    """Events of one person: out of the stream, or told; out of log and state also when they are read again."""
    stream, archive, state = make(), MemoryEventLog(), MemoryOnlineState()
    stream.publish(events(*({"event_id": f"e{n}", "at": n, "user_id": "uv"[n % 2]} for n in range(6))))
    if isinstance(stream, LogStream):
        assert stream.forget(user_id="u") == Forgotten()
        return
    while advance(stream, state, archive):
        pass
    found = stream.forget(user_id="u")
    assert found.removed + found.remaining == 3
    archive.forget(user_id="u")
    again = MemoryOnlineState()
    while advance(stream, again, archive):
        pass
    assert set(archive.read().table.column("user_id").to_pylist()) == {"v"}
    assert set(again.steps().table.column("user_id").to_pylist()) == {"v"}


def only_what_was_consumed_is_trimmed(make: Make) -> None:
    """Whatever the time says, an event nobody consumed yet stays."""
    stream, state = make(), MemoryOnlineState()
    stream.publish(numbered_events(0, 4))
    assert stream.trim(state.position, _LATE) == 0
    while advance(stream, state):
        pass
    stream.publish(numbered_events(4, 2))
    trimmed = stream.trim(state.position, _LATE)
    assert trimmed in (0, 4)  # 0: a stream with a retention of its own
    assert _ids(stream.read(state.position)[0]) == {"e4", "e5"}
    if trimmed:
        assert _ids(stream.read(START)[0]) <= {"e4", "e5"}
        assert stream.trim(state.position, 0) == 0


LAWS = (
    an_empty_stream_has_nothing_and_stays_where_it_is,
    what_was_published_is_read_after_any_position,
    a_consumer_killed_anywhere_ends_in_the_same_state,
    what_was_forgotten_is_gone_or_counted_and_never_comes_back,
    only_what_was_consumed_is_trimmed,
)
