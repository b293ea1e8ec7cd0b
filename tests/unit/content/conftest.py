"""Pictures drawn for the tests, and the small encoder built once."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from bowerbird.content.efficientnet_lite import LITE0_VARIANT
from bowerbird.content.image_encoder import ImageEncoder


def drawing(seed: int, width: int = 96, height: int = 80, shapes: int = 8) -> Image.Image:
    """A picture of some coloured shapes, decided by the seed."""
    draws = np.random.Generator(np.random.PCG64(seed))
    image = Image.new("RGB", (width, height), tuple(int(c) for c in draws.integers(0, 256, 3)))
    pen = ImageDraw.Draw(image)
    for _ in range(shapes):
        x0, y0 = int(draws.integers(0, width - 12)), int(draws.integers(0, height - 12))
        box = (x0, y0, x0 + int(draws.integers(8, width // 2)), y0 + int(draws.integers(8, height // 2)))
        colour = tuple(int(c) for c in draws.integers(0, 256, 3))
        pen.ellipse(box, fill=colour) if draws.random() < 0.5 else pen.rectangle(box, fill=colour)
    return image


def as_bytes(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    """The file a picture is saved as."""
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


@pytest.fixture(scope="session")
def draw() -> Any:
    """``drawing(seed, width, height, shapes)``."""
    return drawing


@pytest.fixture(scope="session")
def save() -> Any:
    """``as_bytes(image, kind, **options)``."""
    return as_bytes


@pytest.fixture(scope="session")
def small_encoder(tmp_path_factory: pytest.TempPathFactory) -> ImageEncoder:
    """EfficientNet-Lite0, its graph kept in a temporary directory."""
    folder: Path = tmp_path_factory.mktemp("models")
    return ImageEncoder(LITE0_VARIANT, folder)
