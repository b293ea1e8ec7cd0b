"""Activity states and transitions."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from bowerbird.clock import DAY_US
from bowerbird.records import Events, Vocabulary
from bowerbird.signals.sequences import Sequences
from bowerbird.users.states import ACTIVE_DAYS, STATES, Activity, activity_states, state_transitions

Fact = tuple[float, str]  # day, user


def built(log: list[Fact], people: int = 6) -> Sequences:
    table = {
        "event_id": pa.array([str(n) for n in range(len(log))], pa.string()),
        "at": pa.array([round(day * DAY_US) for day, _ in log], pa.int64()),
        "user_id": pa.array([user for _, user in log], pa.string()),
        "item_id": pa.array(["i"] * len(log), pa.string()),
        "action": pa.array(["impression"] * len(log), pa.string()),
    }
    users = Vocabulary("user", tuple(f"u{n}" for n in range(people)))
    return Sequences.from_events(Events(pa.table(table)), users, Vocabulary("item", ("i",)))


def test_states_follow_from_active_days_in_the_last_28():
    as_of = 100 * DAY_US
    log: list[Fact] = [(90.5, "u0")]  # new: first event 9.5 days ago
    for user, days in (("u1", 8), ("u2", 7), ("u3", 3)):
        log += [(10.0, user), *[(99.5 - n, user) for n in range(days)]]
    log += [(10.0, "u4")]
    names = [STATES[code] if code >= 0 else None for code in activity_states(built(log), as_of).tolist()]
    assert names == ["new", "core", "casual", "marginal", "dormant", None]


def test_many_events_of_one_day_are_one_active_day():
    activity = Activity.of(
        built([(0.0, "u0"), (9.1, "u0"), (9.2, "u0"), (9.3, "u0"), (8.5, "u0")]), 10 * DAY_US
    )
    assert activity.active[0].tolist() == [2, 3, 3, 3, 3]
    assert activity.events[0].tolist() == [4, 5, 5]
    assert activity.last_days[0] == 0.7
    assert activity.first_days[0] == 10.0
    assert activity.seen.tolist() == [True] + [False] * 5


def test_transitions_count_people_with_a_state_on_both_sides():
    before, after = np.array([1, 1, 2, -1, 0], np.int8), np.array([1, 2, 2, 1, -1], np.int8)
    moves = state_transitions(before, after)
    assert moves[1].tolist() == [0, 1, 1, 0, 0]
    assert moves.sum() == 3


facts = st.lists(st.tuples(st.integers(0, 60), st.sampled_from([f"u{n}" for n in range(4)])), max_size=40)


@settings(max_examples=20)  # each example builds several logs
@given(facts, facts, st.integers(0, 61))
def test_the_future_changes_nothing(log: list[Fact], more: list[Fact], day: int):
    future = [(day + late, user) for late, user in more]
    one, two = built(log, 4), built(log + future, 4)
    before, after = Activity.of(one, day * DAY_US), Activity.of(two, day * DAY_US)
    for name in ("active", "events", "last_days", "first_days"):
        assert getattr(before, name).tobytes() == getattr(after, name).tobytes()


@settings(max_examples=20)  # each example builds several logs
@given(facts, st.integers(0, 61))
def test_active_days_equal_a_plain_count(log: list[Fact], day: int):
    activity = Activity.of(built(log, 4), day * DAY_US)
    for row in range(4):
        ages = {day - 1 - at for at, user in log if user == f"u{row}" and at < day}
        assert activity.active[row].tolist() == [sum(age < days for age in ages) for days in ACTIVE_DAYS]
