"""Hashes of table rows, whole columns at a time.

A row's hash is two 64-bit lanes. Sums of lanes (mod 2^64 each) identify a set of rows whatever order
they came in, which is how the event log knows its fingerprint without reading itself.
"""

from __future__ import annotations

import hashlib
import itertools
import json

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import UInt8, UInt64

__all__ = ["digest", "string_lanes", "table_lanes"]

_MULTIPLY = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F))
_FINISH = (np.uint64(0xFF51AFD7ED558CCD), np.uint64(0xC4CEB9FE1A85EC53))
_NULL = np.uint64(0x6E756C6C)


def table_lanes(table: pa.Table) -> UInt64[np.ndarray, "2 row"]:
    """Two 64-bit hashes of each row, over every column's name and value.

    Nulls, empty texts and zeros differ; chunking does not matter; NaN is equal to NaN.

    Example:
        >>> rows = table_lanes(pa.table({"a": ["x", "x", None]}))
        >>> bool(rows[0, 0] == rows[0, 1]), bool(rows[0, 0] == rows[0, 2])
        (True, False)
    """
    lanes = np.zeros((2, table.num_rows), dtype=np.uint64)
    for name in table.column_names:
        seed = np.frombuffer(hashlib.blake2b(name.encode(), digest_size=16).digest(), dtype=np.uint64)
        values = _column_lanes(table.column(name))
        for lane in range(2):
            lanes[lane] = _mixed(lanes[lane] * _MULTIPLY[lane] + (values[lane] ^ seed[lane]), lane)
    return lanes


def string_lanes(values: pa.ChunkedArray) -> UInt64[np.ndarray, "2 row"]:
    """Two 64-bit hashes of each text; nulls hash as the empty text does.

    Texts of equal length are hashed together, eight bytes at a time.
    """
    array = _contiguous(values.cast(pa.large_string()))
    lanes = np.zeros((2, len(array)), dtype=np.uint64)
    if not len(array):
        return lanes
    _, offsets_buffer, data_buffer = array.buffers()
    offsets = np.frombuffer(offsets_buffer, dtype=np.int64)[array.offset : array.offset + len(array) + 1]
    data = np.frombuffer(data_buffer, dtype=np.uint8) if data_buffer else np.empty(0, np.uint8)
    lengths = offsets[1:] - offsets[:-1]
    order = np.argsort(lengths, kind="stable")
    bounds = np.flatnonzero(np.diff(lengths[order], prepend=-1, append=-1))
    for start, end in itertools.pairwise(bounds):
        rows = order[start:end]
        length = int(lengths[rows[0]])
        lanes[:, rows] = _equal_length_lanes(data, offsets[rows], length)
    return lanes


def digest(count: int, lane_sums: tuple[int, int]) -> str:
    """A set of rows as text: how many there are and the sums of their lanes.

    Example:
        >>> digest(0, (0, 0)) == digest(0, (0, 0)), digest(0, (0, 0)) == digest(1, (0, 0))
        (True, False)
    """
    text = f"{count}/{lane_sums[0]}/{lane_sums[1]}"
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _equal_length_lanes(
    data: UInt8[np.ndarray, "byte"], starts: np.ndarray, length: int
) -> UInt64[np.ndarray, "2 row"]:
    words = (length + 7) // 8
    lanes = np.empty((2, len(starts)), dtype=np.uint64)
    lanes[:] = np.uint64(length)
    for word in range(words):
        width = min(8, length - 8 * word)
        padded = np.zeros((len(starts), 8), dtype=np.uint8)
        padded[:, :width] = data[starts[:, None] + np.arange(8 * word, 8 * word + width)]
        value = padded.view(np.uint64)[:, 0]
        for lane in range(2):
            lanes[lane] = _mixed(lanes[lane] * _MULTIPLY[lane] + value, lane)
    return _mixed(lanes, 0)


def _mixed(values: UInt64[np.ndarray, "*rows"], lane: int) -> UInt64[np.ndarray, "*rows"]:
    """MurmurHash3's finaliser: every input bit reaches every output bit."""
    first, second = _FINISH if lane == 0 else _FINISH[::-1]
    values = (values ^ (values >> np.uint64(33))) * first
    values = (values ^ (values >> np.uint64(29))) * second
    return values ^ (values >> np.uint64(32))


def _column_lanes(column: pa.ChunkedArray) -> UInt64[np.ndarray, "2 row"]:
    """Hashes of one column's values; null is a value of its own."""
    kind = column.type
    valid = column.is_valid().to_numpy(zero_copy_only=False) if column.null_count else None
    if valid is not None and not valid.any():
        return np.full((2, len(column)), _NULL)
    if pa.types.is_map(kind) or pa.types.is_nested(kind):
        texts = [None if value is None else _canonical(value) for value in column.to_pylist()]
        lanes = string_lanes(pa.chunked_array([pa.array(texts, pa.large_string())]))
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
        lanes = string_lanes(column)
    else:
        words = _words(column)
        lanes = np.stack([_mixed(words * _MULTIPLY[lane] + _MULTIPLY[1 - lane], lane) for lane in range(2)])
    if valid is not None:
        lanes[:, ~valid] = _NULL
    return lanes


def _canonical(value: object) -> str:
    pairs = value if isinstance(value, list) else [value]
    if all(isinstance(pair, tuple) for pair in pairs):
        pairs = sorted(pairs)
    return json.dumps(pairs, ensure_ascii=False, sort_keys=True, default=str)


def _words(column: pa.ChunkedArray) -> UInt64[np.ndarray, "row"]:
    """A column of numbers or truths as 64-bit words; nulls become zero, NaNs one pattern."""
    if pa.types.is_floating(column.type):
        values = column.cast(pa.float64()).fill_null(0.0).to_numpy().copy()
        values[np.isnan(values)] = np.nan
        return (values + 0.0).view(np.uint64)  # + 0.0: minus zero equals zero
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())
    return pc.fill_null(column.cast(pa.int64()), 0).to_numpy().astype(np.int64).view(np.uint64)


def _contiguous(values: pa.ChunkedArray) -> pa.Array:
    return (
        values.chunk(0)
        if values.num_chunks == 1
        else pa.concat_arrays(values.chunks or [pa.array([], values.type)])
    )
