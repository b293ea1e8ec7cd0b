from __future__ import annotations

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bowerbird.errors import BusyError
from bowerbird.serving import limits
from bowerbird.serving.limits import Crew, TokenBuckets


def test_a_full_bucket_gives_its_burst_then_refills_at_its_rate():
    buckets = TokenBuckets(rate_per_s=2.0, burst=3)
    assert [buckets.wait_s("a", 0.0) for _ in range(3)] == [0, 0, 0]
    assert buckets.wait_s("a", 0.0) == 1 / 2
    assert buckets.wait_s("a", 0.25) == pytest.approx((1 - 0.25 * 2) / 2)
    assert buckets.wait_s("a", 0.5) == 0


def test_callers_do_not_share_a_bucket():
    buckets = TokenBuckets(rate_per_s=1.0, burst=1)
    assert buckets.wait_s("a", 0.0) == buckets.wait_s("b", 0.0) == 0


@given(st.lists(st.floats(0, 5), min_size=1, max_size=80), st.integers(1, 5))
def test_nobody_gets_more_than_the_burst_and_the_rate_allow(pauses, burst):
    buckets, now, granted = TokenBuckets(rate_per_s=2.0, burst=burst), 0.0, 0
    for pause in pauses:
        now += pause
        granted += buckets.wait_s("a", now) == 0
    assert granted <= burst + 2.0 * now + 1e-6


def test_buckets_of_callers_unseen_for_longest_are_forgotten(monkeypatch):
    monkeypatch.setattr(limits, "KEPT_CALLERS", 2)
    buckets = TokenBuckets(rate_per_s=0.001, burst=1)
    for caller in "abc":
        buckets.wait_s(caller, 0.0)
    assert len(buckets._buckets) == 2
    assert buckets.wait_s("a", 0.0) == 0  # forgotten, so full again


def test_work_beyond_the_crew_and_its_queue_is_turned_away():
    async def scenario():
        crew, gate, results = Crew(threads=1, max_waiting=1), __import__("threading").Event(), []

        async def ask():
            try:
                results.append(await crew.run(gate.wait))
            except BusyError:
                results.append("busy")
                gate.set()

        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(ask)
                await anyio.sleep(0.05)
        return results

    assert sorted(map(str, anyio.run(scenario))) == ["True", "True", "busy"]
