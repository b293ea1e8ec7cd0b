from __future__ import annotations

import struct
import warnings
import zlib
from contextlib import suppress
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from bowerbird.content.pictures import Picture, PictureLimits, decoded, square, whole
from bowerbird.errors import InputError


def plain_png_header(width: int, height: int) -> bytes:
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", 13)
        + body
        + struct.pack(">I", zlib.crc32(body))
        + b"\0\0\0\0IDAT"
    )


def test_a_plain_picture_keeps_its_pixels(draw: Any, save: Any) -> None:
    image = draw(1)
    picture = decoded(save(image))
    assert picture.traits == ()
    np.testing.assert_array_equal(picture.pixels, np.asarray(image))


def test_cmyk_is_converted_and_told(draw: Any, save: Any) -> None:
    picture = decoded(save(Image.new("CMYK", (20, 10), (0, 255, 255, 0)), "JPEG"))
    assert picture.traits == ("cmyk",)
    red, green, blue = picture.pixels.reshape(-1, 3).mean(axis=0)
    assert red > 200
    assert green < 60
    assert blue < 60


def test_sixteen_bits_are_scaled_to_eight(save: Any) -> None:
    values = np.array([[0, 128 * 256, 65535]], dtype=np.uint16)
    picture = decoded(save(Image.fromarray(values)))
    assert picture.traits == ("16-bit",)
    assert picture.pixels[0, :, 0].tolist() == [0, 128, 255]


def test_transparency_is_laid_on_white(save: Any) -> None:
    image = Image.new("RGBA", (2, 1), (0, 0, 0, 0))
    image.putpixel((1, 0), (10, 20, 30, 255))
    picture = decoded(save(image))
    assert picture.traits == ("alpha",)
    assert picture.pixels[0].tolist() == [[255, 255, 255], [10, 20, 30]]


def test_a_transparent_palette_is_laid_on_white(save: Any) -> None:
    image = Image.new("P", (2, 1), 0)
    image.putpalette([0, 0, 0, 200, 0, 0])
    image.putpixel((1, 0), 1)
    picture = decoded(save(image, "GIF", transparency=0))
    assert set(picture.traits) == {"alpha", "palette"}
    assert picture.pixels[0].tolist() == [[255, 255, 255], [200, 0, 0]]


def test_an_animation_gives_its_first_frame(save: Any) -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "green", "blue")]
    picture = decoded(save(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    assert "animated" in picture.traits
    assert picture.pixels[0, 0].tolist() == [255, 0, 0]


def test_exif_orientation_turns_the_picture_upright(save: Any) -> None:
    image = Image.new("RGB", (30, 10), "white")
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying on its left side
    picture = decoded(save(image, "JPEG", exif=exif))
    assert picture.traits == ("rotated",)
    assert picture.pixels.shape == (30, 10, 3)


def test_a_large_jpeg_is_decoded_smaller_but_not_below_what_is_asked(save: Any) -> None:
    raw = save(Image.new("RGB", (1600, 1200), "teal"), "JPEG")
    height, width, _ = decoded(raw, at_least=200).pixels.shape
    assert (200 <= height < 400) is True
    assert width / height == pytest.approx(1600 / 1200, rel=0.02)


def test_an_empty_file_is_refused() -> None:
    with pytest.raises(InputError, match="the file is empty"):
        decoded(b"")


def test_a_file_that_is_no_picture_is_refused() -> None:
    with pytest.raises(InputError, match="not a readable picture"):
        decoded(b"%PDF-1.7 this is a letter, not a picture")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF"])
def test_a_truncated_picture_is_refused(kind: str, draw: Any, save: Any) -> None:
    raw = save(draw(2), kind)
    with pytest.raises(InputError, match="not a readable picture"):
        decoded(raw[: len(raw) // 2])


def test_a_file_over_the_byte_limit_is_refused_unread() -> None:
    with pytest.raises(InputError, match="more than the limit of 10 bytes"):
        decoded(b"x" * 11, PictureLimits(max_bytes=10))


def test_a_picture_over_the_pixel_limit_is_refused_before_decoding() -> None:
    with pytest.raises(InputError, match="7000 x 7000 is over the limit"):
        decoded(plain_png_header(7000, 7000))


def test_a_decompression_bomb_is_refused() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(InputError, match=r"over the limit|not a readable picture"):
            decoded(plain_png_header(60000, 60000))


def test_floating_point_pixels_are_refused(save: Any) -> None:
    with pytest.raises(InputError, match="floating-point pixels"):
        decoded(save(Image.fromarray(np.zeros((4, 4), np.float32)), "TIFF"))


@given(
    st.binary(max_size=200), st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF"])
)
def test_any_bytes_give_a_picture_or_an_input_error(tail: bytes, head: bytes) -> None:
    with suppress(InputError):
        assert decoded(head + tail).pixels.dtype == np.uint8


@given(st.integers(0, 10_000), st.integers(0, 255))
def test_a_damaged_byte_gives_a_picture_or_an_input_error(place: int, value: int) -> None:
    file = BytesIO()
    Image.effect_noise((40, 30), 60).convert("RGB").save(file, "JPEG")
    raw = bytearray(file.getvalue())
    raw[place % len(raw)] = value
    with suppress(InputError):
        assert decoded(bytes(raw)).pixels.ndim == 3


def test_the_square_is_the_centre_of_the_picture() -> None:
    pixels = np.zeros((320, 640, 3), dtype=np.uint8)
    pixels[:, 160:480] = 255  # the centred square of the shorter side
    cut = square(Picture.of(pixels), 288)
    assert cut.shape == (288, 288, 3)
    assert cut.min() == 255


def test_the_whole_picture_holds_the_edges_that_the_centre_leaves_out() -> None:
    pixels = np.zeros((60, 120, 3), dtype=np.uint8)
    pixels[:, :6] = pixels[:, -6:] = 255
    picture = Picture.of(pixels)
    assert square(picture, 32).max() == 0
    everything = whole(picture, 32)
    assert everything.shape == (32, 32, 3)
    assert everything[:, 0].min() > 200
    assert everything[:, -1].min() > 200
