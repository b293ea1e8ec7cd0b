"""What every online state promises: the same state whatever the order, grouping and repetition of arrivals."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from bowerbird.clock import HOUR_US
from bowerbird.records import EVENT_SCHEMA, Events
from bowerbird.stores.online_state import MemoryOnlineState, OnlineState, state_fingerprint, watermark
from bowerbird.testing.contracts.examples import AWKWARD_TEXTS, events

Make = Callable[[], OnlineState]


def _ids(read: Events) -> list[str]:
    return read.table.column("event_id").to_pylist()


def an_empty_state_knows_nothing(make: Make) -> None:
    """No position, no steps, no tallies."""
    state = make()
    assert (state.position, state.newest, len(state.steps()), len(state.tallies())) == ("", 0, 0, 0)
    assert len(state.person("u")) == 0
    assert state.apply(Events(EVENT_SCHEMA.empty_table()), "p") == 0
    assert state.position == "p"


def an_event_counts_once_whatever_it_says_the_second_time(make: Make) -> None:
    """The id decides."""
    state = make()
    assert state.apply(events({"event_id": "e", "at": 1}, {"event_id": "f", "at": 2}), "1") == 2
    assert state.apply(events({"event_id": "e", "at": 9, "action": "save"}), "2") == 0
    assert _ids(state.person("u")) == ["e", "f"]
    assert state.person("u").at.tolist() == [1, 2]
    assert state.tallies().to_pylist() == [{"item_id": "i", "hour": 0, "action": "click", "events": 2}]
    assert state.position == "2"
    state.apply(events({"event_id": "g", "at": 3}), "")
    assert state.position == "2"


def late_events_take_their_place_by_time_and_then_by_id(make: Make) -> None:
    """Never by arrival; the watermark trails the newest."""
    state = make()
    state.apply(events({"event_id": "b", "at": 5 * HOUR_US}), "1")
    state.apply(events({"event_id": "c", "at": HOUR_US}, {"event_id": "a", "at": 5 * HOUR_US}), "2")
    assert _ids(state.person("u")) == ["c", "a", "b"]
    assert state.newest == 5 * HOUR_US
    assert watermark(state, 2 * HOUR_US) == 3 * HOUR_US


def what_a_build_has_is_trimmed_and_stays_away(make: Make) -> None:
    """Tallies follow; later arrivals from before are the next build's."""
    state = make()
    state.apply(events({"event_id": "a", "at": 5}, {"event_id": "b", "at": 7}), "1")
    assert state.trim(6) == 1
    assert state.apply(events({"event_id": "late", "at": 5}), "2") == 0
    assert _ids(state.steps()) == ["b"]
    assert state.tallies().column("events").to_pylist() == [1]


def who_is_forgotten_is_gone_from_steps_and_tallies(make: Make) -> None:
    """A person, then an item."""
    state = make()
    rows = [("a", "u", "i"), ("b", "v", "i"), ("c", "v", "j"), ("d", "v", None)]
    state.apply(events(*({"event_id": e, "at": 1, "user_id": u, "item_id": i} for e, u, i in rows)), "1")
    assert state.forget(user_id="u") == 1
    assert len(state.person("u")) == 0
    assert state.tallies().to_pylist() == [
        {"item_id": "i", "hour": 0, "action": "click", "events": 1},
        {"item_id": "j", "hour": 0, "action": "click", "events": 1},
    ]
    assert state.forget(item_id="i") == 1
    assert _ids(state.steps()) == ["c", "d"]
    assert state.forget(user_id="nobody", item_id="nothing") == 0


_ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "event_id": st.sampled_from([f"e{number}" for number in range(12)]),
            "at": st.integers(0, 3 * HOUR_US),
            "user_id": st.sampled_from(AWKWARD_TEXTS[:4]),
            "item_id": st.sampled_from([None, *AWKWARD_TEXTS[:3]]),
            "action": st.sampled_from(["save", "click", "search"]),
        }
    ),
    max_size=14,
    unique_by=lambda row: row["event_id"],
)


def any_interleaving_gives_the_state_of_the_batch(make: Make) -> None:
    """Byte for byte: shuffled, cut anywhere, delivered more than once, the state is the twin's of one batch."""

    @settings(max_examples=15, deadline=None)
    @given(rows=_ROWS, data=st.data())
    def law(rows: list[dict], data: st.DataObject) -> None:
        batch, stream = MemoryOnlineState(), make()
        batch.apply(events(*rows), "end")
        order = data.draw(st.permutations(rows + rows[: len(rows) // 2]))
        while order:
            cut = data.draw(st.integers(1, len(order)))
            stream.apply(events(*order[:cut]), "somewhere")
            order = order[cut:]
        assert state_fingerprint(stream) == state_fingerprint(batch)
        for user_id in AWKWARD_TEXTS[:4]:
            assert stream.person(user_id).table.equals(batch.person(user_id).table)
        assert stream.tallies().equals(batch.tallies())

    law()


LAWS = (
    an_empty_state_knows_nothing,
    an_event_counts_once_whatever_it_says_the_second_time,
    late_events_take_their_place_by_time_and_then_by_id,
    what_a_build_has_is_trimmed_and_stays_away,
    who_is_forgotten_is_gone_from_steps_and_tallies,
    any_interleaving_gives_the_state_of_the_batch,
)
