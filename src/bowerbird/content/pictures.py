"""From the bytes of a picture to pixels, whatever the bytes turn out to be.

Pictures come from strangers. Size is limited before anything is decoded, only named formats are
tried, and every way a decoder fails becomes one :class:`~bowerbird.errors.InputError` with the
reason, so the caller can count it and go on. Odd but honest pictures (CMYK, 16-bit, palette,
transparent, animated, rotated by EXIF) are decoded to plain RGB, and what was odd is told.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field
from functools import cached_property
from io import BytesIO

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from bowerbird.errors import InputError

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
"""Formats that are tried; all others are refused unread."""

_ORIENTATION_TAG = 0x0112
_TURNED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_DECODER_ERRORS = (
    OSError,  # truncated, unknown format, codec errors
    SyntaxError,  # Pillow's own word for a broken PNG or TIFF
    ValueError,
    TypeError,
    IndexError,
    KeyError,
    AttributeError,
    EOFError,
    OverflowError,
    MemoryError,
    NotImplementedError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)


@dataclass(frozen=True, slots=True)
class PictureLimits:
    """What a picture may cost before it is refused."""

    max_bytes: int = 32 * 2**20
    """Largest file in bytes."""
    max_pixels: int = 40_000_000
    """Largest width x height; decoding takes about 3 bytes for each."""


LIMITS = PictureLimits()


@dataclass(frozen=True)
class Picture:
    """A decoded picture: upright RGB, and what was unusual about the file.

    It holds what the decoder gave, so that who only resizes it copies nothing.
    """

    image: Image.Image
    """Upright, of mode RGB."""
    traits: tuple[str, ...] = field(default=())
    """Any of ``animated``, ``cmyk``, ``16-bit``, ``palette``, ``alpha``, ``rotated``, ``grey``, sorted."""

    @cached_property
    def pixels(self) -> UInt8[np.ndarray, "height width 3"]:
        """Its pixels, for arithmetic."""
        return np.asarray(self.image, dtype=np.uint8)

    @staticmethod
    def of(pixels: UInt8[np.ndarray, "height width 3"]) -> Picture:
        """A picture of pixels that are there already."""
        return Picture(Image.fromarray(pixels))


def decoded(raw: bytes, limits: PictureLimits = LIMITS, at_least: int = 0) -> Picture:
    """The pixels of a picture, or a reason why there are none.

    Args:
        raw: the file's bytes.
        limits: what is refused before decoding.
        at_least: when positive, the shorter side may come back smaller than in the file but not
            below this many pixels; large JPEGs then decode several times faster.

    Raises:
        InputError: too large, not a picture, of a format that is not tried, or damaged.

    Example:
        >>> decoded(b"GIF89a, but not really")
        Traceback (most recent call last):
        ...
        bowerbird.errors.InputError: picture (22 bytes): not a readable picture: ...
    """
    where = f"picture ({len(raw):,} bytes)"
    if not raw:
        raise InputError("picture (0 bytes): the file is empty")
    if len(raw) > limits.max_bytes:
        raise InputError(f"{where}: more than the limit of {limits.max_bytes:,} bytes; make it smaller")
    try:
        with Image.open(BytesIO(raw), formats=FORMATS) as image:
            width, height = image.size
            if width * height > limits.max_pixels:
                raise InputError(
                    f"{where}: {width} x {height} is over the limit of {limits.max_pixels:,} pixels"
                )
            return _upright_rgb(image, at_least)
    except InputError:
        raise
    except _DECODER_ERRORS as error:
        said = str(error).partition(" <_io.")[0]  # a stream's address says nothing, and differs each time
        reason = " ".join(said.split())[:120] or type(error).__name__
        raise InputError(f"{where}: not a readable picture: {reason}") from error


def _upright_rgb(image: Image.Image, at_least: int) -> Picture:
    traits: set[str] = set()
    if image.format != "MPO" and getattr(image, "is_animated", False):
        traits.add("animated")
        image.seek(0)
    orientation = image.getexif().get(_ORIENTATION_TAG, 1) if image.format != "GIF" else 1
    if at_least > 0:
        image.draft("RGB", (at_least, at_least))
    image.load()
    rgb = _as_rgb(image, traits)
    if at_least > 0 and min(rgb.size) >= 2 * at_least:
        rgb = rgb.reduce(min(rgb.size) // at_least)
    if orientation in _TURNED:
        traits.add("rotated")
        rgb = rgb.transpose(_TURNED[orientation])
    return Picture(rgb, tuple(sorted(traits)))


def _as_rgb(image: Image.Image, traits: set[str]) -> Image.Image:
    """Plain RGB: 16-bit scaled to 8, transparency laid on white, everything else converted."""
    mode = image.mode
    if mode.startswith("I"):
        traits.add("16-bit")
        values = np.asarray(image).astype(np.int64)
        # "I" also carries 8-bit values of some TIFFs; only wider values are scaled down
        eight = values >> 8 if mode != "I" or values.max(initial=0) > 255 else values
        return Image.fromarray(np.clip(eight, 0, 255).astype(np.uint8)).convert("RGB")
    if mode == "F":
        raise InputError(
            "picture: floating-point pixels have no fixed white; expected 8 or 16 bits per channel"
        )
    if mode in {"CMYK", "YCCK"}:
        traits.add("cmyk")
    if mode in {"P", "PA"}:
        traits.add("palette")
    if mode in {"1", "L", "LA"}:
        traits.add("grey")
    if mode in {"RGBA", "RGBa", "LA", "La", "PA"} or "transparency" in image.info:
        with_alpha = image.convert("RGBA")
        if np.asarray(with_alpha.getchannel("A")).min() < 255:
            traits.add("alpha")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, with_alpha).convert("RGB")
    return image if mode == "RGB" else image.convert("RGB")


def square(picture: Picture, size: int) -> UInt8[np.ndarray, "size size 3"]:
    """The centre of a picture at a network's input size.

    The centred square whose side is ``size / (size + 32)`` of the shorter side, resized with
    bicubic filtering: the crop the EfficientNet-Lite weights were trained to expect. Leaving the
    crop out costs 3 to 5 points of ImageNet accuracy.

    Args:
        picture: the picture; any shape.
        size: side of the result in pixels.

    Source: google tensorflow/tpu ``efficientnet/preprocessing.py``, ``_decode_and_center_crop``.
    """
    width, height = picture.image.size
    side = min(height, width) * size / (size + 32)
    left, top = (width - side) / 2, (height - side) / 2
    box = (left, top, left + side, top + side)
    resized = picture.image.resize((size, size), Image.Resampling.BICUBIC, box=box)
    return np.asarray(resized, dtype=np.uint8)


def whole(picture: Picture, size: int) -> UInt8[np.ndarray, "size size 3"]:
    """All of a picture at a network's input size, stretched to a square: what :func:`square` cuts off is in it.

    Args:
        picture: the picture; any shape.
        size: side of the result in pixels.
    """
    return np.asarray(picture.image.resize((size, size), Image.Resampling.BICUBIC), dtype=np.uint8)
