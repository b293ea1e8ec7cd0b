"""Ids that came by lately, in memory that stays as large as it is."""

from __future__ import annotations

import pyarrow as pa

from bowerbird.stores.recent_ids import RecentIds


def ids(*numbers: int) -> pa.ChunkedArray:
    return pa.chunked_array([[f"e{number}" for number in numbers]], pa.string())


def test_an_id_is_known_for_as_many_as_a_generation_holds() -> None:
    recent = RecentIds(most=10)
    assert recent.first_met(ids(*range(10))).all()
    assert not recent.first_met(ids(0, 9)).any()
    assert recent.first_met(ids(*range(10, 18))).all()
    assert not recent.first_met(ids(17)).any()


def test_what_comes_by_does_not_grow_what_is_held() -> None:
    recent = RecentIds(most=100)
    for start in range(0, 10_000, 50):
        assert recent.first_met(ids(*range(start, start + 50))).all()
        assert len(recent) <= 200
    assert not recent.first_met(ids(*range(9_900, 10_000))).any()
