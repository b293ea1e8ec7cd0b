"""Rules change an order as little as they ask, and say whom they moved."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bowerbird.errors import InputError
from bowerbird.randomness import generator
from bowerbird.slate.rules import Rule, may_move_up, ruled

EVEN = np.arange(12) % 2 == 0
CREATORS = np.array([0, 0, 0, 1, 1, -1, -1, -1, 2, 2, 2, 2])


def test_at_most_passes_over_and_says_whom():
    rule = Rule("creators", "not all of one", first=4, most=1, of=CREATORS)
    found = ruled(np.arange(12), [rule], n=5)
    assert found.order.tolist() == [0, 3, 5, 6, 1]
    assert found.held[0].passed_over.tolist() == [2, 4]


def test_at_least_comes_forward_at_the_last_moment():
    rule = Rule("late", "they need a chance", first=4, least=2, of=np.arange(12) >= 8)
    found = ruled(np.arange(12), [rule], n=6)
    assert found.order.tolist() == [0, 1, 8, 9, 2, 3]
    assert found.held[0].brought_forward.tolist() == [8, 9]


def test_a_guarantee_never_breaks_a_limit():
    limit = Rule("limit", "", first=5, most=1, of=np.arange(12) >= 10)
    wish = Rule("wish", "", first=3, least=2, of=np.arange(12) >= 10)
    assert ruled(np.arange(12), [limit, wish], n=5).order.tolist() == [0, 10, 1, 2, 3]


@given(st.integers(0, 10_000), st.integers(1, 12), st.integers(1, 6), st.integers(0, 3))
def test_a_shorter_slate_is_a_prefix_and_both_kinds_hold(seed, n, first, least):
    order = generator(seed, "rules").permutation(12)
    rules = [
        Rule("most", "", first=first, most=2, of=CREATORS),
        Rule("least", "", first=first, least=min(least, first), of=EVEN),
    ]
    longer, shorter = ruled(order, rules, 12).order, ruled(order, rules, n).order
    assert shorter.tolist() == longer[:n].tolist()
    top = longer[:first]
    kinds, counts = np.unique(CREATORS[top][CREATORS[top] >= 0], return_counts=True)
    assert (counts <= 2).all(), kinds
    assert EVEN[top].sum() >= min(least, first, 1)
    assert len(set(longer.tolist())) == len(longer)


def test_a_guarantee_that_nobody_meets_does_not_stop_the_next():
    nobody = Rule("nobody", "", first=2, least=1, of=np.zeros(4, bool))
    last = Rule("last", "", first=2, least=1, of=np.arange(4) == 3)
    assert ruled(np.arange(4), [nobody, last], n=2).order.tolist() == [0, 3]


def test_guarantees_of_the_same_places_all_hold_when_they_can():
    rules = [Rule(str(kind), "", first=3, least=1, of=np.arange(12) == kind) for kind in (9, 10, 11)]
    assert set(ruled(np.arange(12), rules, n=3).order.tolist()) == {9, 10, 11}
    early = Rule("early", "", first=2, least=1, of=np.arange(12) == 8)
    assert ruled(np.arange(12), [rules[0], early], n=4).order.tolist() == [0, 8, 9, 1]


def test_a_slate_ends_where_a_limit_forbids_everything_left():
    rule = Rule("creators", "not all of one", first=10, most=1, of=np.array([0, 0, 1, 1, 1]))
    found = ruled(np.arange(5), [rule], n=5)
    assert found.order.tolist() == [0, 2]
    assert found.held[0].passed_over.tolist() == [1, 3, 4]


@given(st.integers(0, 10_000), st.integers(0, 5), st.integers(1, 6))
def test_who_may_move_up_breaks_no_rule(seed, place, first):
    random = generator(seed, "moving up")
    rules = [
        Rule("most", "", first=first, most=2, of=CREATORS),
        Rule("least", "", first=first, least=1, of=EVEN),
    ]
    order = random.permutation(12)
    kept = ruled(order, rules, 12).order
    order = np.concatenate([kept, order[~np.isin(order, kept)]])
    may = may_move_up(np.ones(12, bool), kept, rules, place)
    for at in range(place + 1, 12):
        if may[order[at]]:
            moved = np.concatenate([order[:place], order[[at]], np.delete(order[place:], at - place)])
            moved = moved[: min(first, len(kept))]
            assert max(np.bincount(CREATORS[moved][CREATORS[moved] >= 0], minlength=1)) <= 2
            assert EVEN[moved].any() or not EVEN[order[:first]].any()


@given(st.integers(0, 10_000), st.integers(1, 60), st.floats(0, 1))
def test_one_more_for_each_so_many_places_holds_at_every_length(seed, n, share):
    random = generator(seed, "every")
    order, kind = random.permutation(60), random.random(60) < share
    rule = Rule("tenth", "", first=60, most=1, every=10, of=kind)
    longer, shorter = ruled(order, [rule], 60).order, ruled(order, [rule], n).order
    assert shorter.tolist() == longer[:n].tolist()
    places = np.arange(1, len(longer) + 1)
    assert (np.cumsum(kind[longer]) <= np.maximum(1, places // 10)).all()
    may = may_move_up(np.ones(60, bool), longer, [rule], place=3)
    assert not may[kind].any()


def test_without_rules_nothing_changes():
    assert ruled(np.array([2, 0, 1]), [], 2).order.tolist() == [2, 0]


def test_a_rule_over_no_places_is_refused():
    with pytest.raises(InputError, match=r"x: least = 3 among the first 2"):
        ruled(np.arange(3), [Rule("x", "", first=2, least=3)], 3)
