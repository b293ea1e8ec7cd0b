"""Altered copies of pictures, drawn from a seed: what happens to a picture when it is posted again.

Two groups. *Light* changes leave the picture as people would describe it; *strong* ones take away half of it,
cover, turn or ruin it, as in the hard part of Copydays and in AugLy. Each copy has one kind of change
except ``combined``, which has three.

Source: Douze et al. 2009, "Evaluation of GIST descriptors for web-scale image search" (Copydays: crops of
10 to 80 %, JPEG 75 to 3, strong attacks); Papakipos & Bitton 2022, "AugLy". The ranges here are our own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont

from bowerbird.errors import NotFoundError, did_you_mean

__all__ = ["ALTERATIONS", "GROUPS", "Alteration", "altered"]

Draw = np.random.Generator
_WORDS = ("SALE", "new in", "look!", "50 %", "made with love", "follow me", "best of", "today only")


@dataclass(frozen=True, slots=True)
class Alteration:
    """One kind of change, light and strong."""

    name: str
    light: Callable[[Image.Image, Draw], Image.Image] | None
    strong: Callable[[Image.Image, Draw], Image.Image] | None


def altered(raw: Image.Image, name: str, group: str, draw: Draw) -> bytes:
    """The bytes of an altered copy of an RGB picture.

    Args:
        raw: the picture.
        name: a kind of change, see :data:`ALTERATIONS`.
        group: ``light`` or ``strong``.
        draw: decides how much and where.

    Raises:
        NotFoundError: no such change, or not in this group.
    """
    found = next((one for one in ALTERATIONS if one.name == name), None)
    change = getattr(found, group, None)
    if change is None:
        raise NotFoundError(
            f"altered copy: no {group} change {name!r}; {did_you_mean(name, [one.name for one in ALTERATIONS])}"
        )
    if name == "jpeg":  # its own quality is the change
        return _jpeg(raw, _between(draw, 30, 75) if group == "light" else _between(draw, 3, 15))
    return _jpeg(change(raw, draw), _between(draw, 70, 95))


def _between(draw: Draw, low: float, high: float) -> float:
    return float(draw.uniform(low, high))


def _jpeg(image: Image.Image, quality: float) -> bytes:
    file = BytesIO()
    image.save(file, "JPEG", quality=round(quality))
    return file.getvalue()


def _as_is(image: Image.Image, draw: Draw) -> Image.Image:
    return image


def _crop(taken_low: float, taken_high: float) -> Callable[[Image.Image, Draw], Image.Image]:
    """Take away a share of the area, not centred, and up to a sixth of change of shape."""

    def change(image: Image.Image, draw: Draw) -> Image.Image:
        kept = 1 - _between(draw, taken_low, taken_high)
        lean = np.exp(_between(draw, -0.15, 0.15))
        wide, high = min(1.0, np.sqrt(kept) * lean), min(1.0, np.sqrt(kept) / lean)
        width, height = max(8, round(image.width * wide)), max(8, round(image.height * high))
        width, height = min(width, image.width), min(height, image.height)
        left = int(draw.integers(image.width - width + 1))
        top = int(draw.integers(image.height - height + 1))
        return image.crop((left, top, left + width, top + height))

    return change


def _resize(low: float, high: float) -> Callable[[Image.Image, Draw], Image.Image]:
    def change(image: Image.Image, draw: Draw) -> Image.Image:
        factor = _between(draw, low, high)
        size = (max(16, round(image.width * factor)), max(16, round(image.height * factor)))
        return image.resize(size, Image.Resampling.BILINEAR)

    return change


def _blur(low: float, high: float) -> Callable[[Image.Image, Draw], Image.Image]:
    """Gaussian blur; radii are for a picture of 224 pixels and grow with it."""

    def change(image: Image.Image, draw: Draw) -> Image.Image:
        radius = _between(draw, low, high) * max(image.size) / 224
        return image.filter(ImageFilter.GaussianBlur(radius))

    return change


def _flip(image: Image.Image, draw: Draw) -> Image.Image:
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def _rotate(low: float, high: float) -> Callable[[Image.Image, Draw], Image.Image]:
    def change(image: Image.Image, draw: Draw) -> Image.Image:
        angle = _between(draw, low, high) * (1 if draw.random() < 0.5 else -1)
        fill = (0, 0, 0) if draw.random() < 0.5 else (255, 255, 255)
        return image.rotate(angle, Image.Resampling.BICUBIC, expand=True, fillcolor=fill)

    return change


def _rotate_far(image: Image.Image, draw: Draw) -> Image.Image:
    """A quarter or half turn, or 15 to 45 degrees."""
    if draw.random() < 0.5:
        turns = (Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_270)
        return image.transpose(turns[int(draw.integers(3))])
    return _rotate(15, 45)(image, draw)


def _colour(amount: float, *, hue: bool) -> Callable[[Image.Image, Draw], Image.Image]:
    """Brightness, contrast and saturation changed by up to a share; strong ones may turn the hue or lose colour."""

    def change(image: Image.Image, draw: Draw) -> Image.Image:
        for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
            image = enhance(image).enhance(_between(draw, 1 - amount, 1 + amount))
        if not hue:
            return image
        if draw.random() < 0.4:
            return image.convert("L").convert("RGB")
        bands = np.asarray(image.convert("HSV")).copy()
        turned = bands[..., 0].astype(np.int64) + round(_between(draw, -20, 20))
        bands[..., 0] = (turned % 256).astype(np.uint8)
        return Image.fromarray(bands, "HSV").convert("RGB")

    return change


def _words(size: float, lines: int) -> Callable[[Image.Image, Draw], Image.Image]:
    """Text across the picture; its height is a share of the picture's."""

    def change(image: Image.Image, draw: Draw) -> Image.Image:
        image = image.copy()
        pen = ImageDraw.Draw(image)
        font = ImageFont.load_default(max(8, round(image.height * size)))
        for _ in range(lines):
            at = (image.width * _between(draw, 0, 0.5), image.height * _between(draw, 0, 0.85))
            colour = tuple(int(value) for value in draw.integers(256, size=3))
            pen.text(
                at, str(draw.choice(_WORDS)), fill=colour, font=font, stroke_width=1, stroke_fill=(0, 0, 0)
            )
        return image

    return change


def _overlay(low: float, high: float) -> Callable[[Image.Image, Draw], Image.Image]:
    """A sticker: an ellipse or a box that covers a share of the area."""

    def change(image: Image.Image, draw: Draw) -> Image.Image:
        image = image.copy()
        share = _between(draw, low, high)
        wide, high_ = image.width * np.sqrt(share), image.height * np.sqrt(share)
        left, top = draw.uniform(0, image.width - wide), draw.uniform(0, image.height - high_)
        box = (float(left), float(top), float(left + wide), float(top + high_))
        colour = tuple(int(value) for value in draw.integers(256, size=3))
        pen = ImageDraw.Draw(image)
        (pen.ellipse if draw.random() < 0.5 else pen.rectangle)(box, fill=colour)
        return image

    return change


def _border(low: float, high: float) -> Callable[[Image.Image, Draw], Image.Image]:
    """A frame around the picture; its width is a share of the longer side."""

    def change(image: Image.Image, draw: Draw) -> Image.Image:
        edge = max(1, round(max(image.size) * _between(draw, low, high)))
        colour = tuple(int(value) for value in draw.integers(256, size=3))
        framed = Image.new("RGB", (image.width + 2 * edge, image.height + 2 * edge), colour)
        framed.paste(image, (edge, edge))
        return framed

    return change


def _combined(image: Image.Image, draw: Draw) -> Image.Image:
    """A crop, then two other light changes."""
    image = _crop(0.1, 0.3)(image, draw)
    others = [one.light for one in ALTERATIONS if one.light is not None and one.name not in {"jpeg", "crop"}]
    for at in draw.permutation(len(others))[:2]:
        image = others[int(at)](image, draw)
    return image


ALTERATIONS = (
    Alteration("jpeg", _as_is, _as_is),
    Alteration("resize", _resize(0.5, 1.5), _resize(0.2, 0.35)),
    Alteration("crop", _crop(0.1, 0.2), _crop(0.3, 0.5)),
    Alteration("blur", _blur(0.5, 1.2), _blur(2.0, 4.0)),
    Alteration("flip", _flip, None),
    Alteration("rotate", _rotate(1, 6), _rotate_far),
    Alteration("colour", _colour(0.2, hue=False), _colour(0.4, hue=True)),
    Alteration("text", _words(0.1, 1), _words(0.16, 4)),
    Alteration("overlay", _overlay(0.02, 0.06), _overlay(0.15, 0.3)),
    Alteration("border", _border(0.02, 0.06), _border(0.12, 0.25)),
    Alteration("combined", None, _combined),
)
"""Every kind of change; JPEG qualities are 30 to 75 and 3 to 15."""

GROUPS = ("light", "strong")
