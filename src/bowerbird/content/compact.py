"""Smaller vectors with a stated loss: fewer numbers, or numbers of one byte."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32, Int8

from bowerbird.arrays import normalise
from bowerbird.errors import InputError
from bowerbird.records.signal import Space, Vectors

__all__ = ["from_bytes", "shortened", "to_bytes"]


def shortened(vectors: Vectors, dim: int) -> Vectors:
    """The first numbers of each vector, brought to unit length again; a space of its own.

    It loses little where the space was trained as a matryoshka, as the unified one is; elsewhere measure it.

    Raises:
        InputError: the vectors are not longer than that.

    Example:
        >>> whole = Vectors.full(Space("item", "1", 3), np.array([[3.0, 4.0, 9.0]], np.float32))
        >>> short = shortened(whole, 2)
        >>> (short.matrix * 10).round().tolist(), short.space.key
        ([[6.0, 8.0]], 'item/1:2/2/cosine')
    """
    space = vectors.space
    if not 0 < dim < space.dim:
        raise InputError(
            f"shortened: {dim} of {space.dim} numbers; expected fewer than there are, at least one"
        )
    matrix = normalise(np.ascontiguousarray(vectors.matrix[:, :dim]))
    return Vectors(Space(space.name, f"{space.version}:{dim}", dim, space.metric), matrix, vectors.present)


def to_bytes(
    matrix: Float32[np.ndarray, "row dim"],
) -> tuple[Int8[np.ndarray, "row dim"], Float32[np.ndarray, "row"]]:
    """Each row in 255 steps of its own size: ``x_i ~ s_i q_i`` with ``s_i = max |x_i| / 127``.

    Example:
        >>> steps, sizes = to_bytes(np.array([[0.5, -1.0], [0.0, 0.0]], np.float32))
        >>> steps.tolist(), from_bytes(steps, sizes).round(2).tolist()
        ([[64, -127], [0, 0]], [[0.5, -1.0], [0.0, 0.0]])
    """
    sizes = (np.abs(matrix).max(axis=1) / np.float32(127)).astype(np.float32)
    steps = np.rint(matrix / np.where(sizes > 0, sizes, np.float32(1))[:, None])
    return steps.astype(np.int8), sizes


def from_bytes(
    steps: Int8[np.ndarray, "row dim"], sizes: Float32[np.ndarray, "row"]
) -> Float32[np.ndarray, "row dim"]:
    """The rows that :func:`to_bytes` made, as close as they can be had again."""
    return steps.astype(np.float32) * sizes[:, None]
