from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bowerbird.errors import InputError
from bowerbird.evaluation import splits
from bowerbird.recommenders.interactions import Interactions

rows = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 8)), min_size=4, max_size=60)


def interactions(pairs: list[tuple[int, int]], *, timed: bool = True) -> Interactions:
    columns = {"user_id": [user for user, _ in pairs], "item_id": [item for _, item in pairs]}
    if timed:
        columns["at"] = pa.array(range(100, 100 + len(pairs)), pa.timestamp("us"))
    return Interactions.from_table(pa.table(columns))


def parts_of(split: splits.Split) -> list[Interactions]:
    return [split.train, split.valid, split.test]


@given(rows)
def test_every_event_is_in_exactly_one_part(pairs: list[tuple[int, int]]):
    data = interactions(pairs)
    for split in (
        splits.leave_one_out(data),
        splits.global_time(data),
        splits.random_holdout(data, 0.2, seed=1),
        splits.per_item_stratified(data),
    ):
        assert sorted(at for part in parts_of(split) for at in part.at.tolist()) == data.at.tolist()


@given(rows)
def test_leave_one_out_equals_a_loop(pairs: list[tuple[int, int]]):
    split = splits.leave_one_out(interactions(pairs))
    for user in {user for user, _ in pairs}:
        own = [100 + place for place, (who, _) in enumerate(pairs) if who == user]
        expected = (own[:-2], own[-2:-1], own[-1:]) if len(own) >= 3 else (own, [], [])
        for part, times in zip(parts_of(split), expected, strict=True):
            assert part.at[part.user_ids[part.users] == str(user)].tolist() == times


@given(rows)
def test_nothing_in_train_is_later_than_anything_in_test(pairs: list[tuple[int, int]]):
    split = splits.global_time(interactions(pairs))
    valid_from, test_from = split.boundaries
    assert split.train.at.max() < valid_from
    assert split.test.at.min() >= test_from
    assert all(valid_from <= at < test_from for at in split.valid.at)


def test_a_tenth_of_the_events_is_test_and_a_tenth_validation():
    split = splits.global_time(interactions([(0, 0)] * 100))
    assert [len(part) for part in parts_of(split)] == [80, 10, 10]


def test_stratification_keeps_the_ratio_of_each_item():
    split = splits.per_item_stratified(interactions([(user, item) for item in range(3) for user in range(7)]))
    assert split.train.popularity().tolist() == [int(0.75 * 7)] * 3


def test_the_only_event_of_an_item_is_test():
    split = splits.per_item_stratified(interactions([(0, 0), (1, 1), (2, 1), (3, 1), (4, 1)]))
    assert split.train.popularity().tolist() == [0, 3]


def test_stratification_draws_as_the_public_board_does():
    pairs = [(user, user % 2) for user in range(16)]
    split = splits.per_item_stratified(interactions(pairs))
    draw = np.random.RandomState(42).rand(16)
    test = [user for item in (0, 1) for user in sorted(range(item, 16, 2), key=lambda user: draw[user])[6:]]
    assert sorted(split.test.users.tolist()) == sorted(test)


def test_stratification_does_not_depend_on_the_row_order():
    pairs = [(user, user % 3) for user in range(30)]
    one, other = (splits.per_item_stratified(interactions(rows)).test for rows in (pairs, pairs[::-1]))
    assert sorted(one.user_ids[one.users]) == sorted(other.user_ids[other.users])


def test_warm_parts_hold_only_what_train_knows_well():
    data = interactions([(0, 0), (1, 0), (0, 1), (1, 1), (2, 2), (0, 2), (0, 0), (2, 0), (1, 1)])
    places = np.arange(len(data))
    split = splits.Split(data.where(places < 6), data.where(places < 0), data.where(places >= 6))
    warm = splits.warm_split(split, core=2)
    # user 2 and item 2 fall: item 2 has users 2 and 0, but user 2 has one event
    assert warm.split.train.item_ids.tolist() == ["0", "1"]
    assert len(warm.split.train) == 4
    assert warm.cold_events == 1
    with pytest.raises(InputError, match="need 9 train events"):
        splits.warm_split(split, core=9)


def test_the_seed_decides_the_holdout():
    data = interactions([(user, 0) for user in range(50)])
    first = splits.random_holdout(data, 0.1, seed=1).test.users.tolist()
    assert splits.random_holdout(data, 0.1, seed=1).test.users.tolist() == first
    assert splits.random_holdout(data, 0.1, seed=2).test.users.tolist() != first


def test_the_given_split_is_kept():
    for words in (["train", "dev", "test"], ["Training", "eval", "TESTING"]):
        table = pa.table({"user_id": [1, 1, 1], "item_id": [1, 2, 3], "split": words})
        split = splits.given_split(Interactions.from_table(table))
        assert [part.items.tolist() for part in parts_of(split)] == [[0], [1], [2]]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["train", "tset"], "split 'tset'"),
        (["train", "train"], "no row as 'test'"),
        (["test", "test"], "'train'"),
    ],
)
def test_a_wrong_split_column_is_refused(names: list[str], message: str):
    table = pa.table({"user_id": [1, 1], "item_id": [1, 2], "split": names})
    with pytest.raises(InputError, match=message):
        splits.given_split(Interactions.from_table(table))


def test_missing_columns_are_refused():
    with pytest.raises(InputError, match="no column 'split'"):
        splits.given_split(interactions([(0, 0)]))
    with pytest.raises(InputError, match="no 'at' column"):
        splits.global_time(interactions([(0, 0)], timed=False))


def test_equal_times_cannot_be_split():
    table = pa.table({"user_id": [1, 1], "item_id": [1, 2], "at": [5, 5]})
    with pytest.raises(InputError, match="same time"):
        splits.global_time(Interactions.from_table(table))


def test_shares_out_of_range_are_refused():
    data = interactions([(0, 0), (0, 1)])
    with pytest.raises(InputError, match="holdout = 10"):
        splits.random_holdout(data, 10.0, seed=1)
    with pytest.raises(InputError, match=r"ratio = 75"):
        splits.per_item_stratified(data, 75.0)
    with pytest.raises(InputError, match=r"test_share = 0\.5"):
        splits.global_time(data, 0.5)
