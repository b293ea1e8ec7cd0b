"""Where in a scene a product may be: boxes of a picture, by scale or by a detector plugin.

A proposer registers in the entry-point group ``bowerbird.regions`` as a factory without arguments; it is
called with the pixels of an upright RGB picture and gives boxes. The built-in one needs no weights: squares
of a few sizes that overlap by half, and the whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from bowerbird import plugins
from bowerbird.content.pictures import Picture

__all__ = ["Box", "MultiScale", "RegionProposer", "cut", "load_regions", "multi_scale"]

_QUALITY = 95
"""JPEG quality of a cut region: what it loses is below what resizing loses."""
_SIDE = 320
"""Regions are cut no larger: encoders look at fewer pixels."""


@dataclass(frozen=True, slots=True)
class Box:
    """A part of a picture in pixels: ``left <= x < right``, ``top <= y < bottom``."""

    left: int
    top: int
    right: int
    bottom: int


@runtime_checkable
class RegionProposer(Protocol):
    """Finds parts of a picture that may each show one thing."""

    def boxes(self, pixels: UInt8[np.ndarray, "height width 3"]) -> list[Box]:
        """Boxes inside the picture, at least one; the first should be the whole picture."""
        ...


@dataclass(frozen=True)
class MultiScale:
    """Squares of several sizes, overlapping by half, and the whole picture.

    Args:
        scales: sides of the squares as shares of the picture's shorter side.

    Example:
        >>> boxes = MultiScale((0.5,)).boxes(np.zeros((100, 100, 3), np.uint8))
        >>> boxes[0], len(boxes)
        (Box(left=0, top=0, right=100, bottom=100), 10)
    """

    scales: tuple[float, ...] = (0.6, 0.4)

    def boxes(self, pixels: UInt8[np.ndarray, "height width 3"]) -> list[Box]:
        """The whole, then row by row from the largest scale to the smallest."""
        height, width, _ = pixels.shape
        found = [Box(0, 0, width, height)]
        for scale in self.scales:
            side = max(int(min(height, width) * scale), 1)
            found += [
                Box(left, top, left + side, top + side)
                for top in _starts(height, side)
                for left in _starts(width, side)
            ]
        return found


def load_regions(name: str) -> RegionProposer:
    """A registered proposer, e.g. ``multi-scale``.

    Raises:
        NotFoundError: no installed package offers it.
    """
    return plugins.load("regions", name)()


def multi_scale() -> MultiScale:
    """The built-in proposer (plugin ``multi-scale``)."""
    return MultiScale()


def cut(picture: Picture, box: Box) -> bytes:
    """A part of a picture as a JPEG file, for any picture encoder."""
    part = picture.image.crop((box.left, box.top, box.right, box.bottom))
    part.thumbnail((_SIDE, _SIDE), Image.Resampling.BICUBIC)
    file = BytesIO()
    part.save(file, "JPEG", quality=_QUALITY, subsampling=0)
    return file.getvalue()


def _starts(length: int, side: int) -> list[int]:
    """Left edges of windows that cover a length and overlap by half at least."""
    count = max(int(np.ceil((length - side) / (side / 2))), 0) + 1
    return [int(start) for start in np.linspace(0, length - side, count)]
