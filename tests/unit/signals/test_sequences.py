"""The one sequence: histories strictly before a time; the stream equals the batch."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from bowerbird.clock import DAY_US
from bowerbird.records import ACTION_CODE, Events, Vocabulary
from bowerbird.signals.online_sequence import OnlineSequence
from bowerbird.signals.sequences import Sequences, SequenceSettings

USERS = Vocabulary("user", ("u0", "u1", "u2"))
ITEMS = Vocabulary("item", ("i0", "i1", "i2", "i3"))

Fact = tuple[int, str, str | None, str]  # at, user, item, action


def events(facts: list[Fact]) -> Events:
    columns = list(zip(*facts, strict=True)) if facts else [[], [], [], []]
    return Events(
        pa.table(
            {
                "event_id": pa.array([str(n) for n in range(len(facts))], pa.string()),
                "at": pa.array(columns[0], pa.int64()),
                "user_id": pa.array(columns[1], pa.string()),
                "item_id": pa.array(columns[2], pa.string()),
                "action": pa.array(columns[3], pa.string()),
                "query": pa.array(["words" if item == "i3" else None for item in columns[2]], pa.string()),
            }
        )
    )


facts = st.lists(
    st.tuples(
        st.integers(-5, 12),
        st.sampled_from(["u0", "u1", "u2", "stranger"]),
        st.sampled_from(["i0", "i1", "i2", "i3", "unknown", None]),
        st.sampled_from(["impression", "save", "closeup", "hide", "visit"]),
    ),
    max_size=40,
)


def built(log: list[Fact], **settings: object) -> Sequences:
    return Sequences.from_events(events(log), USERS, ITEMS, SequenceSettings(**settings))


def answers(sequences: Sequences | OnlineSequence, user: int, as_of: int) -> list[bytes]:
    history = sequences.history(user, as_of)
    arrays = [
        history.rows,
        history.at,
        history.actions,
        sequences.shown(user, as_of),
        sequences.hidden(user, as_of),
    ]
    for steps in (
        sequences.impressed(user, as_of, 1),
        sequences.answered(user, as_of, 1),
        sequences.refused(user, as_of),
    ):
        arrays += [steps.rows, steps.at]
    return [array.tobytes() for array in (*arrays, sequences.times(user, as_of))]


def test_a_history_holds_positive_actions_strictly_before_as_of_oldest_first():
    log = [
        (30, "u0", "i2", "click"),
        (10, "u0", "i0", "save"),
        (20, "u0", "i1", "impression"),
        (10, "u1", "i3", "save"),
    ]
    sequences = built(log)
    history = sequences.history(0, as_of=31)
    assert history.rows.tolist() == [0, 2]
    assert history.at.tolist() == [10, 30]
    assert history.actions.tolist() == [ACTION_CODE["save"], ACTION_CODE["click"]]
    assert sequences.history(0, as_of=30).rows.tolist() == [0]


def test_a_history_keeps_only_the_newest():
    log = [(at, "u0", f"i{at % 4}", "save") for at in range(10)]
    assert built(log, max_length=3).history(0, as_of=9).rows.tolist() == [6 % 4, 7 % 4, 8 % 4]


def test_shown_covers_the_window_and_keeps_repeats():
    log = [
        (0, "u0", "i0", "impression"),
        (DAY_US, "u0", "i1", "impression"),
        (2 * DAY_US, "u0", "i1", "impression"),
    ]
    assert built(log, shown_days=1).shown(0, as_of=2 * DAY_US).tolist() == [1]
    assert built(log, shown_days=3).shown(0, as_of=2 * DAY_US + 1).tolist() == [0, 1, 1]


def test_hidden_items_are_remembered_for_ever():
    log = [(0, "u0", "i3", "hide"), (900 * DAY_US, "u0", "i1", "save")]
    assert built(log).hidden(0, as_of=1000 * DAY_US).tolist() == [3]
    assert built(log).hidden(0, as_of=0).tolist() == []


def test_what_answered_a_query_is_what_the_person_looks_for():
    log = [
        (1, "u0", "i3", "impression"),
        (2, "u0", "i1", "impression"),
        (3, "u0", "i3", "save"),
        (4, "u0", "i3", "hide"),
    ]
    sequences = built(log)
    assert sequences.impressed(0, as_of=5, days=1).at.tolist() == [1, 2]
    assert sequences.answered(0, as_of=5, days=1).at.tolist() == [1]
    assert sequences.refused(0, as_of=5).at.tolist() == [4]


def test_nobody_has_empty_answers():
    sequences = built([(0, "u0", "i3", "hide")])
    assert answers(sequences, -1, 100) == [b""] * 12
    assert answers(sequences, 2, 100) == [b""] * 12


def test_events_of_strangers_and_unknown_items_are_left_out_and_counted():
    log = [
        (0, "stranger", "i0", "save"),
        (1, "u0", "unknown", "save"),
        (2, "u0", None, "visit"),
        (3, "u0", "i0", "save"),
    ]
    sequences = built(log)
    assert (sequences.unknown_users, sequences.unknown_items) == (1, 1)
    assert sequences.times(0, as_of=4).tolist() == [2, 3]
    assert sequences.history(0, as_of=4).rows.tolist() == [0]


def test_equal_times_keep_the_order_of_arrival():
    log = [(5, "u0", "i2", "save"), (5, "u0", "i0", "save"), (5, "u0", "i1", "save")]
    assert built(log).history(0, as_of=6).rows.tolist() == [2, 0, 1]


def test_an_unknown_action_in_the_settings_is_refused():
    with pytest.raises(ValidationError, match="did you mean 'save'"):
        SequenceSettings(actions=("svae",))


@settings(max_examples=20)  # each example builds several logs
@given(facts, st.integers(-6, 13), facts)
def test_the_future_changes_nothing(log: list[Fact], as_of: int, more: list[Fact]):
    future = [(as_of + abs(at), user, item, action) for at, user, item, action in more]
    before, after = built(log), built(log + future)
    for user in range(-1, 3):
        assert answers(before, user, as_of) == answers(after, user, as_of)


@settings(max_examples=20)  # each example builds several logs
@given(facts, st.lists(st.integers(0, 40), max_size=4))
def test_the_stream_equals_the_batch_in_bytes(log: list[Fact], cuts: list[int]):
    bounds = [0, *sorted(cuts), len(log)]
    chunks = [log[start:stop] for start, stop in pairwise(bounds)]
    batch = built(log)
    stream = Sequences.from_events(events([]), USERS, ITEMS)
    for chunk in chunks:
        stream = stream.appended(events(chunk))
    assert stream.fingerprint() == batch.fingerprint()
    assert (stream.unknown_users, stream.unknown_items) == (batch.unknown_users, batch.unknown_items)


@settings(max_examples=20)  # each example builds several logs
@given(facts, st.randoms(use_true_random=False))
def test_any_order_of_arrival_of_distinct_times_gives_the_same_bytes(log: list[Fact], random):
    distinct = [(1000 * place + at, *rest) for place, (at, *rest) in enumerate(log)]
    shuffled = list(distinct)
    random.shuffle(shuffled)
    stream = Sequences.from_events(events([]), USERS, ITEMS)
    for start in range(0, len(shuffled), 7):
        stream = stream.appended(events(shuffled[start : start + 7]))
    assert stream.fingerprint() == built(distinct).fingerprint()


@settings(max_examples=20)  # each example builds several logs
@given(facts, st.integers(0, 40), st.integers(-6, 14))
def test_serving_reads_what_a_rebuild_would_give(log: list[Fact], cut: int, as_of: int):
    online = OnlineSequence(built(log[:cut]))
    for fact in log[cut:]:
        online.add(events([fact]))
    batch = built(log)
    for user in range(-1, 3):
        assert answers(online, user, as_of) == answers(batch, user, as_of)
    assert (online.unknown_users, online.unknown_items) == (batch.unknown_users, batch.unknown_items)
    assert (online.users, online.items) == (batch.users, batch.items)


@given(facts, st.integers(-6, 14))
def test_reads_equal_a_plain_loop(log: list[Fact], as_of: int):
    sequences = built(log, max_length=5)
    for row, user in enumerate(USERS.ids):
        own = sorted((fact for fact in log if fact[1] == user and fact[0] < as_of), key=lambda fact: fact[0])
        liked = [ITEMS.row(f[2]) for f in own if f[3] in {"save", "closeup"} and f[2] in ITEMS]
        assert sequences.history(row, as_of).rows.tolist() == liked[-5:]
        assert sequences.times(row, as_of).tolist() == [f[0] for f in own if f[2] != "unknown"]


@given(facts, st.integers(-6, 14))
def test_all_histories_at_once_equal_them_one_by_one(log: list[Fact], as_of: int):
    sequences = built(log, max_length=4)
    together = sequences.histories(as_of)
    for user in range(3):
        own, one = slice(*together.offsets[user : user + 2]), sequences.history(user, as_of)
        assert together.rows[own].tolist() == one.rows.tolist()
        assert together.at[own].tolist() == one.at.tolist()
        assert together.actions[own].tolist() == one.actions.tolist()


@pytest.mark.data
def test_movielens_ratings_become_everybodys_sequence(shared_data):
    table = pq.read_table(shared_data / "ml_100k" / "interactions.parquet")
    log = Events(
        pa.table(
            {
                "event_id": pa.array(np.arange(len(table)).astype(str)),
                "at": pa.array(table["timestamp"].to_numpy() * 1_000_000),
                "user_id": table["user_id"].cast(pa.string()),
                "item_id": table["item_id"].cast(pa.string()),
                "action": pa.array(["rate"] * len(table)),
            }
        )
    )
    users = Vocabulary("user", tuple(sorted(set(log.table["user_id"].to_pylist()))))
    items = Vocabulary("item", tuple(sorted(set(log.table["item_id"].to_pylist()))))
    sequences = Sequences.from_events(log, users, items)
    end = int(log.at[-1]) + 1
    assert len(sequences.positives) == len(table) == 100_000
    lengths = [len(sequences.times(row, end)) for row in range(len(users))]
    assert sum(lengths) == 100_000
    assert min(lengths) >= 20  # the set holds people with at least 20 ratings
    rebuilt = Sequences.from_events(Events(log.table.slice(0, 50_000)), users, items)
    assert rebuilt.appended(Events(log.table.slice(50_000))).fingerprint() == sequences.fingerprint()
