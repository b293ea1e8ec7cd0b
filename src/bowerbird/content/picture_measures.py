"""What can be measured of a picture without knowing what it shows: size, blur, contrast, bands, colourfulness.

All but the size are measured at one fixed size, so that a picture and a larger copy of it get equal numbers.
"""

from __future__ import annotations

from io import BytesIO

import numpy as np
from jaxtyping import Float32, Float64, UInt8
from PIL import Image

from bowerbird.content.pictures import FORMATS

__all__ = ["MEASURES", "SIDE_PX", "file_size_px", "picture_measures"]

MEASURES = ("width", "height", "sharpness", "contrast", "bands", "colourfulness")
"""Names of the numbers of :func:`picture_measures`, in order."""
SIDE_PX = 256
"""Longer side at which a picture is measured; a smaller one is measured as it is."""
_LUMA = np.array([0.299, 0.587, 0.114])
_BAND_TOLERANCE = 6.0
"""Grey levels by which pixels of a plain band may differ from its outermost line."""


def file_size_px(raw: bytes) -> tuple[int, int]:
    """Width and height as the file's header states them; nothing is decoded."""
    with Image.open(BytesIO(raw), formats=FORMATS) as image:
        return image.size


def picture_measures(
    pixels: UInt8[np.ndarray, "height width 3"], size_px: tuple[int, int]
) -> Float32[np.ndarray, "6"]:
    """The numbers named by :data:`MEASURES`.

    ===============  ===========================================================================================
    ``width`` etc.   pixels of the file
    ``sharpness``    variance of the Laplacian of luma (0-255); low means blurred or empty
    ``contrast``     standard deviation of luma over half its range, in [0, 1]
    ``bands``        share of the area in plain bands along the sides, in [0, 1]
    ``colourfulness``  Hasler and Suesstrunk's; 0 is grey, 15 a little, 45 quite, 80 very colourful
    ===============  ===========================================================================================

    Args:
        pixels: the picture; it may have been decoded smaller than its file says.
        size_px: width and height of the file.

    Source: Pech-Pacheco et al. 2000 (variance of the Laplacian); Hasler and Suesstrunk 2003, equation 7.
    """
    small = _at_size(pixels).astype(np.float64)
    luma = small @ _LUMA
    return np.array(
        [*size_px, _sharpness(luma), luma.std() / 127.5, _bands(luma), _colourfulness(small)],
        dtype=np.float32,
    )


def _at_size(pixels: UInt8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "h w 3"]:
    height, width, _ = pixels.shape
    scale = SIDE_PX / max(height, width)
    if scale >= 1:
        return pixels
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))


def _sharpness(luma: Float64[np.ndarray, "h w"]) -> float:
    if min(luma.shape) < 3:
        return 0.0
    middle = luma[1:-1, 1:-1]
    laplacian = luma[:-2, 1:-1] + luma[2:, 1:-1] + luma[1:-1, :-2] + luma[1:-1, 2:] - 4 * middle
    return float(laplacian.var())


def _bands(luma: Float64[np.ndarray, "h w"]) -> float:
    """Share outside the smallest box that holds everything unlike the four outermost lines."""
    top, bottom = _plain(luma), _plain(luma[::-1])
    left, right = _plain(luma.T), _plain(luma.T[::-1])
    height, width = luma.shape
    inside = max(0, height - top - bottom) * max(0, width - left - right)
    return 1.0 - inside / (height * width)


def _plain(lines: Float64[np.ndarray, "line pixel"]) -> int:
    """How many lines from the first on are plain and of one colour."""
    unlike = np.abs(lines - np.median(lines[0])).max(axis=1) > _BAND_TOLERANCE
    return int(unlike.argmax()) if unlike.any() else len(lines)


def _colourfulness(rgb: Float64[np.ndarray, "h w 3"]) -> float:
    red_green = rgb[..., 0] - rgb[..., 1]
    yellow_blue = (rgb[..., 0] + rgb[..., 1]) / 2 - rgb[..., 2]
    spread = np.hypot(red_green.std(), yellow_blue.std())
    return float(spread + 0.3 * np.hypot(red_green.mean(), yellow_blue.mean()))
