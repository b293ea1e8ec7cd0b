"""Pairs that look the same in the catalogue itself, before anything is planted.

Real artwork repeats itself: the flags of Norway and Bouvet Island, an arrow and its mirror image. Somebody who finds
such a pair has found a near-duplicate, so the truth lists them beside the planted copies.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int64
from PIL import Image

__all__ = ["Lookalikes", "lookalikes"]

_SIDE_PX = 48
LIMIT_GREY = 4.5
"""Root mean square difference, in grey levels of 255, up to which two drawings count as the same.

In OpenMoji nothing lies between 3.6 (two clock faces, mirrored) and 5.4.
"""


@dataclass(frozen=True)
class Lookalikes:
    """Pairs of item rows, ``first < second``, with their difference in grey levels and whether one is mirrored."""

    first: Int64[np.ndarray, "pair"]
    second: Int64[np.ndarray, "pair"]
    difference: Float32[np.ndarray, "pair"]
    mirrored: Bool[np.ndarray, "pair"]


def lookalikes(images: Sequence[bytes], limit_grey: float = LIMIT_GREY) -> Lookalikes:
    """All pairs of pictures that are nearly equal at 48 x 48 pixels, directly or mirrored.

    Args:
        images: encoded pictures.
        limit_grey: largest root mean square difference, in grey levels of 255.

    Cost: one decode per picture and one product of all pictures with all.
    """
    small = np.stack([_thumbnail(image) for image in images])
    flat = small.reshape(len(images), -1)
    direct = _difference(flat, flat)
    flipped = _difference(flat, small[:, :, ::-1].reshape(len(images), -1))
    nearest = np.minimum(direct, flipped)
    first, second = np.nonzero(np.triu(nearest <= limit_grey, k=1))
    return Lookalikes(
        first=first,
        second=second,
        difference=nearest[first, second],
        mirrored=flipped[first, second] < direct[first, second],
    )


def _thumbnail(image: bytes) -> Float32[np.ndarray, "high wide 3"]:
    picture = Image.open(io.BytesIO(image)).convert("RGB").resize((_SIDE_PX, _SIDE_PX), Image.Resampling.BOX)
    return np.asarray(picture, dtype=np.float32)


def _difference(
    left: Float32[np.ndarray, "n pixel"], right: Float32[np.ndarray, "n pixel"]
) -> Float32[np.ndarray, "n n"]:
    """Root mean square difference of all pairs, by ``|a|^2 + |b|^2 - 2 a.b``."""
    lengths = np.einsum("np,np->n", left, left)[:, None] + np.einsum("np,np->n", right, right)[None, :]
    square = (lengths - 2.0 * left @ right.T) / left.shape[1]
    return np.sqrt(np.maximum(square, 0.0)).astype(np.float32)
