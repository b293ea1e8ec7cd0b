"""Lay one picture on another by a known movement and look where they agree.

A copy agrees nearly everywhere except under what was put on it, apart from a change of brightness and colour that
is one for the whole picture. A sibling (the same model in another shirt, the next shot of a series) has its
edges in the same places but differs where it matters. So only cells that show something are counted, and each
is asked twice: is the pattern in it the same, and is the colour?
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, UInt8
from PIL import Image

from bowerbird.content.picture_matching import Movement

__all__ = ["Agreement", "agreement", "small_picture", "texture"]

SIDE = 96
"""Longer side of the pictures that are compared, in pixels."""
CELL = 6
"""Side of the cells that are asked, in pixels."""
_CELLS = SIDE // CELL
_SHOWS = 5.0
"""Grey levels a cell spreads by at least (standard deviation) when something can be seen in it."""
_FEWEST = 6
_SAME_PATTERN = 0.8
_LIKE_PATTERN = 0.6
_SAME_COLOUR = 12.0
_EXACT_PATTERN = 0.9
_EXACT_COLOUR = 5.0
_FAINT = 14.0
"""Grey levels that what is faint spreads by at most."""
_FAR = 40.0
"""Levels beyond which colours are simply others."""


@dataclass(frozen=True)
class Agreement:
    """How far two pictures agree where they overlap; shares are of the cells that show something."""

    both: float
    """Share whose pattern and colour are the same."""
    same_pattern: float
    """Share whose pattern is the same, whatever the colour."""
    clear: float
    """Correlation of the pattern that the best quarter of the cells reaches: a copy under a sticker has near 1."""
    colour_of_pattern: float
    """Of those with the same pattern, the share with the same colour: a sibling's shirt has the seams in place."""
    typical: float
    """Median difference of colour over those cells, in levels, at most 40."""
    least: float
    """The difference of colour that a quarter of the cells stays below, in levels, at most 40."""
    recoloured: float
    """Largest logarithm of a channel's change of contrast, 0 when nothing was changed."""
    covered: float
    """Share of the smaller-shown picture that overlaps, at most 1."""
    agreeing: int
    """Cells whose pattern and colour are the same."""
    exact: int
    """Of those, the cells that are nearly equal: what is not covered in a copy."""
    faint: float
    """Share that shows only faint things (folds, skin) in one of the two pictures: drawings have few of them."""


def small_picture(pixels: UInt8[np.ndarray, "height width 3"]) -> Float32[np.ndarray, "high wide 3"]:
    """The picture at a longer side of 96 pixels, in its own proportions."""
    image = Image.fromarray(pixels)
    factor = SIDE / max(image.size)
    size = (max(2, round(image.width * factor)), max(2, round(image.height * factor)))
    way = Image.Resampling.BOX if factor < 1 else Image.Resampling.BILINEAR
    return np.asarray(image.resize(size, way), dtype=np.float32)


def texture(pixels: UInt8[np.ndarray, "height width 3"]) -> float:
    """How far a picture is a photo and not a drawing, in [0, 1].

    The share of faint edges among all edges, times the share of what is beside the background that is not of its five
    commonest colours. Photos are full of both; drawings are flat, of few colours, with few strong edges, and two
    drawings of one style share most of their places without being copies.
    """
    small = Image.fromarray(pixels).resize((96, 96), Image.Resampling.BOX)
    values = np.asarray(small, np.int64)
    grey = values.mean(axis=2)
    across, down = np.abs(np.diff(grey, axis=1))[:-1], np.abs(np.diff(grey, axis=0))[:, :-1]
    edge = np.maximum(across, down)
    faint, strong = ((edge > 1.5) & (edge < 12)).mean(), (edge >= 12).mean()
    inner = values[:-1, :-1][edge < 12] >> 4
    counts = np.sort(np.bincount(inner @ np.array([256, 16, 1]), minlength=4096))[::-1]
    beside = counts[1:].sum()
    colours = 1 - counts[1:6].sum() / max(beside, 40)
    return float(faint / max(faint + strong, 0.02) * colours)


def agreement(
    one: Float32[np.ndarray, "high wide 3"], other: Float32[np.ndarray, "h w 3"], movement: Movement
) -> Agreement | None:
    """Where two pictures agree; None when they hardly overlap or nothing is to be seen there.

    Args:
        one: the picture that is moved, see :func:`small_picture`; not mirrored yet.
        other: the picture it is laid on.
        movement: how it lies.
    """
    one = one[:, ::-1] if movement.mirrored else one
    inverse = np.linalg.inv(movement.matrix.astype(np.float64)).astype(np.float32)
    moved, inside = _moved(one, other.shape[:2], movement, inverse)
    still = np.zeros_like(moved)
    still[: other.shape[0], : other.shape[1]] = other
    count = _cells(inside[..., None])[..., 0]
    usable = count > 0.7 * CELL * CELL
    if usable.sum() < _FEWEST:
        return None
    weight = inside[..., None]
    mean_one = _cells(moved * weight)[usable] / count[usable, None]
    mean_other = _cells(still * weight)[usable] / count[usable, None]
    pattern, weaker, shows = _pattern(moved.mean(axis=2), still.mean(axis=2), inside, count, usable)
    if shows.sum() < _FEWEST:
        return None
    difference, recoloured = _recoloured(mean_one, mean_other, pattern >= _SAME_PATTERN)
    area = usable.sum() * CELL**2
    of_other = area / (other.shape[0] * other.shape[1])
    of_one = area * abs(float(np.linalg.det(inverse))) / (one.shape[0] * one.shape[1])
    pattern, difference = pattern[shows], difference[shows]
    colour, same = difference <= _SAME_COLOUR, pattern >= _SAME_PATTERN
    typical, least = np.minimum(np.quantile(difference, (0.5, 0.25)), _FAR)
    return Agreement(
        both=float((colour & same).mean()),
        same_pattern=float(same.mean()),
        clear=float(np.quantile(pattern, 0.75)),
        colour_of_pattern=_share(colour, pattern >= _LIKE_PATTERN),
        typical=float(typical),
        least=float(least),
        recoloured=recoloured,
        covered=float(min(1.0, max(of_other, of_one))),
        agreeing=int((colour & same).sum()),
        exact=int(((pattern >= _EXACT_PATTERN) & (difference <= _EXACT_COLOUR)).sum()),
        faint=float((weaker[shows] < _FAINT).mean()),
    )


def _share(of: Bool[np.ndarray, "cell"], among: Bool[np.ndarray, "cell"]) -> float:
    return float((of & among).sum() / max(int(among.sum()), 1))


def _moved(
    one: Float32[np.ndarray, "high wide 3"],
    shape: tuple[int, int],
    movement: Movement,
    inverse: Float32[np.ndarray, "2 2"],
) -> tuple[Float32[np.ndarray, "96 96 3"], Float32[np.ndarray, "96 96"]]:
    """The first picture as it lies on the second, and where both are."""
    high, wide = shape
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)
    places = np.stack([x + 0.5 - wide / 2, y + 0.5 - high / 2], axis=-1) / SIDE - movement.shift
    back = places @ inverse.T * SIDE
    at_x, at_y = back[..., 0] + one.shape[1] / 2 - 0.5, back[..., 1] + one.shape[0] / 2 - 0.5
    inside = (x < wide) & (y < high)
    inside &= (at_x > -0.5) & (at_x < one.shape[1] - 0.5) & (at_y > -0.5) & (at_y < one.shape[0] - 0.5)
    at_x, at_y = np.clip(at_x, 0, one.shape[1] - 1.001), np.clip(at_y, 0, one.shape[0] - 1.001)
    left, top = at_x.astype(np.int64), at_y.astype(np.int64)
    part_x, part_y = (at_x - left)[..., None], (at_y - top)[..., None]
    upper = one[top, left] * (1 - part_x) + one[top, left + 1] * part_x
    lower = one[top + 1, left] * (1 - part_x) + one[top + 1, left + 1] * part_x
    return (upper * (1 - part_y) + lower * part_y).astype(np.float32), inside.astype(np.float32)


def _cells(values: Float32[np.ndarray, "96 96 c"]) -> Float32[np.ndarray, "16 16 c"]:
    return values.reshape(_CELLS, CELL, _CELLS, CELL, -1).sum(axis=(1, 3))


def _pattern(
    one: Float32[np.ndarray, "96 96"],
    other: Float32[np.ndarray, "96 96"],
    inside: Float32[np.ndarray, "96 96"],
    count: Float32[np.ndarray, "16 16"],
    usable: Bool[np.ndarray, "16 16"],
) -> tuple[Float32[np.ndarray, "cell"], Float32[np.ndarray, "cell"], Bool[np.ndarray, "cell"]]:
    """Of each usable cell: correlation of the brightness, the weaker spread, whether either shows something."""
    sums = _cells(np.stack([one, other, one * one, other * other, one * other], axis=-1) * inside[..., None])
    a, b, aa, bb, ab = (sums[usable] / count[usable, None]).T
    spread_one, spread_other = np.maximum(aa - a * a, 0), np.maximum(bb - b * b, 0)
    together = (ab - a * b) / np.sqrt((spread_one + 1) * (spread_other + 1))
    weaker = np.sqrt(np.minimum(spread_one, spread_other))
    return together.astype(np.float32), weaker, np.maximum(spread_one, spread_other) > _SHOWS**2


def _recoloured(
    one: Float32[np.ndarray, "cell 3"], other: Float32[np.ndarray, "cell 3"], same: Bool[np.ndarray, "cell"]
) -> tuple[Float32[np.ndarray, "cell"], float]:
    """What differs after one change of contrast and brightness for each channel; fitted to the cells that agree.

    It starts from the cells whose pattern is the same, so that a sticker is not taken for a change of colour.
    """
    weight = same.astype(np.float32) + np.float32(0.02 if same.sum() >= _FEWEST else 1)
    gain, shift = np.ones(3, np.float32), np.zeros(3, np.float32)
    difference = np.zeros(len(one), np.float32)
    for _ in range(4):
        share = weight / weight.sum()
        mean_one, mean_other = share @ one, share @ other
        a, b = one - mean_one, other - mean_other
        # towards no change where a picture is too flat to tell
        gain = np.clip((share @ (a * b) + 25) / (share @ (a * a) + 25), 0.5, 2.0)
        shift = mean_other - gain * mean_one
        difference = np.sqrt(((one * gain + shift - other) ** 2).mean(axis=1))
        weight = 1 / (1 + (difference / 10) ** 2)
    return difference.astype(np.float32), float(np.abs(np.log(gain)).max())
