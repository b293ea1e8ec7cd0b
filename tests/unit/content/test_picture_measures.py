"""What is measured of a picture: each number moves with what it is named after, and not with size."""

from __future__ import annotations

import io
import itertools

import numpy as np
import pytest
from PIL import Image, ImageFilter

from bowerbird.content.picture_measures import MEASURES, file_size_px, picture_measures


def scene(side: int = 256) -> Image.Image:
    rng = np.random.default_rng(3)
    coarse = Image.fromarray(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8))
    return coarse.resize((side, side), Image.Resampling.NEAREST)


def measured(picture: Image.Image) -> dict[str, float]:
    numbers = picture_measures(np.asarray(picture.convert("RGB")), picture.size)
    return dict(zip(MEASURES, numbers.tolist(), strict=True))


def test_the_more_blurred_the_less_sharp() -> None:
    found = [
        measured(scene().filter(ImageFilter.GaussianBlur(radius)))["sharpness"] for radius in (0, 1, 2, 4, 8)
    ]
    assert all(later < 0.7 * earlier for earlier, later in itertools.pairwise(found))


def test_sharpness_of_a_checkerboard_is_the_variance_by_hand() -> None:
    # inside, each pixel differs from its four neighbours by 255: the Laplacian is +-1020, its variance 1020^2
    board = (np.indices((40, 40)).sum(axis=0) % 2 * 255).astype(np.uint8)
    pixels = np.repeat(board[:, :, None], 3, axis=2)
    assert picture_measures(pixels, (40, 40))[2] == pytest.approx(1020**2, rel=1e-4)


def test_a_larger_copy_measures_the_same_but_for_its_size() -> None:
    small, large = measured(scene(512)), measured(scene(1024))
    assert (small["width"], large["width"]) == (512, 1024)
    for name in ("sharpness", "contrast", "colourfulness", "bands"):
        assert large[name] == pytest.approx(small[name], rel=0.1, abs=0.01)


def test_bands_around_a_picture_count_by_their_area() -> None:
    framed = Image.new("RGB", (256, 256), (255, 255, 255))
    framed.paste(scene(128), (64, 64))
    assert measured(framed)["bands"] == pytest.approx(0.75, abs=0.02)
    assert measured(scene())["bands"] < 0.05
    assert measured(Image.new("RGB", (64, 64), (9, 9, 9)))["bands"] == 1.0


def test_grey_is_not_colourful_and_one_pixel_is_measured_too() -> None:
    grey, full = measured(scene().convert("L")), measured(scene())
    assert grey["colourfulness"] == pytest.approx(0.0, abs=1e-4)
    assert full["colourfulness"] > 45
    assert measured(Image.new("RGB", (1, 1)))["sharpness"] == 0.0


def test_the_header_tells_the_size() -> None:
    out = io.BytesIO()
    Image.new("RGB", (37, 11)).save(out, format="PNG")
    assert file_size_px(out.getvalue()) == (37, 11)
