"""Several towers as one: their vectors side by side, turned so that the first few numbers say most.

Towers that learnt the same from other draws, or from other layers of the encoders, err on other pairs, so the mean of their cosines
finds more than any of them. Side by side the vectors are too wide to keep; turned onto the main directions of what they say of
pictures and texts they know, a prefix holds nearly all of it::

    z = unit [v_1; ...; v_m]        q . a is then the mean of the towers' cosines
    c = unit (z U)                  U: the first eigenvectors of  mean z_a' z_a + mean z_b' z_b,  a and b the two sides

The directions come in order of weight, so a shorter prefix is a vector of less detail, as a tower's own is.

Source: Jolliffe 2002, "Principal Component Analysis", section 3.2 (the subspace that keeps most of the second moments).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float32

from bowerbird.arrays import normalise
from bowerbird.errors import InputError
from bowerbird.records.signal import Space, Vectors

__all__ = ["JoinedSpaces", "joined_spaces"]


@dataclass(frozen=True)
class JoinedSpaces:
    """One space made of several.

    Args:
        spaces: where the vectors that are joined live, in order.
        turn: from the joined vectors to those of this space.
    """

    spaces: tuple[Space, ...]
    turn: Float32[np.ndarray, "wide dim"]

    @cached_property
    def space(self) -> Space:
        """Where the vectors live; its version is a fingerprint of everything they depend on."""
        digest = hashlib.blake2b(repr([one.key for one in self.spaces]).encode(), digest_size=6)
        digest.update(np.ascontiguousarray(self.turn).tobytes())
        return Space("item", f"joined.1.{digest.hexdigest()}", self.turn.shape[1])

    def project(self, parts: Sequence[Vectors]) -> Vectors:
        """The vectors of some items or queries; a row is absent where one of its parts is.

        Args:
            parts: their vectors in each of the spaces, in order.

        Raises:
            SpaceMismatchError: a part lives elsewhere.
            InputError: another number of parts, or of rows.
        """
        wide, present = _side_by_side(self.spaces, parts)
        return Vectors(self.space, normalise(wide @ self.turn) * present[:, None], present)


def joined_spaces(seen: Sequence[Vectors], said: Sequence[Vectors], dim: int) -> JoinedSpaces:
    """The space that keeps most of what several say together.

    Args:
        seen: vectors of pictures, or items, in each of the spaces; a thousand rows or more.
        said: vectors of texts, or other questions, in the same spaces.
        dim: width of the joined vectors; at most that of all together.

    Raises:
        SpaceMismatchError: the two sides live in different spaces.
        InputError: a width that cannot be had, or other rows in one space than in another.

    Example:
        >>> one, two = (Space("item", name, 2) for name in "ab")
        >>> sides = [[Vectors.full(space, np.eye(2, dtype=np.float32)) for space in (one, two)] for _ in range(2)]
        >>> joined = joined_spaces(*sides, dim=2)  # both say the same, so two numbers hold all of it
        >>> found = joined.project(sides[0]).matrix
        >>> np.abs(found @ found.T).round(3).tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """
    spaces = tuple(part.space for part in seen)
    width = sum(one.dim for one in spaces)
    if not 1 <= dim <= width:
        raise InputError(f"joined spaces: {dim} numbers of {width} side by side; expected 1 to {width}")
    moments = np.zeros((width, width), dtype=np.float64)
    for side in (seen, said):
        wide, present = _side_by_side(spaces, side)
        moments += wide.T @ wide / max(int(present.sum()), 1)
    directions = np.linalg.eigh(moments)[1][:, ::-1][:, :dim]
    # an eigenvector has no sign of its own: the largest number is positive, so equal input gives equal vectors
    signs = np.sign(directions[np.abs(directions).argmax(axis=0), np.arange(dim)])
    return JoinedSpaces(spaces, np.ascontiguousarray(directions * signs, dtype=np.float32))


def _side_by_side(
    spaces: Sequence[Space], parts: Sequence[Vectors]
) -> tuple[Float32[np.ndarray, "row wide"], np.ndarray]:
    """Unit rows of all parts, and which rows are in every part."""
    rows = {len(part) for part in parts}
    if len(parts) != len(spaces) or len(rows) > 1:
        raise InputError(
            f"joined spaces: {len(parts)} parts of {sorted(rows)} rows; expected {len(spaces)} of as many rows each"
        )
    for space, part in zip(spaces, parts, strict=True):
        space.require(part.space, "joined spaces")
    present = np.logical_and.reduce([part.present for part in parts])
    wide = np.hstack([normalise(part.matrix) for part in parts]) / np.float32(len(parts) ** 0.5)
    return (wide * present[:, None]).astype(np.float32), present
