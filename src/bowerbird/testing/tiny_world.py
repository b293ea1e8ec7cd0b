"""A world small enough for a test: coloured shapes and a few dozen simulated people."""

from __future__ import annotations

import io
from functools import cache

import numpy as np
import pyarrow as pa
from PIL import Image, ImageDraw

from bowerbird.randomness import generator
from bowerbird.simulation.settings import WorldSettings
from bowerbird.simulation.world import World, make_world

__all__ = ["shape_catalogue", "tiny_world"]

_COLOURS = {
    "red": (214, 40, 40),
    "green": (50, 150, 60),
    "blue": (40, 80, 200),
    "yellow": (245, 205, 50),
    "purple": (130, 60, 170),
    "black": (30, 30, 30),
}
_SHAPES = ("circle", "square", "triangle", "bar", "ring", "cross")
_MARKS = ("dots", "stripes", "border", "snow")
_SIDE_PX = 96


def _outline(
    draw: ImageDraw.ImageDraw, shape: str, box: tuple[int, int, int, int], fill: tuple[int, int, int]
) -> None:
    left, top, right, bottom = box
    middle, third = (left + right) // 2, (right - left) // 3
    if shape == "circle":
        draw.ellipse(box, fill=fill)
    elif shape == "ring":
        draw.ellipse(box, outline=fill, width=max(4, third // 2))
    elif shape == "triangle":
        draw.polygon([(left, bottom), (right, bottom), (middle - third // 2, top)], fill=fill)
    elif shape == "bar":
        draw.rectangle((left, middle - third // 2, right, middle + third // 2), fill=fill)
    elif shape == "cross":
        draw.rectangle((left, middle - third // 3, right, middle + third // 3), fill=fill)
        draw.rectangle((middle - third, top, middle - third // 2, bottom), fill=fill)
    else:
        draw.rectangle(box, fill=fill)


def _picture(shape: str, colour: str, mark: str, rng: np.random.Generator) -> bytes:
    picture = Image.new("RGB", (_SIDE_PX, _SIDE_PX), (255, 255, 255))
    draw = ImageDraw.Draw(picture)
    size = int(rng.integers(44, 76))
    left, top = (int(value) for value in rng.integers(6, _SIDE_PX - size - 6, size=2))
    _outline(draw, shape, (left, top, left + size, top + size), _COLOURS[colour])
    ink = (255, 255, 255) if mark == "snow" else (90, 90, 90)
    if mark in ("dots", "snow"):
        for x, y in rng.integers(4, _SIDE_PX - 8, size=(12, 2)):
            draw.ellipse((int(x), int(y), int(x) + 5, int(y) + 5), fill=ink)
    elif mark == "stripes":
        for at in range(int(rng.integers(0, 12)), _SIDE_PX, 14):
            draw.line((at, 0, at + 8, _SIDE_PX), fill=ink, width=2)
    else:
        draw.rectangle((2, 2, _SIDE_PX - 3, _SIDE_PX - 3), outline=ink, width=3)
    out = io.BytesIO()
    picture.save(out, format="PNG")
    return out.getvalue()


def shape_catalogue(items: int = 120, seed: int = 1) -> pa.Table:
    """Drawn pictures in the standard item columns; the category is ``shape/colour``.

    Args:
        items: how many.
        seed: decides sizes, places and marks.

    Example:
        >>> shape_catalogue(items=2)["title"].to_pylist()
        ['red circle with dots', 'green circle with stripes']
    """
    rng = generator(seed, "shapes")
    rows = []
    for item in range(items):
        shape, colour = _SHAPES[(item // len(_COLOURS)) % len(_SHAPES)], list(_COLOURS)[item % len(_COLOURS)]
        mark = _MARKS[(item + item // len(_COLOURS)) % len(_MARKS)]
        rows.append((shape, colour, mark, _picture(shape, colour, mark, rng)))
    texts = pa.map_(pa.string(), pa.string())
    return pa.table(
        {
            "item_id": pa.array([f"i{row}" for row in range(items)], pa.string()),
            "title": pa.array(
                [f"{colour} {shape} with {mark}" for shape, colour, mark, _ in rows], pa.string()
            ),
            "description": pa.array(
                [f"a drawing of a {colour} {shape}, {mark}" for shape, colour, mark, _ in rows], pa.string()
            ),
            "image": pa.array([image for *_, image in rows], pa.binary()),
            "category": pa.array([f"{shape}/{colour}" for shape, colour, *_ in rows], pa.string()),
            "attributes": pa.array(
                [[("colour", colour), ("mark", mark)] for _, colour, mark, _ in rows], texts
            ),
        }
    )


@cache
def tiny_world(people: int = 60, days: int = 14, items: int = 120, seed: int = 1) -> World:
    """A complete simulated world of drawn shapes, made in well under two seconds and kept for the next caller.

    Args:
        people: number of people.
        days: length of the log; it starts on 2025-11-03.
        items: pictures before planted copies are added (6 %).
        seed: decides everything.

    Returns:
        Items, users, events, campaigns in the standard columns, and the truth. Do not change it: it is shared.
    """
    settings = WorldSettings(
        people=people, days=days, seed=seed, interest_min_items=2, campaigns=4, ads_share=0.06, activity=1.6
    )
    return make_world(settings, shape_catalogue(items, seed))
