from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bowerbird.content.copy_groups import canonical_rows, closed_groups


def silent(asked: np.ndarray) -> np.ndarray:
    return np.zeros(len(asked), np.float32)


def test_pairs_join_through_others_and_the_smallest_row_is_canonical() -> None:
    pairs = np.array([[4, 5], [2, 4], [0, 1]])
    group = closed_groups(pairs, np.full(3, 0.9, np.float32), np.arange(6)[::-1].copy(), silent)
    assert canonical_rows(group).tolist() == [0, 0, 2, 3, 2, 2]


def test_verdicts_that_say_nothing_or_no_join_nothing() -> None:
    pairs = np.array([[0, 1], [1, 2]])
    assert closed_groups(pairs, np.array([0.0, -1.0], np.float32), np.arange(3), silent).tolist() == [0, 1, 2]


def test_a_chain_is_cut_at_its_weakest_link_where_its_ends_were_seen_to_differ() -> None:
    pairs = np.array([[0, 1], [1, 2], [2, 3]])
    scores = np.array([0.9, 0.6, 0.9], np.float32)

    def ends_differ(asked: np.ndarray) -> np.ndarray:
        return np.where((asked == [0, 3]).all(axis=1), -1.0, 0.0).astype(np.float32)

    assert closed_groups(pairs, scores, np.arange(4), ends_differ).tolist() == [0, 0, 2, 2]


@given(st.data())
def test_no_two_small_groups_that_differ_are_joined_and_the_order_of_rows_does_not_matter(
    data: st.DataObject,
) -> None:
    """Positions on a line: near ones are the same, far ones are seen to differ, between there is no telling."""
    spots = np.array(data.draw(st.lists(st.integers(0, 30), min_size=2, max_size=8, unique=True)))
    shuffled = np.array(data.draw(st.permutations(range(len(spots)))))

    def verdict(a: int, b: int, at: np.ndarray) -> float:
        apart = abs(int(at[a]) - int(at[b]))
        return 1 - 0.1 * apart if apart <= 3 else (0.0 if apart <= 6 else -1.0)

    def grouped(at: np.ndarray) -> set[frozenset[int]]:
        pairs = np.array([(a, b) for a in range(len(at)) for b in range(a + 1, len(at))])
        scores = np.array([verdict(a, b, at) for a, b in pairs.tolist()], np.float32)
        place = np.argsort(np.argsort(at))
        found = closed_groups(
            pairs,
            scores,
            place,
            lambda asked: np.array([verdict(a, b, at) for a, b in asked.tolist()], np.float32),
        )
        return {frozenset(at[found == name].tolist()) for name in found}

    groups = grouped(spots)
    assert groups == grouped(spots[shuffled])
    for group in groups:
        if len(group) <= 4:  # all speak for themselves
            assert max(group) - min(group) <= 6
