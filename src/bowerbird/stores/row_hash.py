"""Hashes of table rows, whole columns at a time.

A row's hash is two 64-bit lanes. Sums of lanes (mod 2^64 each) identify a set of rows whatever order
they came in, which is how the event log knows its fingerprint without reading itself.
"""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import UInt64

__all__ = ["digest", "string_lanes", "table_lanes"]

_MULTIPLY = np.array([[0x9E3779B97F4A7C15], [0xC2B2AE3D27D4EB4F]], dtype=np.uint64)
_FINISH = np.array([[0xFF51AFD7ED558CCD], [0xC4CEB9FE1A85EC53]], dtype=np.uint64)
_LONG_BYTES = 4096
"""Texts longer than this are hashed one by one, so that one of a megabyte does not slow its column."""
_NULL = np.uint64(0x6E756C6C)
_LOW_BYTES = np.array([256**count - 1 for count in range(9)], dtype=np.uint64)


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
        lanes = _mixed(lanes * _MULTIPLY + (values ^ seed[:, None]))
    return lanes


def string_lanes(values: pa.ChunkedArray) -> UInt64[np.ndarray, "2 row"]:
    """Two 64-bit hashes of each text, over its length and its UTF-8 bytes; nulls hash as the empty text.

    Eight bytes are read at a time. Sorted by length, the texts that have a k-th word are the last ones,
    so a column costs as many steps as its longest text has words.
    """
    array = _contiguous(values.cast(pa.large_string()))
    _, offsets_buffer, data_buffer = array.buffers()
    if not len(array):
        return np.zeros((2, 0), dtype=np.uint64)
    offsets = np.frombuffer(offsets_buffer, dtype=np.int64)[array.offset : array.offset + len(array) + 1]
    used = np.frombuffer(data_buffer, dtype=np.uint8)[: offsets[-1]] if data_buffer else np.empty(0, np.uint8)
    data = np.concatenate([used, np.zeros(8, np.uint8)])  # the last word may reach past the end
    words = np.ndarray((len(used) + 1,), dtype="<u8", buffer=data, strides=(1,))  # one from every byte on
    lengths = offsets[1:] - offsets[:-1]
    order = np.argsort(lengths, kind="stable")
    length, start = lengths[order], offsets[:-1][order]
    lanes = np.broadcast_to(length.astype(np.uint64), (2, len(array))) * _MULTIPLY
    end = int(np.searchsorted(length, _LONG_BYTES, side="right"))
    for done in range(0, int(length[end - 1]) if end else 0, 8):
        first = int(np.searchsorted(length, done, side="right"))
        word = words[start[first:end] + done] & _LOW_BYTES[np.minimum(length[first:end] - done, 8)]
        lanes[:, first:end] = _mixed(lanes[:, first:end] * _MULTIPLY + word)
    for row in range(end, len(array)):
        text = data[start[row] : start[row] + length[row]]
        lanes[:, row] = np.frombuffer(
            hashlib.blake2b(text.tobytes(), digest_size=16).digest(), dtype=np.uint64
        )
    unsorted = np.empty_like(lanes)
    unsorted[:, order] = _mixed(lanes)
    return unsorted


def digest(count: int, lane_sums: tuple[int, int]) -> str:
    """A set of rows as text: how many there are and the sums of their lanes.

    Example:
        >>> digest(0, (0, 0)) == digest(0, (0, 0)), digest(0, (0, 0)) == digest(1, (0, 0))
        (True, False)
    """
    text = f"{count}/{lane_sums[0]}/{lane_sums[1]}"
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _mixed(lanes: UInt64[np.ndarray, "2 row"]) -> UInt64[np.ndarray, "2 row"]:
    """MurmurHash3's finaliser, with other shifts: every input bit reaches every output bit."""
    lanes = (lanes ^ (lanes >> np.uint64(33))) * _FINISH
    lanes = (lanes ^ (lanes >> np.uint64(29))) * _FINISH[::-1]
    return lanes ^ (lanes >> np.uint64(32))


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
        lanes = _mixed(words * _MULTIPLY + _MULTIPLY[::-1])
    if valid is not None:
        lanes[:, ~valid] = _NULL
    return lanes


def _canonical(value: object) -> str:
    """A nested value as text; the pairs of a map in the order of their keys."""
    if isinstance(value, list) and all(isinstance(pair, tuple) for pair in value):
        value = sorted(value, key=str)
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)


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
