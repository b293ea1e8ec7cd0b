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

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int8, UInt8
from PIL import Image
from scipy.ndimage import gaussian_filter1d, maximum_filter

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


def local_features(pixels: UInt8[np.ndarray, "height width 3"]) -> LocalFeatures:
    """The features of a decoded picture.

    Args:
        pixels: the picture; any shape, features are sought at a longer side of :data:`SIDE` pixels.

    Cost: about ten CPU-milliseconds.
    """
    grey = Image.fromarray(pixels).convert("L")
    factor = SIDE / max(grey.size)
    size = (max(1, round(grey.width * factor)), max(1, round(grey.height * factor)))
    grey = grey.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
    parts = []
    share = 1 / sum(_STEP ** (-level) for level in range(_LEVELS))
    for level in range(_LEVELS):
        shrink = _STEP**level
        small = (
            grey.resize(
                (max(1, round(size[0] / shrink)), max(1, round(size[1] / shrink))), Image.Resampling.BOX
            )
            if level
            else grey
        )
        if min(small.size) <= 2 * _EDGE:
            break
        parts.append(_level(np.asarray(small, np.float32), shrink, round(MOST * share / shrink)))
    if not parts:
        return no_features()
    place = np.concatenate([part.place for part in parts])
    return LocalFeatures(
        place,
        np.concatenate([part.size for part in parts]),
        np.concatenate([part.angle for part in parts]),
        np.concatenate([part.code for part in parts]),
    )


def no_features() -> LocalFeatures:
    """The features of a picture in which nothing was found or sought."""
    return LocalFeatures(
        np.zeros((0, 2), np.float32),
        np.zeros(0, np.float32),
        np.zeros(0, np.float32),
        np.zeros((0, 128), np.int8),
    )


def _blurred(values: Float32[np.ndarray, "h w"], sigma: float) -> Float32[np.ndarray, "h w"]:
    once = gaussian_filter1d(values, sigma, axis=0, truncate=3.0)
    return gaussian_filter1d(once, sigma, axis=1, truncate=3.0)


def _level(grey: Float32[np.ndarray, "h w"], shrink: float, most: int) -> LocalFeatures:
    """The clearest features of one level of the pyramid."""
    smooth = _blurred(grey, 1.2)
    blobs = np.abs(_blurred(smooth, 1.2) - smooth)
    peak = (blobs == maximum_filter(blobs, 5)) & (blobs > _LEAST_CONTRAST)
    peak[:_EDGE], peak[-_EDGE:], peak[:, :_EDGE], peak[:, -_EDGE:] = False, False, False, False
    y, x = np.nonzero(peak)
    if not len(y):
        return no_features()
    if len(y) > most:
        best = np.argsort(-blobs[y, x], kind="stable")[:most]
        y, x = y[best], x[best]
    slope_x, slope_y = np.zeros_like(smooth), np.zeros_like(smooth)
    slope_x[:, 1:-1] = smooth[:, 2:] - smooth[:, :-2]
    slope_y[1:-1] = smooth[2:] - smooth[:-2]
    angle = _direction(slope_x, slope_y, x, y)
    code = _codes(slope_x, slope_y, x, y, angle)
    high, wide = grey.shape
    longer = max(high, wide)
    place = np.stack([(x + 0.5 - wide / 2) / longer, (y + 0.5 - high / 2) / longer], axis=1)
    return LocalFeatures(
        place.astype(np.float32), np.full(len(x), shrink, np.float32), angle.astype(np.float32), code
    )


def _direction(slope_x, slope_y, x, y):
    """The direction most edges around each place have, from 36 bins, refined between neighbours."""
    at_x, at_y = _sampled_at(slope_x.shape, x, y, np.zeros(len(x), np.float32))
    gx, gy = slope_x[at_y, at_x], slope_y[at_y, at_x]
    strength = np.hypot(gx, gy) * _WINDOW
    bins = (np.arctan2(gy, gx) * (36 / (2 * np.pi))).astype(np.int64) % 36
    flat = bins + 36 * np.arange(len(x))[:, None]
    votes = np.bincount(flat.ravel(), strength.ravel(), minlength=36 * len(x)).reshape(-1, 36)
    votes = votes * 0.5 + 0.25 * (np.roll(votes, 1, axis=1) + np.roll(votes, -1, axis=1))
    top = votes.argmax(axis=1)
    row = np.arange(len(x))
    left, here, right = votes[row, (top - 1) % 36], votes[row, top], votes[row, (top + 1) % 36]
    bend = left - 2 * here + right
    shift = np.where(bend < 0, 0.5 * (left - right) / np.where(bend < 0, bend, 1), 0.0)
    return (top + 0.5 + shift) * (2 * np.pi / 36)


def _sampled_at(shape, x, y, angle):
    """Pixels under the turned patch of each place; places outside repeat the border."""
    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
    at_x = x[:, None] + cos * _OFFSETS[:, 0] - sin * _OFFSETS[:, 1]
    at_y = y[:, None] + sin * _OFFSETS[:, 0] + cos * _OFFSETS[:, 1]
    at_x = np.clip(np.rint(at_x), 0, shape[1] - 1).astype(np.int32)
    return at_x, np.clip(np.rint(at_y), 0, shape[0] - 1).astype(np.int32)


def _codes(slope_x, slope_y, x, y, angle):
    at_x, at_y = _sampled_at(slope_x.shape, x, y, angle.astype(np.float32))
    gx, gy = slope_x[at_y, at_x], slope_y[at_y, at_x]
    strength = np.hypot(gx, gy)
    turned = ((np.arctan2(gy, gx) - angle[:, None]) * (_BINS / (2 * np.pi))) % _BINS
    low = np.floor(turned).astype(np.int64) % _BINS
    part = (turned - np.floor(turned)).astype(np.float32)
    by_bin = np.zeros((len(x), _BINS, _PATCH * _PATCH), np.float32)
    row, sample = np.arange(len(x))[:, None], np.arange(_PATCH * _PATCH)
    by_bin[row, low, sample] = strength * (1 - part)
    by_bin[row, (low + 1) % _BINS, sample] = strength * part
    code = (by_bin @ _TO_CELLS).reshape(len(x), -1)
    code = np.sqrt(code / np.maximum(code.sum(axis=1, keepdims=True), 1e-6))
    return np.rint(code * 127).astype(np.int8)
