"""Made-up pictures and texts: what int8 ranges are fitted on, and what speed is measured on offline.

They come with no licence and are the same everywhere, so an int8 graph does not depend on whose
catalogue is encoded first. Ranges fitted on them and on photographs differ little: docs/log.md has
the numbers.
"""

from __future__ import annotations

from io import BytesIO

import numpy as np
from jaxtyping import Int32, UInt8
from PIL import Image, ImageDraw, ImageFilter

from bowerbird.randomness import generator

__all__ = ["drawn_pictures", "drawn_pixels", "made_up_texts", "made_up_tokens"]

WORDS = [
    "red",
    "linen",
    "summer",
    "dress",
    "with",
    "long",
    "sleeves",
    "oak",
    "table",
    "lamp",
    "blue",
    "wool",
    "two",
    "people",
    "in",
    "the",
    "park",
    "dog",
    "running",
    "over",
    "grass",
    "near",
    "a",
    "river",
    "small",
    "kitchen",
    "shelf",
    "white",
    "wall",
    "green",
    "plant",
    "pot",
    "old",
    "bicycle",
    "on",
    "street",
    "woman",
    "holding",
    "cup",
    "of",
    "coffee",
    "boys",
    "play",
    "football",
    "under",
    "bright",
    "sky",
    "recipe",
    "for",
    "chocolate",
    "cake",
    "easy",
    "hair",
    "style",
    "wedding",
    "ideas",
    "garden",
    "path",
]


def _drawing(draws: np.random.Generator, width: int, height: int) -> Image.Image:
    """Coloured shapes on a gradient, sometimes with grain or blur."""
    down, right = np.mgrid[0:height, 0:width].astype(np.float32)
    tilt = draws.normal(size=(2, 3)) * 128 / max(width, height)
    plane = draws.integers(0, 256, 3) + down[..., None] * tilt[0] + right[..., None] * tilt[1]
    if draws.random() < 0.5:
        plane = plane + draws.normal(size=plane.shape) * draws.uniform(4, 40)
    image = Image.fromarray(np.clip(plane, 0, 255).astype(np.uint8))
    pen = ImageDraw.Draw(image)
    for _ in range(int(draws.integers(2, 24))):
        left, top = int(draws.integers(-40, width)), int(draws.integers(-40, height))
        box = (
            left,
            top,
            left + int(draws.integers(8, width // 2)),
            top + int(draws.integers(8, height // 2)),
        )
        colour = tuple(int(value) for value in draws.integers(256, size=3))
        shape = draws.random()
        if shape < 0.4:
            pen.ellipse(box, fill=colour)
        elif shape < 0.7:
            pen.rectangle(box, fill=colour)
        else:
            pen.line(box, fill=colour, width=int(draws.integers(1, 12)))
    return image.filter(ImageFilter.GaussianBlur(1.5)) if draws.random() < 0.3 else image


def drawn_pictures(count: int, seed: int) -> list[bytes]:
    """JPEG files of coloured shapes, 640 x 480."""
    draws = generator(seed, "made up", "pictures")
    files = []
    for _ in range(count):
        file = BytesIO()
        _drawing(draws, 640, 480).save(file, "JPEG", quality=85)
        files.append(file.getvalue())
    return files


def drawn_pixels(count: int, size: int, seed: int) -> UInt8[np.ndarray, "item size size 3"]:
    """Pixels of coloured shapes at a network's input size."""
    draws = generator(seed, "made up", "pixels")
    return np.stack([np.asarray(_drawing(draws, size, size)) for _ in range(count)])


def made_up_texts(count: int, seed: int) -> list[str]:
    """Texts of 3 to 24 common words in no order."""
    draws = generator(seed, "made up", "texts")
    return [" ".join(draws.choice(WORDS, size=int(draws.integers(3, 25)))) for _ in range(count)]


def made_up_tokens(
    count: int, seed: int, words: range, ends: tuple[int, int]
) -> list[Int32[np.ndarray, "1 length"]]:
    """Token ids of texts of 3 to 40 words, drawn from a range of a vocabulary and put between two marks."""
    draws = generator(seed, "made up", "tokens")
    return [
        np.array(
            [[ends[0], *draws.integers(words.start, words.stop, int(draws.integers(3, 41))), ends[1]]],
            np.int32,
        )
        for _ in range(count)
    ]
