"""Do two pictures share a part? Their local features must agree on one movement of one onto the other.

Every match of two features proposes a movement (how large, how turned, how shifted); the movement most matches
agree on is fitted to them. The mirror image is tried beside the picture itself.

Source: Lowe 2004, "Distinctive Image Features from Scale-Invariant Keypoints", sections 7.1 to 7.3 (the ratio to
the second best; matches that propose movements; the affine fit).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int64, Num

from bowerbird.content.local_features import MOST, LocalFeatures

__all__ = ["Movement", "mirrored", "shared_movements"]

RATIO = 0.9
"""A match is kept when its angle is at most this share of the angle to the second best."""
ALIKE = 0.7
"""Cosine that two features of a match have at least."""
PROPOSALS = 24
"""Clearest matches whose movements are tried."""
NEAR = 0.03
"""Places agree when they are at most this share of the longer side apart."""
FEWEST = 5
"""Fewer agreeing matches happen by chance and are no movement."""
_EXACT_FROM = 12
_STRETCH = 8.0
"""Largest change of size either way, and largest ratio of the two axes is half of it."""


@dataclass(frozen=True)
class Movement:
    """How one picture lies on another: ``place_on_other = matrix @ place + shift``, in shares of the longer sides."""

    matrix: Float32[np.ndarray, "2 2"]
    shift: Float32[np.ndarray, "2"]
    agreeing: int
    """Matches at different places that agree on it."""
    matches: int
    """Matches there were."""
    mirrored: bool
    """Whether the first picture was mirrored before it was moved."""


def _mirror_order() -> Int64[np.ndarray, "128"]:
    bins, rows, columns = np.meshgrid(np.arange(8), np.arange(4), np.arange(4), indexing="ij")
    return ((-bins % 8) * 16 + (3 - rows) * 4 + columns).ravel()


_MIRROR = _mirror_order()


def mirrored(features: LocalFeatures) -> LocalFeatures:
    """The features of the mirror image, without looking at it."""
    place = features.place * np.array([-1, 1], np.float32)
    angle = (np.pi - features.angle).astype(np.float32)
    return LocalFeatures(place, features.size, angle, features.code[:, _MIRROR])


def shared_movements(one: LocalFeatures, others: Sequence[LocalFeatures]) -> list[Movement | None]:
    """For each of the others, the movement of the picture onto it; None where too little agrees.

    Args:
        one: the picture that is moved.
        others: the pictures it is laid on; a dozen at a time bound the memory.

    Cost: about a CPU-millisecond for each of the others.
    """
    if not len(one) or not others:
        return [None] * len(others)
    stacked = np.zeros((len(others), MOST, one.code.shape[1]), np.float32)
    for at, other in enumerate(others):
        stacked[at, : len(other)] = other.code
    ways = (one, mirrored(one))
    asked = np.concatenate([way.code for way in ways]).astype(np.float32)
    alike = (asked @ stacked.reshape(-1, asked.shape[1]).T / np.float32(127 * 127)).reshape(
        2, len(one), len(others), MOST
    )
    best = alike.argmax(axis=3)
    top = np.take_along_axis(alike, best[..., None], axis=3)
    np.put_along_axis(alike, best[..., None], np.float32(-1), axis=3)
    top, second = np.minimum(top[..., 0], 1), np.clip(alike.max(axis=3), -1, 1)
    share = np.arccos(top) / np.maximum(np.arccos(second), 1e-6)
    kept = (share < RATIO) & (top > ALIKE)
    found: list[Movement | None] = []
    for at, other in enumerate(others):
        movements = []
        for turned, way in enumerate(ways):
            left = np.flatnonzero(kept[turned, :, at])
            order = np.argsort(share[turned, left, at], kind="stable")
            left = left[order]
            movements.append(_movement(way, other, left, best[turned, left, at], turned == 1))
        found.append(max(movements, key=lambda one: one.agreeing if one is not None else 0))
    return found


def _movement(
    one: LocalFeatures,
    other: LocalFeatures,
    left: Int64[np.ndarray, "match"],
    right: Int64[np.ndarray, "match"],
    turned: bool,
) -> Movement | None:
    """The movement most matches agree on; matches come clearest first."""
    if len(left) < FEWEST:
        return None
    a, b = one.place[left], other.place[right]
    inside = _proposed(one, other, left[:PROPOSALS], right[:PROPOSALS], (a, b))
    matrix, shift, off = np.eye(2), np.zeros(2), np.zeros(len(a))
    for near in (1.5 * NEAR, NEAR, NEAR):
        if inside.sum() < FEWEST:
            return None
        matrix, shift = _fitted(a[inside], b[inside])
        off = ((a @ matrix.T + shift - b) ** 2).sum(axis=1)
        inside = off < near**2
    for near in (0.6 * NEAR, 0.4 * NEAR):  # the nearest place it exactly, where there are enough
        close = off < near**2
        if close.sum() >= _EXACT_FROM:
            matrix, shift = _fitted(a[close], b[close])
            off = ((a @ matrix.T + shift - b) ** 2).sum(axis=1)
    agreeing = min(_places(a[inside]), _places(b[inside]))
    sizes = np.linalg.svd(matrix, compute_uv=False)
    # a picture is not squeezed to a line, nor does it turn inside out: the mirror image is tried by itself
    if agreeing < FEWEST or sizes[0] > _STRETCH or sizes[1] < 1 / _STRETCH or sizes[0] > 2 * sizes[1]:
        return None
    if np.linalg.det(matrix) <= 0:
        return None
    return Movement(matrix.astype(np.float32), shift.astype(np.float32), agreeing, len(left), turned)


def _proposed(
    one: LocalFeatures,
    other: LocalFeatures,
    left: Int64[np.ndarray, "proposal"],
    right: Int64[np.ndarray, "proposal"],
    places: tuple[Float32[np.ndarray, "match 2"], Float32[np.ndarray, "match 2"]],
) -> Bool[np.ndarray, "match"]:
    """The matches that agree with the best proposal."""
    a, b = places
    size = other.size[right] / one.size[left]
    turn = other.angle[right] - one.angle[left]
    cos, sin = size * np.cos(turn), size * np.sin(turn)
    shift_x = b[: len(left), 0] - (cos * a[: len(left), 0] - sin * a[: len(left), 1])
    shift_y = b[: len(left), 1] - (sin * a[: len(left), 0] + cos * a[: len(left), 1])
    off_x = cos[:, None] * a[:, 0] - sin[:, None] * a[:, 1] + shift_x[:, None] - b[:, 0]
    off_y = sin[:, None] * a[:, 0] + cos[:, None] * a[:, 1] + shift_y[:, None] - b[:, 1]
    agree = off_x**2 + off_y**2 < (2 * NEAR) ** 2
    return agree[agree.sum(axis=1).argmax()]


def _places(places: Num[np.ndarray, "match 2"]) -> int:
    """How many different places there are, to a fortieth of the longer side."""
    rounded = np.rint(places * 40).astype(np.int64)
    return len(np.unique(rounded[:, 0] * 1000 + rounded[:, 1]))


def _fitted(a: Num[np.ndarray, "match 2"], b: Num[np.ndarray, "match 2"]) -> tuple[np.ndarray, np.ndarray]:
    """The movement with least squares: size, turn and shift for few matches, any affine one for many."""
    centre_a, centre_b = a.mean(axis=0), b.mean(axis=0)
    x, y = (a - centre_a).astype(np.float64), (b - centre_b).astype(np.float64)
    if len(a) < 10:
        length = (x**2).sum() + 1e-9
        cos = (x * y).sum() / length
        sin = (x[:, 0] * y[:, 1] - x[:, 1] * y[:, 0]).sum() / length
        matrix = np.array([[cos, -sin], [sin, cos]])
    else:
        matrix = np.linalg.solve(x.T @ x + 1e-6 * np.eye(2), x.T @ y).T
    return matrix, centre_b - matrix @ centre_a
