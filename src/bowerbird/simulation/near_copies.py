"""Planted near-duplicates: the same picture again, re-encoded, cropped or flipped, under a new id."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from bowerbird.errors import InputError

__all__ = ["KINDS", "near_copy", "renamed"]

KINDS = ("recompressed", "cropped", "flipped")
"""How a copy differs from its original; every copy is also re-encoded as JPEG of quality 30 to 60."""

_SUFFIXES = ("picture", "drawing", "again", "sticker", "icon", "print")


def near_copy(image: bytes, kind: str, rng: np.random.Generator) -> bytes:
    """A copy of a picture as people repost it, as JPEG bytes.

    Args:
        image: encoded picture.
        kind: one of ``KINDS``; ``cropped`` loses 2 to 12 % on each side.
        rng: draws the quality and the crop.

    Raises:
        InputError: the bytes are not a picture, or the kind is unknown.
    """
    if kind not in KINDS:
        raise InputError(f"near copy: unknown kind {kind!r}; expected one of {', '.join(KINDS)}")
    try:
        picture = Image.open(io.BytesIO(image)).convert("RGB")
    except UnidentifiedImageError as error:
        raise InputError(
            f"near copy: {len(image)} bytes are not a picture; expected PNG or JPEG bytes"
        ) from error
    if kind == "cropped":
        left, top, right, bottom = rng.uniform(0.02, 0.12, size=4)
        width, height = picture.size
        box = (
            round(left * width),
            round(top * height),
            round((1 - right) * width),
            round((1 - bottom) * height),
        )
        picture = picture.crop(box)
    if kind == "flipped":
        picture = ImageOps.mirror(picture)
    out = io.BytesIO()
    picture.save(out, format="JPEG", quality=int(rng.integers(30, 61)))
    return out.getvalue()


def renamed(title: str, rng: np.random.Generator) -> str:
    """The title as somebody else would write it: one word more.

    Example:
        >>> renamed("red heart", np.random.default_rng(0))
        'red heart print'
    """
    return f"{title} {_SUFFIXES[int(rng.integers(len(_SUFFIXES)))]}"
