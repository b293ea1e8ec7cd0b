"""The decayed mean: one vector per person."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bowerbird.clock import DAY_US
from bowerbird.errors import InputError
from bowerbird.records import ACTION_CODE, Events, History, Space, Vectors, Vocabulary
from bowerbird.signals.sequences import Sequences, SequenceSettings
from bowerbird.users.long_term import decayed_mean, decayed_means

DOT = Space("item", "1", 2, "dot")
ITEM_VECTORS = Vectors(DOT, np.array([[1, 0], [0, 1], [0, 0]], np.float32), np.array([True, True, False]))
USERS, ITEMS = Vocabulary("user", ("u0", "u1", "u2")), Vocabulary("item", ("i0", "i1", "i2"))


def history(rows: list[int], days: list[float], actions: list[str]) -> History:
    at = np.array([round(day * DAY_US) for day in days], np.int64)
    return History(np.array(rows, np.int32), at, np.array([ACTION_CODE[a] for a in actions], np.int8))


def test_a_step_one_half_life_older_counts_half():
    mean = decayed_mean(
        history([0, 1], [0, 10], ["click", "click"]), ITEM_VECTORS, 11 * DAY_US, half_life_days=10
    )
    assert mean.matrix[0] == pytest.approx([0.5 / 1.5, 1.0 / 1.5])


def test_a_save_counts_by_its_strength():
    steps = history([0, 1], [1, 1], ["save", "click"])
    mean = decayed_mean(steps, ITEM_VECTORS, 2 * DAY_US, strength={"save": 3.0, "click": 1.0})
    assert mean.matrix[0] == pytest.approx([3 / 4, 1 / 4])


def test_in_a_cosine_space_the_mean_has_length_one():
    cosine = Vectors.full(Space("item", "1", 2), np.eye(2, dtype=np.float32))
    mean = decayed_mean(history([0, 1], [1, 1], ["click", "click"]), cosine, 2 * DAY_US)
    assert mean.matrix[0] == pytest.approx([0.5**0.5, 0.5**0.5])


@pytest.mark.parametrize("steps", [History.empty(), history([2], [1], ["save"])])
def test_nothing_to_average_is_absent(steps: History):
    mean = decayed_mean(steps, ITEM_VECTORS, 2 * DAY_US)
    assert mean.present.tolist() == [False]
    assert mean.matrix.tolist() == [[0, 0]]


def test_a_very_old_history_does_not_underflow():
    mean = decayed_mean(history([0, 1], [1, 1], ["click", "click"]), ITEM_VECTORS, 100_000 * DAY_US)
    assert mean.matrix[0] == pytest.approx([0.5, 0.5])


def test_a_history_from_the_future_is_refused():
    with pytest.raises(InputError, match="is not before as_of"):
        decayed_mean(history([0], [1], ["save"]), ITEM_VECTORS, DAY_US)


def test_wrong_dials_are_refused():
    steps = history([0], [1], ["save"])
    with pytest.raises(InputError, match="half_life_days = 0; expected more than 0"):
        decayed_mean(steps, ITEM_VECTORS, 2 * DAY_US, half_life_days=0)
    with pytest.raises(InputError, match="unknown action 'sav'; did you mean 'save'"):
        decayed_mean(steps, ITEM_VECTORS, 2 * DAY_US, strength={"sav": 1.0})


facts = st.lists(
    st.tuples(
        st.integers(0, 20),
        st.sampled_from(USERS.ids),
        st.sampled_from(ITEMS.ids),
        st.sampled_from(["save", "click"]),
    ),
    max_size=30,
)


def built(log: list[tuple[int, str, str, str]]) -> Sequences:
    columns = list(zip(*log, strict=True)) if log else [[], [], [], []]
    table = {
        "event_id": pa.array([str(n) for n in range(len(log))], pa.string()),
        "at": pa.array([day * DAY_US for day in columns[0]], pa.int64()),
        "user_id": pa.array(columns[1], pa.string()),
        "item_id": pa.array(columns[2], pa.string()),
        "action": pa.array(columns[3], pa.string()),
    }
    return Sequences.from_events(Events(pa.table(table)), USERS, ITEMS, SequenceSettings(max_length=6))


@given(facts, st.integers(0, 21))
def test_everybody_at_once_equals_one_by_one_in_bytes(log: list[tuple[int, str, str, str]], day: int):
    sequences, as_of = built(log), day * DAY_US
    together = decayed_means(sequences, ITEM_VECTORS, as_of, half_life_days=7)
    for row in range(3):
        alone = decayed_mean(sequences.history(row, as_of), ITEM_VECTORS, as_of, half_life_days=7)
        assert alone.matrix[0].tobytes() == together.matrix[row].tobytes()
        assert alone.present[0] == together.present[row]


@given(facts, facts, st.integers(0, 21))
def test_the_future_changes_nothing(log: list, more: list, day: int):
    future = [(day + late, *rest) for late, *rest in more]
    before, after = built(log), built(log + future)
    as_of = day * DAY_US
    one, two = decayed_means(before, ITEM_VECTORS, as_of), decayed_means(after, ITEM_VECTORS, as_of)
    assert one.matrix.tobytes() == two.matrix.tobytes()
