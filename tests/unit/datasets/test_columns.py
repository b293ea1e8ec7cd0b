from __future__ import annotations

import datetime as dt
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bowerbird.clock import DAY_US, SECOND_US
from bowerbird.datasets.columns import flags, flat, integers, numbers, texts, times

MOMENT_S = 1_291_191_960  # 2010-12-01 08:26


@pytest.mark.parametrize(
    "cells",
    [
        [MOMENT_S],
        [MOMENT_S * 1000],
        [MOMENT_S * 1_000_000],
        [MOMENT_S * 1_000_000_000],
        [float(MOMENT_S)],
        [str(MOMENT_S)],
        [str(MOMENT_S * 1000)],
        ["2010-12-01 08:26:00"],
        ["2010-12-01T08:26:00Z"],
        ["2010-12-01T09:26:00+01:00"],
        [dt.datetime(2010, 12, 1, 8, 26)],  # noqa: DTZ001 - no zone is UTC
        [dt.datetime(2010, 12, 1, 9, 26, tzinfo=dt.timezone(dt.timedelta(hours=1)))],
    ],
)
def test_one_moment_in_every_notation(cells: list) -> None:
    values, bad = times(pa.array(cells))
    assert (values.to_pylist(), bad.tolist()) == ([MOMENT_S * SECOND_US], [False])


def test_dates_and_days_of_a_spreadsheet_are_their_first_microsecond() -> None:
    assert times(pa.array([dt.date(1970, 1, 2)]))[0].to_pylist() == [DAY_US]
    assert times(pa.array(["1970-01-02", "1970-01-03T00:00:00Z", None]))[0].to_pylist() == [
        DAY_US,
        2 * DAY_US,
        None,
    ]


def test_a_named_unit_is_believed() -> None:
    assert times(pa.array([5]), unit_us=1)[0].to_pylist() == [5]
    assert times(pa.array(["1.5"]), unit_us=1_000_000)[0].to_pylist() == [1.5 * SECOND_US]


def test_microseconds_keep_their_last_digit() -> None:
    exact = 1_291_191_960_123_457
    assert times(pa.array([exact, None]))[0].to_pylist() == [exact, None]


@pytest.mark.parametrize("cell", ["soon", "2011-13-45", "1e40", "inf"])
def test_what_is_no_time_is_bad(cell: str) -> None:
    values, bad = times(pa.array([cell, "1970-01-01"]))
    assert (values.to_pylist(), bad.tolist()) == ([None, 0], [True, False])


def test_times_before_1970_are_negative_and_left_to_the_caller() -> None:
    assert times(pa.array([-5]))[0].to_pylist() == [-5 * SECOND_US]


def test_numbers_of_every_type() -> None:
    for column in (
        pa.array([2, None]),
        pa.array([2.0, None]),
        pa.array([" 2 ", ""]),
        pa.array([Decimal("2.00"), None]),
    ):
        values, bad = numbers(column)
        assert (values.to_pylist(), bad.tolist()) == ([2.0, None], [False, False])
    assert np.isnan(numbers(pa.array(["NaN"]))[0][0].as_py())
    assert numbers(pa.nulls(1))[0].to_pylist() == [None]
    assert times(pa.nulls(1))[0].to_pylist() == [None]


@pytest.mark.parametrize("cell", ["1,5", "0x10", "$2", "1_000", "--1"])
def test_what_is_no_number_is_bad(cell: str) -> None:
    assert numbers(pa.array([cell]))[1].tolist() == [True]


def test_whole_numbers_keep_all_digits_and_fractions_are_bad() -> None:
    assert integers(pa.array([2**53 + 1]))[0].to_pylist() == [2**53 + 1]
    values, bad = integers(pa.array(["3", "3.5", "1e30", None]))
    assert (values.to_pylist(), bad.tolist()) == ([3, None, None, None], [False, True, True, False])


def test_flags_of_every_type() -> None:
    assert flags(pa.array([True, None]))[0].to_pylist() == [True, None]
    assert flags(pa.array([1, 0]))[0].to_pylist() == [True, False]
    assert flags(pa.array([1.0, 0.0]))[0].to_pylist() == [True, False]
    assert flags(pa.array(["", "2"]))[1].tolist() == [False, True]


def test_texts_of_every_type() -> None:
    assert texts(pa.array([1, None])).to_pylist() == ["1", None]
    assert texts(pa.array([float("nan"), 1e300])).to_pylist() == [None, "1e+300"]
    assert texts(pa.array([["a", "b"], None])).to_pylist() == ['["a","b"]', None]
    assert texts(pa.array([{"a": 1}])).to_pylist() == ['{"a":1}']
    assert texts(pa.array([b"caf\xc3\xa9"])).to_pylist() == ["caf\xe9"]
    assert texts(pa.array([True])).to_pylist() == ["true"]
    assert texts(pa.array([dt.datetime(2010, 12, 1, 8, 26)])).to_pylist()[0].startswith("2010-12-01T08:26")  # noqa: DTZ001
    assert texts(pa.array(["a", "a"]).dictionary_encode()).to_pylist() == ["a", "a"]


def test_no_chunks_are_an_empty_array() -> None:
    assert len(flat(pa.chunked_array([], pa.string()))) == 0


@given(
    cells=st.lists(
        st.one_of(st.none(), st.text(max_size=8), st.sampled_from(["1", "1e11", "2010-12-01", "x"]))
    )
)
def test_a_cell_is_read_the_same_whatever_stands_beside_it(cells: list[str | None]) -> None:
    column = pa.array(cells, pa.string())
    for read in (times, numbers, integers, flags):
        values, bad = read(column)
        single = [read(column.slice(row, 1)) for row in range(len(cells))]
        assert str(values.to_pylist()) == str([value.to_pylist()[0] for value, _ in single])  # nan is not nan
        assert bad.tolist() == [bool(fault[0]) for _, fault in single]


def test_dates_of_eight_digits_are_dates_where_all_are() -> None:
    day = 24 * 3600 * 10**6
    for column in (pa.array([20240229, None, 19991231]), pa.array(["20240229", None, "19991231"])):
        values, bad = times(column)
        assert values.to_pylist() == [19782 * day, None, 10956 * day]
        assert not bad.any()
    for seconds in ([20240229, 20240230], [20240229, 5], [20241301], [20240001], [20240100], [20240229.5]):
        assert times(pa.array(seconds))[0].to_pylist() == [round(one * 10**6) for one in seconds]
    assert times(pa.array([20240229]), 1)[0].to_pylist() == [20240229]
    assert times(pa.array([None, None], pa.float64()))[0].to_pylist() == [None, None]
