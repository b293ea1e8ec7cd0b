"""Tracks: steps of many people in flat arrays."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bowerbird.signals.tracks import Steps, Track


def steps(facts: list[tuple[int, int]]) -> Steps:
    users = np.array([user for user, _ in facts], np.int32)
    at = np.array([at for _, at in facts], np.int64)
    return Steps(
        users,
        np.arange(len(facts), dtype=np.int32),
        at,
        np.zeros(len(facts), np.int8),
        np.zeros(len(facts), bool),
    )


pairs = st.lists(st.tuples(st.integers(0, 3), st.integers(-3, 6)), max_size=30)


def test_a_span_holds_since_and_not_until():
    track = Track.of(steps([(0, 1), (0, 2), (0, 3)]), users=1)
    assert track.at[track.span(0, until=3, since=2)].tolist() == [2]
    assert track.at[track.span(0, until=1, since=5)].tolist() == []


def test_one_person_alone_is_person_zero():
    track = Track.of(steps([(0, 1), (2, 7), (2, 5)]), users=3).of_one(2)
    assert track.at.tolist() == [5, 7]
    assert track.users == 1
    assert track.owners().tolist() == [0, 0]


@given(pairs, pairs)
def test_merging_equals_sorting_everything_again(old: list[tuple[int, int]], new: list[tuple[int, int]]):
    both = steps(old + new)
    rebuilt = Track.of(both, users=4)
    late = both.where(np.arange(len(both)) >= len(old))
    merged = Track.of(both.where(np.arange(len(both)) < len(old)), users=4).merged(late)
    for name in ("offsets", "rows", "at", "actions"):
        assert getattr(merged, name).tobytes() == getattr(rebuilt, name).tobytes()
        assert getattr(merged, name).dtype == getattr(rebuilt, name).dtype
