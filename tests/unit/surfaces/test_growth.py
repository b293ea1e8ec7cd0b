"""Growth: the budget goes where a message gains most."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from bowerbird.clock import DAY_US
from bowerbird.config import validated
from bowerbird.errors import InputError
from bowerbird.pipeline.release import Release
from bowerbird.pipeline.runner import Pipeline
from bowerbird.pipeline.settings import SurfaceSettings
from bowerbird.records.event import EVENT_SCHEMA, Events
from bowerbird.records.vocabulary import Vocabulary
from bowerbird.signals.sequences import Sequences
from bowerbird.surfaces.growth import PRIOR_IMPRESSIONS, GrowthPlanner


def planner(release: Release) -> GrowthPlanner:
    settings = {"sources": {"trending": {}}, "value": {"retrieval": 1.0}, "diversity": {"method": "none"}}
    return GrowthPlanner(release, Pipeline("homefeed", validated(SurfaceSettings, settings, "test"), release))


def test_gain_is_the_chance_of_not_returning_times_that_of_responding(small):
    plan = planner(small).plan(5, small.as_of)
    assert {one.user_id for one in plan.notifications} == {"u0", "u1"}
    for one in plan.notifications:
        assert one.gain == pytest.approx((1 - one.p_return) * one.p_response)
        assert one.p_return == 0.5  # a log of two weeks is too short for a model of returning
    assert "every return probability is taken to be one half" in plan.notes[0]
    gains = [one.gain for one in plan.notifications]
    assert gains == sorted(gains, reverse=True)


def test_the_response_rate_is_shrunken_towards_everybodys(small):
    """u0: 2 opens of 3 impressions; u1: 2 of 0; all: 4 of 3, at most 1."""
    plan = planner(small).plan(5, small.as_of)
    rate = min((2 + PRIOR_IMPRESSIONS * 1.0) / (3 + PRIOR_IMPRESSIONS), 1.0)
    sent = next(one for one in plan.notifications if one.user_id == "u0")
    assert sent.p_response == pytest.approx(1 - (1 - rate) ** len(sent.item_ids), rel=1e-4)


def test_everybody_is_accounted_for(small):
    plan = planner(small).plan(1, small.as_of)
    assert plan.considered == 3
    assert len(plan.notifications) + sum(plan.held_back.values()) == plan.considered
    assert plan.held_back["never seen before this time"] == 1


def test_no_budget_no_messages(small):
    plan = planner(small).plan(0, small.as_of)
    assert plan.notifications == ()
    assert sum(plan.held_back.values()) == 3


def test_a_negative_budget_is_refused(small):
    with pytest.raises(InputError, match="budget = -1: expected 0 or more notifications"):
        planner(small).plan(-1, small.as_of)


def test_nobody_gets_a_second_message_within_three_days(small):
    sent = (np.array([0], np.int32), np.array([small.as_of - 2 * DAY_US], np.int64))
    plan = planner(replace(small, messages=sent)).plan(5, small.as_of)
    assert [one.user_id for one in plan.notifications] == ["u1"]
    assert plan.held_back["got a message in the last 3 days"] == 1
    later = planner(replace(small, messages=sent)).plan(5, small.as_of + 2 * DAY_US)
    assert {one.user_id for one in later.notifications} == {"u0", "u1"}


def test_a_message_of_the_future_holds_nobody_back(small):
    sent = (np.array([0], np.int32), np.array([small.as_of], np.int64))
    plan = planner(replace(small, messages=sent)).plan(5, small.as_of)
    assert {one.user_id for one in plan.notifications} == {"u0", "u1"}


def test_without_times_or_events_growth_says_what_it_lacks(small):
    assert planner(replace(small, logical_time=True)).plan(5, 0).notes == (
        "growth cannot answer: events have an order but no times",
    )
    users = Vocabulary("user", ())
    nobody = replace(
        small, people=users, sequences=Sequences.from_events(small_log(), users, small.items.vocabulary)
    )
    assert planner(nobody).plan(5, 0).notes == ("growth cannot answer: no events were imported",)


def small_log() -> Events:
    return Events(
        pa.table({name: pa.array([], EVENT_SCHEMA.field(name).type) for name in EVENT_SCHEMA.names})
    )
