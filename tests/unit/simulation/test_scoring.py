"""What was found against what was planted: pairs counted by hand, interests by sets."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bowerbird.errors import InputError
from bowerbird.simulation.scoring import interest_recall, near_duplicate_pairs, pair_score
from bowerbird.testing.tiny_world import tiny_world

groupings = st.integers(1, 12).flatmap(
    lambda n: st.tuples(*(st.lists(st.integers(0, 3), min_size=n, max_size=n) for _ in range(2)))
)


@given(groupings)
def test_pairs_are_those_a_loop_over_items_finds(groups: tuple[list[int], list[int]]) -> None:
    found, true = (np.array(one, dtype=np.int64) for one in groups)
    score = pair_score(found, true)
    pairs = [(i, j) for i in range(len(found)) for j in range(i)]
    assert score.found == sum(found[i] == found[j] for i, j in pairs)
    assert score.true == sum(true[i] == true[j] for i, j in pairs)
    assert score.both == sum(found[i] == found[j] and true[i] == true[j] for i, j in pairs)


def test_a_group_of_three_where_a_pair_is_true() -> None:
    score = pair_score(np.array([0, 0, 0, 1]), np.array([0, 0, 1, 2]))
    assert (score.precision, score.recall) == (1 / 3, 1 / 1)


def test_nothing_found_is_never_wrong_and_nothing_planted_never_missed() -> None:
    alone, together = np.array([0, 1]), np.array([0, 0])
    assert pair_score(alone, together).precision == 1.0
    assert pair_score(together, alone).recall == 1.0


def test_the_planted_groups_themselves_score_full_marks() -> None:
    truth = tiny_world().truth
    ids = truth.items["item_id"].to_pylist()
    first: dict[int, str] = {}
    canonical = {
        name: first.setdefault(group, name)
        for name, group in zip(ids, truth.duplicate_groups().tolist(), strict=True)
    }
    score = near_duplicate_pairs(canonical, truth)
    assert score.found == score.true == score.both > 0


def test_an_item_in_no_group_is_an_error() -> None:
    with pytest.raises(InputError, match=r"127 of 127 items of the world are in no group, first 'i0'"):
        near_duplicate_pairs({}, tiny_world().truth)


def test_the_true_interests_recall_themselves_and_others_nothing() -> None:
    truth = tiny_world().truth
    at = int(tiny_world().events["at"].to_numpy()[-1])
    people = truth.people["user_id"].to_pylist()[:5]
    true = {name: [category for category, _ in truth.top_interests(name, at)] for name in people}
    shares = interest_recall(true, people, truth, at)
    known = [bool(true[name]) for name in people]
    assert shares[known].tolist() == [1.0] * sum(known)
    assert interest_recall({}, people, truth, at)[known].tolist() == [0.0] * sum(known)


def test_only_the_strongest_found_interests_count() -> None:
    truth = tiny_world().truth
    at = int(tiny_world().events["at"].to_numpy()[-1])
    person = next(
        name for name in truth.people["user_id"].to_pylist() if len(truth.top_interests(name, at)) == 3
    )
    true = [category for category, _ in truth.top_interests(person, at)]
    found = {person: ["nothing", true[0], "nothing/else", true[1]]}  # the fourth is one too many
    assert interest_recall(found, [person], truth, at).tolist() == [1 / 3]
