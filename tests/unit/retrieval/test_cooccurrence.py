from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bowerbird.errors import InputError, StorageError
from bowerbird.retrieval.cooccurrence import CooccurrenceSettings, SequentialCooccurrence, decayed_histories

ITEMS = 6
events = st.lists(st.tuples(st.integers(0, 3), st.integers(0, ITEMS - 1)), max_size=30)
dials = st.builds(
    CooccurrenceSettings,
    window=st.integers(1, 4),
    distance_power=st.sampled_from([0.0, 1.0]),
    distance_decay=st.sampled_from([0.7, 1.0]),
    backward=st.sampled_from([0.0, 0.5]),
    from_damping=st.sampled_from([0.0, 0.5]),
    to_damping=st.sampled_from([0.0, 0.25]),
    history_length=st.integers(1, 5),
)


def fitted(
    rows: list[tuple[int, int]], settings: CooccurrenceSettings | None = None
) -> SequentialCooccurrence:
    users, items = np.array(rows, dtype=np.int32).reshape(-1, 2).T
    return SequentialCooccurrence.fit(users, items, items_total=ITEMS, settings=settings)


def slow_scores(rows: list[tuple[int, int]], history: list[int], dials: CooccurrenceSettings) -> list[float]:
    """The obvious twin: loops over people, positions and ages."""
    count = [max(1, sum(item == i for _, item in rows)) for i in range(ITEMS)]
    follow = [[0.0] * ITEMS for _ in range(ITEMS)]
    for person in range(4):
        sequence = [item for user, item in rows if user == person]
        for s, i in enumerate(sequence):
            for d, j in enumerate(sequence[s + 1 : s + 1 + dials.window], start=1):
                follow[i][j] += dials.distance_decay ** (d - 1) / d**dials.distance_power
    scores = [0.0] * ITEMS
    for age, i in enumerate(reversed(history[-dials.history_length :])):
        for j in range(ITEMS):
            pair = follow[i][j] + dials.backward * follow[j][i]
            damping = count[i] ** dials.from_damping * count[j] ** dials.to_damping
            scores[j] += dials.history_decay**age * pair / damping
    return scores


@given(events, st.lists(st.integers(0, ITEMS - 1), max_size=7), dials)
def test_scores_equal_the_obvious_loop(
    rows: list[tuple[int, int]], history: list[int], dials: CooccurrenceSettings
):
    found = fitted(rows, dials).scores(np.array(history, dtype=np.int64))
    assert found == pytest.approx(slow_scores(rows, history, dials), abs=1e-5)


@given(events, events)
def test_a_batch_equals_one_by_one(rows: list[tuple[int, int]], asked: list[tuple[int, int]]):
    model = fitted(rows)
    users, items = np.array(asked, dtype=np.int32).reshape(-1, 2).T
    batch = model.score_histories(users, items, users_total=4)
    for person in range(4):
        np.testing.assert_allclose(batch[person], model.scores(items[users == person]), rtol=1e-6)


@given(events)
def test_the_interleaving_of_people_changes_nothing(rows: list[tuple[int, int]]):
    grouped = sorted(rows, key=lambda row: row[0])
    assert (fitted(rows).table != fitted(grouped).table).nnz == 0


def test_the_next_item_weighs_more_than_a_later_one():
    rows, scores = fitted(
        [(0, 0), (0, 1), (0, 2)], CooccurrenceSettings(distance_power=1, from_damping=0, to_damping=0)
    ).neighbours(0, 5)
    assert rows.tolist() == [1, 2]
    assert scores.tolist() == [1.0, 1 / 2]


def test_an_item_is_never_its_own_neighbour():
    rows, _ = fitted([(0, 3), (0, 3), (0, 4)]).neighbours(3, 5)
    assert rows.tolist() == [4]


def test_older_history_weighs_less_and_repeats_add_up():
    found = decayed_histories(np.array([1, 1, 1, 0]), np.array([2, 0, 2, 1]), (2, 3), decay=0.5).toarray()
    assert found.tolist() == [[0, 1, 0], [0.5, 0, 1 + 0.25]]


def test_only_the_latest_events_of_a_history_count():
    found = decayed_histories(np.array([0, 0, 0]), np.array([0, 1, 2]), (1, 3), length=2).toarray()
    assert found.tolist() == [[0, 1, 1]]


def test_no_events_give_an_empty_table():
    model = fitted([])
    assert model.neighbours(0, 3)[0].size == 0
    assert model.scores(np.array([1])).tolist() == [0.0] * ITEMS


def test_saved_and_loaded_it_gives_equal_answers(tmp_path: Path):
    model = fitted([(0, 0), (0, 1), (1, 1), (1, 5)], CooccurrenceSettings(window=3))
    model.save(tmp_path / "table.npz")
    again = SequentialCooccurrence.load(tmp_path / "table.npz")
    history = np.array([1, 0])
    assert again.settings == model.settings
    assert again.scores(history).tolist() == model.scores(history).tolist()


def test_a_damaged_file_is_refused(tmp_path: Path):
    path = tmp_path / "table.npz"
    fitted([(0, 0), (0, 1)]).save(path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(StorageError, match="build it again"):
        SequentialCooccurrence.load(path)
    with pytest.raises(StorageError, match="build it again"):
        SequentialCooccurrence.load(tmp_path / "absent.npz")


def test_rows_outside_the_catalogue_are_refused():
    with pytest.raises(InputError, match=r"expected rows in 0\.\.5"):
        fitted([(0, ITEMS)])
    with pytest.raises(InputError, match="item row 6"):
        fitted([(0, 0)]).neighbours(ITEMS, 1)


@given(events, st.lists(st.integers(0, ITEMS - 1), max_size=7))
def test_evidence_is_the_history_item_with_the_largest_term(rows: list[tuple[int, int]], asked: list[int]):
    model = fitted(rows)
    history = np.array(asked, dtype=np.int32)
    scores, evidence = model.scores_with_evidence(history)
    np.testing.assert_allclose(scores, model.scores(history), rtol=1e-5, atol=1e-7)
    for item in range(ITEMS):
        terms = [
            (model.table[row, item] * model.settings.history_decay**age, row)
            for age, row in enumerate(reversed(asked))
        ]
        best = max((term for term, _ in terms), default=0.0)
        allowed = {row for term, row in terms if term >= best * (1 - 1e-6)} if best > 0 else {-1}
        assert evidence[item] in allowed
