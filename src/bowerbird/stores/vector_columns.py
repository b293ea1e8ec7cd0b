"""Matrices as Arrow columns of fixed-size lists, and back."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from jaxtyping import Float32


def column_of(matrix: Float32[np.ndarray, "row dim"]) -> pa.Array:
    """A matrix as one column: a list of ``dim`` floats per row.

    Example:
        >>> column_of(np.zeros((2, 3), np.float32)).type
        FixedSizeListType(fixed_size_list<item: float>[3])
    """
    if not len(matrix):  # Arrow's tensor arrays refuse to be empty
        return pa.array([], pa.list_(pa.float32(), matrix.shape[1]))
    return pa.FixedShapeTensorArray.from_numpy_ndarray(np.ascontiguousarray(matrix)).storage


def matrix_of(column: pa.ChunkedArray) -> Float32[np.ndarray, "row dim"]:
    """The matrix a column holds; read-only, without a copy where the column is in one piece."""
    dim = column.type.list_size
    if not len(column):
        return np.zeros((0, dim), dtype=np.float32)
    pieces = [
        pa.ExtensionArray.from_storage(pa.fixed_shape_tensor(pa.float32(), (dim,)), chunk).to_numpy_ndarray()
        for chunk in column.chunks
        if len(chunk)
    ]
    return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
