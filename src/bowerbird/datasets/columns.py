"""Columns of any type as columns of the standard types, with the cells that could not be understood marked.

Each function takes a column as a file gave it and returns ``(values, bad)``: ``values`` is null where the
cell was empty or bad, ``bad`` is true where something stood there that is not of the type. Nothing is guessed
per column: a cell is read the same way whatever stands beside it, so batches equal the whole. The one exception are dates
written as numbers (20260131), which are seconds since 1970 as well: they are dates where all of a batch's cells are.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Float64, Int64

from bowerbird.clock import SECOND_US, parse_time
from bowerbird.datasets.tables import as_text
from bowerbird.errors import InputError

Column: TypeAlias = pa.Array | pa.ChunkedArray

_NUMBER = r"^\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*$|^\s*[-+]?(?i:nan|inf|infinity)\s*$"
_TRUE, _FALSE = ("true", "yes", "1", "t", "y"), ("false", "no", "0", "f", "n")
_LATEST_US = 253_402_300_800 * SECOND_US  # the year 10000, where ISO dates end
_INTEGER_LIMIT = 2.0**63


def flat(column: Column) -> pa.Array:
    """One plain array: chunks joined, dictionaries decoded."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if isinstance(array, pa.ChunkedArray):  # combine_chunks of nothing
        array = pa.array([], array.type)
    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array


def texts(column: Column) -> pa.Array:
    """Text without white space around it; empty text is null, lists and mappings become JSON.

    Example:
        >>> texts(pa.array([" a ", "", None])).to_pylist()
        ['a', None, None]
        >>> texts(pa.array([7.0, 2.5])).to_pylist()
        ['7', '2.5']
    """
    array = flat(column)
    if pa.types.is_floating(array.type):
        array = _float_texts(array)
    elif pa.types.is_nested(array.type):
        array = pa.array(
            [
                None
                if value is None
                else orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
                for value in array.to_pylist()
            ],
            pa.string(),
        )
    elif pa.types.is_binary(array.type):
        array = pa.array([as_text(value) for value in array.to_pylist()], pa.string())
    elif pa.types.is_timestamp(array.type):
        array = pc.strftime(array, format="%Y-%m-%dT%H:%M:%S")
    elif array.type != pa.string():
        array = array.cast(pa.string())
    trimmed = pc.utf8_trim_whitespace(array)
    return pc.if_else(pc.equal(trimmed, ""), pa.scalar(None, pa.string()), trimmed)


def _float_texts(array: pa.Array) -> pa.Array:
    """Whole floats as integers: an id column with gaps is often float, 17850.0 means 17850."""
    known = pc.if_else(pc.is_nan(array), pa.scalar(None, array.type), array)
    whole = pc.and_(pc.equal(pc.floor(known), known), pc.less(pc.abs(known), 2.0**53))
    integers = pc.if_else(whole, known, pa.scalar(None, array.type)).cast(pa.int64()).cast(pa.string())
    return pc.coalesce(integers, known.cast(pa.string()))


def numbers(column: Column) -> tuple[pa.Array, Bool[np.ndarray, "row"]]:
    """Float64 values. NaN stays NaN, for the caller to judge.

    Example:
        >>> values, bad = numbers(pa.array(["2.5", "cheap", None]))
        >>> values.to_pylist(), bad.tolist()
        ([2.5, None, None], [False, True, False])
    """
    array = flat(column)
    if pa.types.is_null(array.type):
        return pa.nulls(len(array), pa.float64()), np.zeros(len(array), bool)
    if _is_number(array.type):
        return array.cast(pa.float64(), safe=False), np.zeros(len(array), bool)
    text = texts(array)
    fits = pc.match_substring_regex(text, _NUMBER)
    values = pc.if_else(fits, text, pa.scalar(None, pa.string())).cast(pa.float64())
    return values, mask(pc.invert(fits))


def integers(column: Column) -> tuple[pa.Array, Bool[np.ndarray, "row"]]:
    """Int64 values; a number with a fraction is bad.

    Example:
        >>> values, bad = integers(pa.array([3.0, 2.5]))
        >>> values.to_pylist(), bad.tolist()
        ([3, None], [False, True])
    """
    array = flat(column)
    if pa.types.is_integer(array.type) and array.type != pa.uint64():
        return array.cast(pa.int64()), np.zeros(len(array), bool)
    values, bad = numbers(array)
    whole = pc.and_(pc.equal(pc.floor(values), values), pc.less(pc.abs(values), _INTEGER_LIMIT))
    bad = bad | mask(pc.invert(whole))
    return pc.if_else(whole, values, pa.scalar(None, pa.float64())).cast(pa.int64()), bad


def flags(column: Column) -> tuple[pa.Array, Bool[np.ndarray, "row"]]:
    """Booleans, of true/false, yes/no, 1/0 in any case.

    Example:
        >>> values, bad = flags(pa.array(["Yes", "0", "maybe"]))
        >>> values.to_pylist(), bad.tolist()
        ([True, False, None], [False, False, True])
    """
    array = flat(column)
    if pa.types.is_boolean(array.type):
        return array, np.zeros(len(array), bool)
    text = pc.utf8_lower(texts(array))
    true = pc.is_in(text, value_set=pa.array(_TRUE))
    known = pc.or_(true, pc.is_in(text, value_set=pa.array(_FALSE)))
    return pc.if_else(known, true, pa.scalar(None, pa.bool_())), mask(
        pc.and_(pc.is_valid(text), pc.invert(known))
    )


def times(column: Column, unit_us: int | None = None) -> tuple[pa.Array, Bool[np.ndarray, "row"]]:
    """Microseconds UTC of dates, timestamps, ISO text and numbers since 1970.

    A number's unit follows from its size: below 1e11 it is seconds (the year 5138 ends there), below 1e14
    milliseconds, below 1e17 microseconds, else nanoseconds. Where every number is a date of 1990 to 2099 in eight digits
    they are dates. A timestamp without zone is UTC.

    Args:
        column: the times.
        unit_us: the unit of numbers in microseconds, where the column's name gives it (``at_us``: 1).

    Example:
        >>> values, bad = times(pa.array(["1970-01-02", "86400", "soon"]))
        >>> values.to_pylist(), bad.tolist()
        ([86400000000, 86400000000, None], [False, False, True])
    """
    array = flat(column)
    if pa.types.is_null(array.type):
        return pa.nulls(len(array), pa.int64()), np.zeros(len(array), bool)
    if pa.types.is_date(array.type) or pa.types.is_timestamp(array.type):
        if pa.types.is_date(array.type):
            array = array.cast(pa.timestamp("ms"))
        zone = array.type.tz
        return array.cast(pa.timestamp("us", zone), safe=False).cast(pa.int64()), np.zeros(len(array), bool)
    if _is_number(array.type):
        return _epoch(array, unit_us)
    text = texts(array)
    numeric = pc.fill_null(pc.match_substring_regex(text, _NUMBER), False)
    counted, bad = _epoch(numbers(pc.if_else(numeric, text, pa.scalar(None, pa.string())))[0], unit_us)
    written, bad_text = _iso(pc.if_else(numeric, pa.scalar(None, pa.string()), text))
    return pc.coalesce(counted, written), bad | bad_text


def _epoch(array: pa.Array, unit_us: int | None) -> tuple[pa.Array, Bool[np.ndarray, "row"]]:
    values = array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    whole = pa.types.is_integer(array.type)
    exact = array.cast(pa.int64(), safe=False).fill_null(0).to_numpy() if whole else None
    dates = _compact_dates(values) if unit_us is None else None
    if dates is not None:
        return pa.array(dates, pa.int64(), mask=np.isnan(values)), np.zeros(len(values), bool)
    size = np.abs(values)
    if unit_us is None:
        scale = np.select([size < 1e11, size < 1e14], [SECOND_US, 1000.0], 1.0)
        scale = np.where(size < 1e17, scale, 1e-3)
    else:
        scale = np.full(len(values), float(unit_us))
    with np.errstate(invalid="ignore", over="ignore"):
        at = np.rint(values * scale)
        bad = ~np.isnan(values) & ~(np.abs(at) < _LATEST_US)
    absent = np.isnan(values) | bad
    result = np.where(absent, 0, at).astype(np.int64)
    if exact is not None:  # integers beyond 2^53 keep their last digits
        fine, coarse = (scale >= 1.0) & ~absent, (scale < 1.0) & ~absent
        result[fine] = exact[fine] * scale[fine].astype(np.int64)
        result[coarse] = exact[coarse] // 1000
    return pa.array(result, pa.int64(), mask=absent), bad


def _compact_dates(values: Float64[np.ndarray, "row"]) -> Int64[np.ndarray, "row"] | None:
    """Times of numbers that are all dates as in 20260131, anything for NaN; None where one of them is not."""
    known = np.where(np.isnan(values), 20000101.0, values)
    if (
        np.isnan(values).all()
        or not ((known >= 19900101) & (known < 21000101) & (known == np.rint(known))).all()
    ):
        return None
    months, days = np.divmod(known.astype(np.int64), 100)
    years, months = np.divmod(months, 100)
    first = (12 * (years - 1970) + months - 1).astype("datetime64[M]")
    date = first.astype("datetime64[D]") + (days - 1)
    sound = (months >= 1) & (months <= 12) & (days >= 1) & (date.astype("datetime64[M]") == first)
    return date.astype("datetime64[us]").astype(np.int64) if sound.all() else None


def _iso(text: pa.Array) -> tuple[pa.Array, Bool[np.ndarray, "row"]]:
    for zone in (None, "UTC"):  # the quick ways, when all cells are written alike
        try:
            values = text.cast(pa.timestamp("us", zone)).cast(pa.int64())
        except pa.ArrowInvalid:
            continue
        return values, np.zeros(len(text), bool)
    found: list[int | None] = []
    bad = np.zeros(len(text), bool)
    for row, cell in enumerate(text.to_pylist()):
        try:
            found.append(None if cell is None else parse_time(cell))
        except InputError:
            found.append(None)
            bad[row] = True
    return pa.array(found, pa.int64()), bad


def mask(array: Column) -> Bool[np.ndarray, "row"]:
    """A boolean column as NumPy, null counting as false.

    Example:
        >>> mask(pa.array([True, None])).tolist()
        [True, False]
    """
    return flat(pc.fill_null(array, False)).to_numpy(zero_copy_only=False).astype(bool)


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
