from __future__ import annotations

import numpy as np
import pytest

from bowerbird.clock import DAY_US, parse_time
from bowerbird.errors import InputError, NotFoundError
from bowerbird.simulation.closed_loop import lift, true_value
from bowerbird.testing.tiny_world import tiny_world

AT = parse_time("2025-11-03") + 10 * DAY_US
WORLD = tiny_world()
TRUTH = WORLD.truth
ITEMS = WORLD.items["item_id"].to_pylist()
PEOPLE = WORLD.users["user_id"].to_pylist()


def _best(user_id: str) -> list[str]:
    order = np.argsort(-TRUTH.preference(user_id, np.arange(len(ITEMS)), AT), kind="stable")
    return [ITEMS[row] for row in order[:6]]


def _same(_: str) -> list[str]:
    return ITEMS[:6]


def test_the_value_of_slates_is_the_mean_true_preference() -> None:
    slates = {"u0": ITEMS[:2], "u1": ITEMS[2:3]}
    first = TRUTH.preference("u0", np.array([0, 1]), AT)
    second = TRUTH.preference("u1", np.array([2]), AT)
    assert true_value(slates, TRUTH, AT).mean == pytest.approx((first.mean() + second[0]) / 2)


def test_an_empty_slate_is_worth_nothing() -> None:
    assert true_value({"u0": []}, TRUTH, AT).mean == 0.0


def test_knowing_the_truth_beats_not_knowing_it_with_intervals_apart() -> None:
    best = true_value({user: _best(user) for user in PEOPLE}, TRUTH, AT)
    same = true_value({user: _same(user) for user in PEOPLE}, TRUTH, AT)
    assert same.low <= same.mean <= same.high < best.low <= best.mean <= best.high
    gain = lift(_best, _same, PEOPLE, TRUTH, AT)
    assert 0 < gain.low <= gain.lift <= gain.high
    assert gain.actions_a > gain.actions_b


def test_a_policy_has_no_lift_over_itself() -> None:
    gain = lift(_best, _best, PEOPLE, TRUTH, AT)
    assert (gain.low, gain.lift, gain.high) == (0.0, 0.0, 0.0)


def test_repeated_slates_tire_people() -> None:
    once, often = (lift(_best, _best, PEOPLE, TRUTH, AT, sessions=n).actions_a for n in (1, 20))
    assert often < once


def test_no_slates_are_refused() -> None:
    with pytest.raises(InputError, match="no slates"):
        true_value({}, TRUTH, AT)


def test_no_people_are_refused() -> None:
    with pytest.raises(InputError, match="no people"):
        lift(_best, _same, [], TRUTH, AT)


def test_a_baseline_nobody_opens_is_refused() -> None:
    with pytest.raises(InputError, match="none of 60 people opened anything under policy_b"):
        lift(_best, lambda _: [], PEOPLE, TRUTH, AT)


def test_items_of_another_world_are_refused() -> None:
    with pytest.raises(NotFoundError, match="item_id 'zzz' is not in the simulated world"):
        true_value({"u0": ["zzz"]}, TRUTH, AT)
