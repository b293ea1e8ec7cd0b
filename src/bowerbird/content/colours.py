"""Dominant colours of a picture, and what people call them.

Pixels are counted on a coarse grid of colours and grouped by weighted k-means in CIE Lab, where distance is
close to what people see. A group is named after the nearest CSS colour (``crimson``) and its family (``red``).
What surrounds the subject is told apart: the group most of the picture's rim belongs to is its background.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64, UInt8
from PIL import Image, ImageColor

__all__ = ["FAMILIES", "MOST", "Colour", "colours_of", "dominant_colours", "lab", "named"]

MOST = 6
"""Colours told apart in one picture."""
LEAST_SHARE = 0.03
"""Share of the picture below which a colour is not told."""
RIM_SHARE = 0.6
"""Share of the rim one colour must cover to be called the background."""
_SIDE_PX = 64
_STEP = 16
_ROUNDS = 12
_MERGED = 12.0
"""Lab distance below which two groups are one colour: a shadow on a wall is not a second wall."""
_WHITE = np.array([0.95047, 1.0, 1.08883])
_XYZ_OF_RGB = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)

_SHADES = {
    "black": "black",
    "grey": "dimgray gray darkgray silver lightgray slategray lightslategray darkslategray gainsboro",
    "white": "white snow ghostwhite whitesmoke mintcream azure aliceblue floralwhite seashell lavenderblush",
    "red": "red darkred firebrick crimson indianred maroon tomato brown",
    "orange": "orange darkorange orangered coral lightsalmon darksalmon salmon lightcoral",
    "yellow": "yellow gold lightyellow lemonchiffon khaki palegoldenrod darkkhaki goldenrod",
    "green": "green darkgreen lime limegreen forestgreen seagreen mediumseagreen darkseagreen olivedrab olive "
    "darkolivegreen yellowgreen greenyellow chartreuse lawngreen lightgreen palegreen springgreen honeydew "
    "mediumspringgreen",
    "turquoise": "teal darkcyan cyan turquoise darkturquoise mediumturquoise paleturquoise aquamarine "
    "mediumaquamarine lightseagreen lightcyan cadetblue",
    "blue": "blue mediumblue darkblue navy midnightblue royalblue cornflowerblue dodgerblue deepskyblue skyblue "
    "lightskyblue steelblue lightsteelblue lightblue powderblue slateblue darkslateblue",
    "purple": "purple indigo blueviolet darkviolet darkorchid mediumpurple mediumorchid rebeccapurple "
    "mediumslateblue darkmagenta thistle lavender plum violet orchid magenta",
    "pink": "pink lightpink hotpink deeppink palevioletred mediumvioletred mistyrose rosybrown",
    "brown": "saddlebrown sienna chocolate peru darkgoldenrod sandybrown",
    "beige": "beige tan burlywood wheat bisque moccasin navajowhite peachpuff blanchedalmond papayawhip linen "
    "antiquewhite oldlace cornsilk ivory lightgoldenrodyellow",
}
_SEEN_AS = {
    "black": "121212 202020 2c2c2c 35343a 3a3330 1c2024",
    "grey": "6a6a6a 8c8c8c b4b4b4 c8c6c4 5c5c60",
    "white": "e6e6e6 ebe8e6 e4e6ea f0ece8",
    "blue": "1e2340 2b3350 3c4a66 55647f 6f7f9c 8396b4 23304a",
    "brown": "3c2820 513a2e 6b4c3c 7d5f4b 94755f 4a3a32 8b6b4a",
    "beige": "b8a68e c9b9a3 d8cbb8 ccbcaa",
    "green": "2f3d2c 44543c 5b6646 6e7a5a 7c8468 20382a",
    "red": "5a1620 7a2630 8f3a40 4a1218 a8444a",
    "purple": "3a2440 55405e 6f5878 8a7494",
    "pink": "c08a96 d8a8b0 b06a7c e0bcc0",
    "orange": "c8643c d98a5c",
    "yellow": "c8b050 d8c478",
    "turquoise": "2c5a5c 4a7c7e 7aa6a6",
}
"""What cloth, wood and paper look like in photos, where CSS names only pure paints."""
FAMILIES = tuple(_SHADES)
"""What a colour may be called in few words."""


@dataclass(frozen=True)
class Colour:
    """One colour of a picture."""

    family: str
    """One of :data:`FAMILIES`, e.g. ``red``."""
    shade: str
    """The nearest CSS colour, e.g. ``crimson``."""
    hex: str
    """The colour itself, e.g. ``#d82a31``."""
    share: float
    """Part of the picture it covers, in (0, 1]."""
    background: bool
    """It is what surrounds the subject."""


def lab(rgb: UInt8[np.ndarray, "*n 3"]) -> Float64[np.ndarray, "*n 3"]:
    """CIE Lab (D65) of 8-bit sRGB colours.

    Source: IEC 61966-2-1 (sRGB) and CIE 15 (Lab).

    Example:
        >>> np.abs(lab(np.array([255, 255, 255], dtype=np.uint8))).round(1).tolist()
        [100.0, 0.0, 0.0]
    """
    linear = _linear()[rgb]
    ratio = linear @ _XYZ_OF_RGB.T / _WHITE
    root = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = root[..., 0], root[..., 1], root[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1) + 0.0


def named(rgb: UInt8[np.ndarray, "n 3"]) -> list[tuple[str, str]]:
    """Family and nearest CSS shade of each colour.

    Example:
        >>> named(np.array([[220, 20, 60], [255, 255, 255]], dtype=np.uint8))
        [('red', 'crimson'), ('white', 'white')]
    """
    shades, families, places = _named_shades()
    far = ((lab(rgb)[:, None, :] - places) ** 2).sum(axis=2)
    paints = far[:, : len(shades)].argmin(axis=1)
    return [(families[at], shades[paint]) for at, paint in zip(far.argmin(axis=1), paints, strict=True)]


def dominant_colours(pixels: UInt8[np.ndarray, "height width 3"]) -> Float32[np.ndarray, "6 5"]:
    """The colours of a picture, largest first: red, green, blue, share, and 1 for the background.

    Args:
        pixels: the picture.

    Returns:
        :data:`MOST` rows; those of share 0 stand for nothing. A colour's share counts pixels of the whole picture.

    Cost: about a millisecond; the grid of colours bounds it at any size.
    """
    small = np.asarray(Image.fromarray(pixels).resize((_SIDE_PX, _SIDE_PX), Image.Resampling.BOX))
    points, weights, group_of_pixel = _grid(small.reshape(-1, 3))
    places = lab(points)
    groups = _merged(places, weights, _kmeans(places, weights))
    mine = groups[group_of_pixel].reshape(_SIDE_PX, _SIDE_PX)
    flat, inside = small.reshape(-1, 3).astype(np.float64), mine.reshape(-1)
    shares = np.bincount(inside, minlength=MOST) / inside.size
    rim = np.concatenate([mine[0], mine[-1], mine[1:-1, 0], mine[1:-1, -1]])
    on_rim = np.bincount(rim, minlength=MOST) / rim.size
    found = np.zeros((MOST, 5), dtype=np.float32)
    for place, group in enumerate(np.argsort(-shares, kind="stable")):
        if shares[group] >= LEAST_SHARE:
            found[place, :3] = np.rint(flat[inside == group].mean(axis=0))
            found[place, 3] = shares[group]
            found[place, 4] = on_rim[group] >= RIM_SHARE
    return found


def colours_of(numbers: Float32[np.ndarray, "6 5"]) -> tuple[Colour, ...]:
    """What :func:`dominant_colours` found, with names."""
    kept = numbers[numbers[:, 3] > 0]
    if not len(kept):
        return ()
    rgb = kept[:, :3].astype(np.uint8)
    return tuple(
        Colour(family, shade, "#" + bytes(one).hex(), float(line[3]), bool(line[4]))
        for (family, shade), one, line in zip(named(rgb), rgb, kept, strict=True)
    )


@cache
def _linear() -> Float64[np.ndarray, "256"]:
    value = np.arange(256) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


@cache
def _named_shades() -> tuple[tuple[str, ...], tuple[str, ...], Float64[np.ndarray, "place 3"]]:
    """CSS shades; the families of all places, shades first; the places in Lab."""
    shades = [(shade, family) for family, text in _SHADES.items() for shade in text.split()]
    others = [("#" + code, family) for family, text in _SEEN_AS.items() for code in text.split()]
    rgb = np.array([ImageColor.getrgb(one)[:3] for one, _ in (*shades, *others)], dtype=np.uint8)
    return tuple(shade for shade, _ in shades), tuple(family for _, family in (*shades, *others)), lab(rgb)


def _grid(
    pixels: UInt8[np.ndarray, "pixel 3"],
) -> tuple[UInt8[np.ndarray, "cell 3"], Float64[np.ndarray, "cell"], Int64[np.ndarray, "pixel"]]:
    """Colours counted on a grid: the mean colour and weight of each cell in use, and each pixel's cell."""
    cell = pixels // _STEP
    code = (cell[:, 0].astype(np.int64) << 16) | (cell[:, 1].astype(np.int64) << 8) | cell[:, 2]
    _, of_pixel, counts = np.unique(code, return_inverse=True, return_counts=True)
    sums = np.stack([np.bincount(of_pixel, pixels[:, channel]) for channel in range(3)], axis=1)
    return np.rint(sums / counts[:, None]).astype(np.uint8), counts.astype(np.float64), of_pixel


def _kmeans(
    places: Float64[np.ndarray, "cell 3"], weights: Float64[np.ndarray, "cell"]
) -> Int64[np.ndarray, "cell"]:
    """Each cell's group: weighted k-means begun at the heaviest cell and then at what is heavy and far."""
    centres = [places[weights.argmax()]]
    far = ((places - centres[0]) ** 2).sum(axis=1)
    while len(centres) < min(MOST, len(places)):
        centres.append(places[(far * weights).argmax()])
        far = np.minimum(far, ((places - centres[-1]) ** 2).sum(axis=1))
    middle = np.array(centres)
    groups = np.full(len(places), -1, dtype=np.int64)
    for _ in range(_ROUNDS):
        nearest = ((places[:, None, :] - middle) ** 2).sum(axis=2).argmin(axis=1)
        if (nearest == groups).all():
            break
        groups = nearest
        found, used = _middles(places, weights, groups, len(middle))
        middle[used] = found[used]
    return groups


def _middles(
    places: Float64[np.ndarray, "cell 3"],
    weights: Float64[np.ndarray, "cell"],
    groups: Int64[np.ndarray, "cell"],
    count: int,
) -> tuple[Float64[np.ndarray, "group 3"], Bool[np.ndarray, "group"]]:
    """The weighted mean of each group, and which groups have one."""
    heavy = np.bincount(groups, weights, minlength=count)
    sums = [np.bincount(groups, weights * places[:, axis], minlength=count) for axis in range(3)]
    return np.stack(sums, axis=1) / np.maximum(heavy, 1e-12)[:, None], heavy > 0


def _merged(
    places: Float64[np.ndarray, "cell 3"],
    weights: Float64[np.ndarray, "cell"],
    groups: Int64[np.ndarray, "cell"],
) -> Int64[np.ndarray, "cell"]:
    """Groups closer than people care about joined, the nearest two first."""
    groups = groups.copy()
    while True:
        found, used = _middles(places, weights, groups, MOST)
        names, middle = np.flatnonzero(used), found[used]
        apart = np.sqrt(((middle[:, None] - middle) ** 2).sum(axis=2))
        np.fill_diagonal(apart, np.inf)
        if len(names) < 2 or apart.min() >= _MERGED:
            return groups
        first, second = np.unravel_index(apart.argmin(), apart.shape)
        groups[groups == names[second]] = names[first]
