"""Everything a row says beyond the standard columns, kept as one map of text to text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Int64

from bowerbird.datasets.columns import Column, flat, texts
from bowerbird.datasets.tables import as_text

ATTRIBUTES = pa.map_(pa.string(), pa.string())


@dataclass(frozen=True)
class _Entries:
    """Keys and values with the row each belongs to."""

    rows: Int64[np.ndarray, "entry"]
    keys: pa.Array
    values: pa.Array


def gathered(
    columns: Mapping[str, Column], attributes: Column | None, rows: int
) -> tuple[pa.Array, Bool[np.ndarray, "row"]]:
    """One map per row, of the given attributes and of the columns that have no standard name.

    An attribute and a column of one name both stay; the column's key gets `` (column)`` behind it. Empty
    cells make no entry.

    Args:
        columns: unknown columns by name.
        attributes: the ``attributes`` column, if there is one: JSON text, a struct or a map.
        rows: how many rows there are.

    Returns:
        The maps (null where a row has no entry) and which rows' attributes were not understood.

    Example:
        >>> maps, bad = gathered({"colour": pa.array(["red", None])}, pa.array(['{"size": 3}', "no"]), 2)
        >>> maps.to_pylist(), bad.tolist()
        ([[('size', '3'), ('colour', 'red')], None], [False, True])
    """
    bad = np.zeros(rows, bool)
    found: list[_Entries] = []
    if attributes is not None:
        entries, bad = _given(flat(attributes))
        found.append(entries)
    taken = {key for entries in found for key in pc.unique(entries.keys).to_pylist()}
    for name, column in columns.items():
        key = f"{name} (column)" if name in taken else name
        found.append(_column_entries(key, column))
    return _maps(found, rows), bad


def _column_entries(key: str, column: Column) -> _Entries:
    values = texts(column)
    present = np.flatnonzero(values.is_valid().to_numpy(zero_copy_only=False))
    return _Entries(present, pa.array([key] * len(present), pa.string()), values.drop_null())


def _given(column: pa.Array) -> tuple[_Entries, Bool[np.ndarray, "row"]]:
    """Entries of an attributes column: JSON text, struct, map or list of pairs."""
    bad = np.zeros(len(column), bool)
    rows: list[int] = []
    keys: list[str] = []
    values: list[str | None] = []
    for row, cell in enumerate(column.to_pylist()):
        if cell is None or cell == "":
            continue
        mapping = _mapping(cell)
        if mapping is None:
            bad[row] = True
            continue
        for key, value in mapping.items():
            text = as_text(value)
            if text is not None:
                rows.append(row)
                keys.append(str(key))
                values.append(text)
    return _Entries(np.array(rows, np.int64), pa.array(keys, pa.string()), pa.array(values, pa.string())), bad


def _mapping(cell: object) -> dict | None:
    if isinstance(cell, str):
        try:
            cell = orjson.loads(cell)
        except orjson.JSONDecodeError:
            return None
    if isinstance(cell, dict):
        return cell
    if isinstance(cell, list) and all(isinstance(pair, tuple) and len(pair) == 2 for pair in cell):
        return dict(cell)
    return None


def _maps(found: list[_Entries], rows: int) -> pa.Array:
    entries = [part for part in found if len(part.rows)]
    if not entries:
        return pa.nulls(rows, ATTRIBUTES)
    owner = np.concatenate([part.rows for part in entries])
    order = pa.array(np.argsort(owner, kind="stable"))
    keys = pa.concat_arrays([part.keys for part in entries]).take(order)
    values = pa.concat_arrays([part.values for part in entries]).take(order)
    counts = np.bincount(owner, minlength=rows)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    # a null offset makes a null map
    bounds = pa.array(offsets, mask=np.concatenate([counts == 0, [False]]))
    return pa.MapArray.from_arrays(bounds, keys, values)
