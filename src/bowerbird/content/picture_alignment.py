"""Do two pictures show the same thing, apart from cropping and re-encoding? Lay one on the other and look.

Hashes and network vectors cannot tell a cropped copy from a drawing of the same style with another
mouth. Laying the pictures on each other can: a stretch and a shift for each axis are fitted from
coarse to fine, and what remains is judged where it is worst, because look-alikes differ in one
place and copies differ a little everywhere.

Source: Lucas & Kanade 1981, "An Iterative Image Registration Technique", forward additive form,
with four parameters (scale and shift for each axis) on a pyramid of sizes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float32, Int, Num, UInt8
from PIL import Image

from bowerbird.content.pictures import Picture

SIDE = 96
"""Side of the thumbnails that are laid on each other, in pixels."""
_CLEARLY = 0.8
_CELLS = 16
"""The remaining difference is averaged over cells of 6 x 6 pixels: finer detail does not survive a crop's resampling."""


@dataclass(frozen=True, slots=True)
class _Level:
    """One size of the pyramid."""

    side: int
    """Side of the shrunk pictures in pixels."""
    steps: int
    """Steps of the fit."""
    cells: int
    """The difference is averaged over this many cells a side before it is judged."""
    limit: float
    """Grey levels; pairs that differ more, root mean square over cells, are given up."""


# limits keep at least 97 % of cropped copies of the demo artwork, and drop nine look-alikes of ten
_LEVELS = (_Level(12, 6, 4, 13.0), _Level(24, 5, 8, 12.0), _Level(48, 4, 16, 12.0))


@dataclass(frozen=True)
class AlignedDifference:
    """What remains between pictures after laying one on the other, in grey levels of 255."""

    worst: Float32[np.ndarray, "pair"]
    """Root mean square over the worst 3 x 3 cells of 16 x 16; infinite for pairs given up early."""
    zoomed: Bool[np.ndarray, "pair"]
    """Whether the fit stretches an axis by more than 2.5 %: one picture shows a part of the other."""
    mirrored: Bool[np.ndarray, "pair"]
    """Whether the first picture fits better mirrored."""


def thumbnail(picture: Picture) -> UInt8[np.ndarray, "96 96 3"]:
    """The picture squeezed to a small square."""
    return np.asarray(picture.image.resize((SIDE, SIDE), Image.Resampling.BILINEAR), dtype=np.uint8)


def structure(thumbnails: UInt8[np.ndarray, "item 96 96 3"]) -> Float32[np.ndarray, "item"]:
    """Share of 16 x 16 cells in which something can be seen: grey levels that spread by more than 10.

    A plain shape, stretched, fits any other of its kind; a picture with little structure can therefore
    not be recognised as a part of another.
    """
    grey = _shrunk(thumbnails.astype(np.float32), SIDE).mean(axis=-1)
    cells = grey.reshape(len(thumbnails), _CELLS, SIDE // _CELLS, _CELLS, SIDE // _CELLS)
    return (cells.std(axis=(2, 4)) > 10).mean(axis=(1, 2), dtype=np.float32)


class Thumbnails:
    """Pictures that are about to be compared with each other, in the sizes that takes, each made once.

    Args:
        pixels: see :func:`thumbnail`.
    """

    def __init__(self, pixels: UInt8[np.ndarray, "item 96 96 3"]) -> None:
        self.pixels = pixels

    @cached_property
    def halves(self) -> Float32[np.ndarray, "item 48 48 3"]:
        """In half the size."""
        return _shrunk(self.pixels.astype(np.float32), SIDE // 2)

    @cached_property
    def greys(self) -> dict[int, Float32[np.ndarray, "item side side"]]:
        """Without colour, at the sides that pictures are laid on each other at."""
        grey = self.halves.mean(axis=-1, keepdims=True)
        return {level.side: _shrunk(grey, level.side)[..., 0] for level in _LEVELS}


def aligned_difference(
    thumbnails: Thumbnails,
    first: Int[np.ndarray, "pair"],
    second: Int[np.ndarray, "pair"],
) -> AlignedDifference:
    """Lay the first picture of each pair on the second, plain and mirrored, and measure what remains.

    Args:
        thumbnails: the pictures; a few hundred pairs at a time bound the memory.
        first: rows of the pictures that are moved.
        second: rows of the pictures they are laid on.

    Cost: about a millisecond for each pair given up early, ten for each that is followed.
    """
    coarse = _LEVELS[0]
    grey = thumbnails.greys[coarse.side]
    one, turned, other = grey[first], grey[first][:, :, ::-1], grey[second]
    fits = [_fit(moving, other, None, coarse) for moving in (one, turned)]
    plain_left, turned_left = (
        _left(moving, other, fit, coarse) for moving, fit in zip((one, turned), fits, strict=True)
    )
    # a symmetric picture fits both ways: it counts as mirrored only where that is clearly better
    mirrored = turned_left < _CLEARLY * plain_left
    worst = np.full(len(first), np.inf, dtype=np.float32)
    zoomed = np.zeros(len(first), dtype=bool)
    pairs = np.flatnonzero(np.where(mirrored, turned_left, plain_left) <= coarse.limit)
    fit = np.where(mirrored[:, None], fits[1], fits[0])[pairs]
    for level in _LEVELS[1:]:
        if not len(pairs):
            break
        grey = thumbnails.greys[level.side]
        one, other = _oriented(grey[first[pairs]], mirrored[pairs]), grey[second[pairs]]
        fit = _fit(one, other, fit, level)
        kept = _left(one, other, fit, level) <= level.limit
        pairs, fit = pairs[kept], fit[kept]
    if len(pairs):
        one, other = (
            _oriented(thumbnails.pixels[first[pairs]], mirrored[pairs]),
            thumbnails.pixels[second[pairs]],
        )
        worst[pairs] = _remaining(one, other, fit)
        zoomed[pairs] = (np.abs(fit[:, [0, 2]] - 1) > 0.025).any(axis=1)
    return AlignedDifference(worst, zoomed, mirrored)


def in_place_difference(
    thumbnails: Thumbnails,
    first: Int[np.ndarray, "pair"],
    second: Int[np.ndarray, "pair"],
) -> Float32[np.ndarray, "pair"]:
    """What differs without moving anything, plain or mirrored, in grey levels of 255.

    Root mean square over the worst sixth by sixth of the picture, after averaging over 2 x 2 pixels.

    Cost: a third of a millisecond for each pair.
    """
    one, other = thumbnails.halves[first], thumbnails.halves[second]
    return np.minimum(_worst_sixth(one - other), _worst_sixth(one[:, :, ::-1] - other))


def _worst_sixth(difference: Float32[np.ndarray, "pair 48 48 3"]) -> Float32[np.ndarray, "pair"]:
    square = _shrunk(difference * difference, 6).mean(axis=-1)
    return np.sqrt(square.max(axis=(1, 2))).astype(np.float32)


def _oriented(
    pictures: Num[np.ndarray, "pair *shape"], mirrored: Bool[np.ndarray, "pair"]
) -> Num[np.ndarray, "pair *shape"]:
    pictures[mirrored] = pictures[mirrored][:, :, ::-1]
    return pictures


def _shrunk(
    values: Float32[np.ndarray, "pair high wide c"], side: int
) -> Float32[np.ndarray, "pair side side c"]:
    """Averages over cells. Whole rows are added up first: numpy is slow at sums of a few numbers each."""
    count, high, _, channels = values.shape
    step = high // side
    rows = values.reshape(count, side, step, side * step * channels).sum(axis=2)
    cells = rows.reshape(count, side, side, step, channels)
    total = cells[:, :, :, 0]
    for at in range(1, step):
        total = total + cells[:, :, :, at]
    return total / np.float32(step * step)


def _grid(side: int) -> Float32[np.ndarray, "side"]:
    """Pixel centres in [-1, 1]."""
    return ((np.arange(side, dtype=np.float32) + 0.5) * 2 / side - 1).astype(np.float32)


def _sampled(
    layers: Float32[np.ndarray, "pair side side c"], fit: Float32[np.ndarray, "pair 4"]
) -> tuple[Float32[np.ndarray, "pair side side c"], Float32[np.ndarray, "pair side side 1"]]:
    """The layers under a stretch and shift (bilinear), and where they are defined.

    Stretch and shift act on each axis alone, so sampling is one small matrix for each axis.
    """
    side = layers.shape[1]
    across, inside_x = _sampling(fit[:, 0], fit[:, 1], side)
    down, inside_y = _sampling(fit[:, 2], fit[:, 3], side)
    count, channels = layers.shape[0], layers.shape[3]
    rows = (down @ layers.reshape(count, side, side * channels)).reshape(count, side, side, channels)
    sampled = (across[:, None] @ rows).astype(np.float32, copy=False)
    return sampled, (inside_y[:, :, None] & inside_x[:, None, :])[..., None].astype(np.float32)


def _sampling(
    stretch: Float32[np.ndarray, "pair"], shift: Float32[np.ndarray, "pair"], side: int
) -> tuple[Float32[np.ndarray, "pair side side"], Bool[np.ndarray, "pair side"]]:
    place = stretch[:, None] * _grid(side) + shift[:, None]
    pixel = (place + 1) * (side / 2) - 0.5
    # the weight of each source pixel falls linearly with its distance; borders repeat
    distance = np.abs(np.clip(pixel, 0, side - 1)[:, :, None] - np.arange(side, dtype=np.float32))
    return np.maximum(1 - distance, 0).astype(np.float32), np.abs(place) < 1


def _fit(
    moving: Float32[np.ndarray, "pair side side"],
    still: Float32[np.ndarray, "pair side side"],
    start: Float32[np.ndarray, "pair 4"] | None,
    level: _Level,
) -> Float32[np.ndarray, "pair 4"]:
    """Stretch and shift of x, then of y, that bring the first picture onto the second: damped Gauss-Newton."""
    count, side = len(moving), level.side
    fit = np.tile(np.array([1, 0, 1, 0], np.float32), (count, 1)) if start is None else start
    grid = _grid(side)
    slope_y, slope_x = np.gradient(moving, axis=(1, 2))
    layers = np.stack([moving, slope_x * (side / 2), slope_y * (side / 2)], axis=-1).astype(np.float32)
    for _ in range(level.steps):
        here, inside = _sampled(layers, fit)
        error = ((here[..., 0] - still) * inside[..., 0]).reshape(count, -1, 1)
        x, y = here[..., 1] * inside[..., 0], here[..., 2] * inside[..., 0]
        jacobian = np.stack([x * grid, x, y * grid[:, None], y], axis=-1).reshape(count, -1, 4)
        transposed = jacobian.transpose(0, 2, 1)
        normal = transposed @ jacobian
        damping = 1e-3 * np.trace(normal, axis1=1, axis2=2) + 1e-3
        step = np.linalg.solve(
            normal + damping[:, None, None] * np.eye(4, dtype=np.float32), transposed @ error
        )
        fit = fit - np.clip(step[..., 0], -0.2, 0.2)
        fit = np.clip(fit, [0.6, -0.4, 0.6, -0.4], [1.6, 0.4, 1.6, 0.4]).astype(np.float32)
    return fit


def _left(
    moving: Float32[np.ndarray, "pair side side"],
    still: Float32[np.ndarray, "pair side side"],
    fit: Float32[np.ndarray, "pair 4"],
    level: _Level,
) -> Float32[np.ndarray, "pair"]:
    """What remains over the whole picture; averaged over cells, since a crop shifts fine detail between pixels."""
    here, inside = _sampled(moving[..., None], fit)
    cells = _shrunk((here - still[..., None]) * inside, level.cells)
    return np.sqrt((cells**2).mean(axis=(1, 2, 3))).astype(np.float32)


def _remaining(
    first: UInt8[np.ndarray, "pair 96 96 3"],
    second: UInt8[np.ndarray, "pair 96 96 3"],
    fit: Float32[np.ndarray, "pair 4"],
) -> Float32[np.ndarray, "pair"]:
    here, inside = _sampled(first.astype(np.float32), fit)
    # compare first and average then: the two resamplings blur alike only above the cell size
    cells = _shrunk((here - second) * inside, _CELLS)
    square = (cells**2).mean(axis=-1) * (_shrunk(inside, _CELLS)[..., 0] > 0.5)
    padded = np.pad(square, ((0, 0), (1, 1), (1, 1)))
    around = sum(padded[:, y : y + _CELLS, x : x + _CELLS] for y in range(3) for x in range(3)) / np.float32(
        9
    )
    worst = np.sqrt(np.asarray(around).reshape(len(first), -1).max(axis=1))
    return worst.astype(np.float32)
