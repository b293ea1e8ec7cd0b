from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from bowerbird.errors import InputError
from bowerbird.simulation.near_copies import near_copy


def _picture() -> bytes:
    picture = Image.new("RGB", (100, 60), (255, 255, 255))
    picture.paste((255, 0, 0), (0, 0, 50, 60))  # red on the left
    out = io.BytesIO()
    picture.save(out, format="PNG")
    return out.getvalue()


def test_a_flipped_copy_has_left_and_right_exchanged() -> None:
    copy = Image.open(io.BytesIO(near_copy(_picture(), "flipped", np.random.default_rng(0))))
    assert copy.format == "JPEG"
    assert copy.getpixel((90, 30))[1] < 60  # red is on the right now
    assert copy.getpixel((10, 30))[1] > 200


def test_a_cropped_copy_loses_at_most_12_percent_of_each_side() -> None:
    for seed in range(20):
        copy = Image.open(io.BytesIO(near_copy(_picture(), "cropped", np.random.default_rng(seed))))
        assert 100 * (1 - 2 * 0.12) - 1 <= copy.width < 100
        assert 60 * (1 - 2 * 0.12) - 1 <= copy.height < 60


def test_a_recompressed_copy_keeps_its_size() -> None:
    copy = Image.open(io.BytesIO(near_copy(_picture(), "recompressed", np.random.default_rng(0))))
    assert copy.size == (100, 60)


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(
        InputError, match="unknown kind 'rotated'; expected one of recompressed, cropped, flipped"
    ):
        near_copy(_picture(), "rotated", np.random.default_rng(0))


def test_bytes_that_are_no_picture_are_refused() -> None:
    with pytest.raises(InputError, match="7 bytes are not a picture"):
        near_copy(b"nothing", "flipped", np.random.default_rng(0))
