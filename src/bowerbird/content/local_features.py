"""Local features: small distinctive places of a picture, described so that they can be found again in a copy.

A crop, a turn or a sticker changes a picture as a whole but leaves most of its small places alone. Each is
found as a blob (largest difference of two blurs), turned to its main direction, and described by the
directions of the edges around it. Which places of two pictures belong together, and whether they agree on
one movement, is :mod:`bowerbird.content.picture_matching`'s question.

Source: Lowe 2004, "Distinctive Image Features from Scale-Invariant Keypoints", sections 3, 5 and 6;
Arandjelovic & Zisserman 2012, "Three things everyone should know", section 2 (the square root). Sizes come
from a pyramid of shrunk pictures alone, one blob layer for each.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int8, Int32, Int64, UInt8
from PIL import Image
from scipy.ndimage import gaussian_filter1d

SIDE = 224
"""Longer side in pixels that pictures are brought to before features are looked for."""
MOST = 192
"""Most features of a picture, the clearest ones."""
_STEP = 2**0.5
_LEVELS = 6
_PATCH = 16
_REACH = 1.25
"""Pixels between two samples of a patch."""
_BINS = 8
_CELLS = 4
_LEAST_CONTRAST = 1.5
_EDGE = 8


@dataclass(frozen=True)
class LocalFeatures:
    """The features of one picture; places are in shares of its longer side from its centre."""

    place: Float32[np.ndarray, "feature 2"]
    """Horizontal and vertical place, rightward and downward."""
    size: Float32[np.ndarray, "feature"]
    """How large a pixel of the level it was found on is, in pixels of the picture at :data:`SIDE`."""
    angle: Float32[np.ndarray, "feature"]
    """Main direction in radians."""
    code: Int8[np.ndarray, "feature 128"]
    """Directions of edges around the place; dot products over ``127 * 127`` are cosines."""

    def __len__(self) -> int:
        return self.place.shape[0]


_OFFSETS = np.stack(
    np.meshgrid(np.arange(_PATCH) - (_PATCH - 1) / 2, np.arange(_PATCH) - (_PATCH - 1) / 2), axis=-1
).reshape(-1, 2).astype(np.float32) * np.float32(_REACH)
_WINDOW = np.exp(-(_OFFSETS**2).sum(axis=1) / (2 * (_PATCH * _REACH / 2) ** 2)).astype(np.float32)


def _cell_weights() -> Float32[np.ndarray, "sample cell"]:
    """How much each sample of a patch counts for each of 4 x 4 cells: linear in the distance to its centre."""
    at = (np.arange(_PATCH) + 0.5) * _CELLS / _PATCH - 0.5
    one = np.maximum(0, 1 - np.abs(at[:, None] - np.arange(_CELLS)))
    both = one[:, None, :, None] * one[None, :, None, :]
    return (both.reshape(_PATCH * _PATCH, _CELLS * _CELLS) * _WINDOW[:, None]).astype(np.float32)


_TO_CELLS = _cell_weights()


@dataclass(frozen=True)
class _Level:
    """One size of a picture, and the clearest places on it."""

    slope_x: Float32[np.ndarray, "h w"]
    slope_y: Float32[np.ndarray, "h w"]
    shrink: float
    x: Int64[np.ndarray, "feature"]
    y: Int64[np.ndarray, "feature"]


@dataclass(frozen=True)
class _Places:
    """Where features lie, of all levels in a row; numbers of a level are repeated for each of its features."""

    x: Float32[np.ndarray, "feature 1"]
    y: Float32[np.ndarray, "feature 1"]
    high: Float32[np.ndarray, "feature 1"]
    wide: Float32[np.ndarray, "feature 1"]
    start: Float32[np.ndarray, "feature 1"]
    """Where the level's pixels begin among those of all levels."""


def local_features(pixels: UInt8[np.ndarray, "height width 3"]) -> LocalFeatures:
    """The features of a decoded picture.

    Args:
        pixels: the picture; any shape, features are sought at a longer side of :data:`SIDE` pixels.

    Cost: about five CPU-milliseconds.
    """
    levels = [level for level in _levels(pixels) if len(level.x)]
    if not levels:
        return no_features()
    counts = [len(level.x) for level in levels]
    sizes = [level.slope_x.size for level in levels]
    each = np.array(
        [
            (*level.slope_x.shape, start, level.shrink)
            for level, start in zip(levels, np.cumsum([0, *sizes[:-1]]), strict=True)
        ],
        dtype=np.float32,
    )
    high, wide, start, shrink = np.repeat(each, counts, axis=0).T[..., None]
    x, y = (
        np.concatenate([getattr(level, axis) for level in levels]).astype(np.float32)[:, None]
        for axis in ("x", "y")
    )
    places = _Places(x, y, high, wide, start)
    slope_x = np.concatenate([level.slope_x.ravel() for level in levels])
    slope_y = np.concatenate([level.slope_y.ravel() for level in levels])
    angle = _direction(slope_x, slope_y, places)
    code = _codes(slope_x, slope_y, places, angle)
    place = np.hstack([x + 0.5 - wide / 2, y + 0.5 - high / 2]) / np.maximum(high, wide)
    return LocalFeatures(place.astype(np.float32), shrink[:, 0], angle, code)


def no_features() -> LocalFeatures:
    """The features of a picture in which nothing was found or sought."""
    return LocalFeatures(
        np.zeros((0, 2), np.float32),
        np.zeros(0, np.float32),
        np.zeros(0, np.float32),
        np.zeros((0, 128), np.int8),
    )


def _levels(pixels: UInt8[np.ndarray, "height width 3"]) -> Iterator[_Level]:
    grey = Image.fromarray(pixels).convert("L")
    factor = SIDE / max(grey.size)
    size = (max(1, round(grey.width * factor)), max(1, round(grey.height * factor)))
    grey = grey.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
    share = 1 / sum(_STEP ** (-level) for level in range(_LEVELS))
    for level in range(_LEVELS):
        shrink = _STEP**level
        shrunk = (max(1, round(size[0] / shrink)), max(1, round(size[1] / shrink)))
        if min(shrunk) <= 2 * _EDGE:
            return
        small = grey.resize(shrunk, Image.Resampling.BOX) if level else grey
        yield _level(np.asarray(small, np.float32), shrink, round(MOST * share / shrink))


def _level(grey: Float32[np.ndarray, "h w"], shrink: float, most: int) -> _Level:
    smooth = _blurred(grey, 1.2)
    blobs = np.abs(_blurred(smooth, 1.2) - smooth)
    inner = blobs[_EDGE:-_EDGE, _EDGE:-_EDGE]
    y, x = np.nonzero((inner > _LEAST_CONTRAST) & (inner == _largest_around(blobs)))
    if len(y) > most:
        best = np.argsort(-inner[y, x], kind="stable")[:most]
        y, x = y[best], x[best]
    slope_x, slope_y = np.zeros_like(smooth), np.zeros_like(smooth)
    slope_x[:, 1:-1] = smooth[:, 2:] - smooth[:, :-2]
    slope_y[1:-1] = smooth[2:] - smooth[:-2]
    return _Level(slope_x, slope_y, shrink, x + _EDGE, y + _EDGE)


def _blurred(values: Float32[np.ndarray, "h w"], sigma: float) -> Float32[np.ndarray, "h w"]:
    once = gaussian_filter1d(values, sigma, axis=0, truncate=3.0)
    return gaussian_filter1d(once, sigma, axis=1, truncate=3.0)


def _largest_around(values: Float32[np.ndarray, "h w"]) -> Float32[np.ndarray, "inner_h inner_w"]:
    """The largest of 5 x 5 values around each place but those at the edge."""
    high, wide = values.shape[0] - 2 * _EDGE, values.shape[1] - 2 * _EDGE
    top = values[:, _EDGE - 2 : _EDGE - 2 + wide].copy()
    for step in range(-1, 3):
        np.maximum(top, values[:, _EDGE + step : _EDGE + step + wide], out=top)
    largest = top[_EDGE - 2 : _EDGE - 2 + high].copy()
    for step in range(-1, 3):
        np.maximum(largest, top[_EDGE + step : _EDGE + step + high], out=largest)
    return largest


def _direction(
    slope_x: Float32[np.ndarray, "pixel"], slope_y: Float32[np.ndarray, "pixel"], places: _Places
) -> Float32[np.ndarray, "feature"]:
    """The direction most edges around each place have, from 36 bins, refined between neighbours."""
    count = len(places.x)
    at = _pixels_under(places, np.zeros((count, 1), np.float32))
    gx, gy = slope_x.take(at), slope_y.take(at)
    strength = np.sqrt(gx * gx + gy * gy) * _WINDOW
    bins = (np.arctan2(gy, gx) * np.float32(36 / (2 * np.pi))).astype(np.int32)
    bins += np.where(bins < 0, 36, 0) + 36 * np.arange(count, dtype=np.int32)[:, None]
    votes = np.bincount(bins.ravel(), strength.ravel(), minlength=36 * count)[: 36 * count].reshape(-1, 36)
    votes = votes * 0.5 + 0.25 * (np.roll(votes, 1, axis=1) + np.roll(votes, -1, axis=1))
    top = votes.argmax(axis=1)
    row = np.arange(count)
    left, here, right = votes[row, (top - 1) % 36], votes[row, top], votes[row, (top + 1) % 36]
    bend = left - 2 * here + right
    shift = np.where(bend < 0, 0.5 * (left - right) / np.where(bend < 0, bend, 1), 0.0)
    return ((top + 0.5 + shift) * (2 * np.pi / 36)).astype(np.float32)


def _pixels_under(
    places: _Places, angle: Float32[np.ndarray, "feature 1"]
) -> Int32[np.ndarray, "feature sample"]:
    """Pixels under the turned patch of each place; samples outside repeat the border."""
    cos, sin = np.cos(angle), np.sin(angle)
    at_x = np.rint(places.x + (cos * _OFFSETS[:, 0] - sin * _OFFSETS[:, 1]))
    at_y = np.rint(places.y + (sin * _OFFSETS[:, 0] + cos * _OFFSETS[:, 1]))
    at_x = np.minimum(np.maximum(at_x, 0), places.wide - 1)
    at_y = np.minimum(np.maximum(at_y, 0), places.high - 1)
    return (places.start + at_y * places.wide + at_x).astype(np.int32)


def _codes(
    slope_x: Float32[np.ndarray, "pixel"],
    slope_y: Float32[np.ndarray, "pixel"],
    places: _Places,
    angle: Float32[np.ndarray, "feature"],
) -> Int8[np.ndarray, "feature 128"]:
    """Strength of the edges in each of eight directions and sixteen cells, relative to the main direction."""
    at = _pixels_under(places, angle[:, None])
    gx, gy = slope_x.take(at), slope_y.take(at)
    strength = np.sqrt(gx * gx + gy * gy)
    turned = (np.arctan2(gy, gx) - angle[:, None]) * np.float32(_BINS / (2 * np.pi))
    turned -= _BINS * np.floor(turned / _BINS)
    turned[turned > _BINS - 1] -= _BINS  # between the last bin and the first
    code = np.empty((len(at), _BINS, _CELLS * _CELLS), np.float32)
    for direction in range(_BINS):
        apart = np.abs(turned - direction)
        if direction == _BINS - 1:
            apart = np.minimum(apart, np.abs(turned + 1))
        code[:, direction] = (strength * np.maximum(1 - apart, 0)) @ _TO_CELLS
    code = code.reshape(len(at), -1)
    code = np.sqrt(code / np.maximum(code.sum(axis=1, keepdims=True), 1e-6))
    return np.rint(code * 127).astype(np.int8)
