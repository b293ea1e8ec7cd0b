from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from bowerbird.content.perceptual_hash import (
    PictureHashes,
    difference_hash,
    frequency_hash,
    hamming,
    picture_hashes,
    turned_hashes,
)
from bowerbird.content.pictures import Picture, decoded


def test_a_row_that_falls_sets_every_bit_and_one_that_rises_none() -> None:
    falling = np.tile(np.arange(9, 0, -1, dtype=np.uint8), (1, 8, 1))
    rising = falling[:, :, ::-1].copy()
    both = difference_hash(np.concatenate([falling, rising]))
    assert np.bitwise_count(both)[:, 0].tolist() == [64, 0]


def test_the_first_bit_of_the_code_is_the_top_left_cell() -> None:
    cells = np.zeros((1, 8, 9), dtype=np.uint8)
    cells[0, 0, 0] = 1
    assert int(difference_hash(cells)[0, 0]) == 1 << 63


def test_a_flat_picture_has_an_empty_code_whatever_its_brightness() -> None:
    grey = np.stack([np.full((64, 64), value, dtype=np.uint8) for value in (0, 77, 255)])
    assert frequency_hash(grey).tolist() == [[0, 0, 0, 0]] * 3


def test_hamming_counts_differing_bits_over_all_words() -> None:
    left = np.array([[0b1, 0b1], [0, 0]], dtype=np.uint64)
    right = np.array([[0b0, 0b11], [0, 0]], dtype=np.uint64)
    assert hamming(left, right).tolist() == [1 + 1, 0]


def test_the_flipped_code_of_a_picture_is_the_code_of_its_mirror_image(draw: Any) -> None:
    image = draw(3)
    both = picture_hashes([Picture.of(np.asarray(image)), Picture.of(np.asarray(ImageOps.mirror(image)))])
    assert both.difference[1] == both.difference_flipped[0]
    # squeezing to 64 x 64 rounds differently from the other side, so a few coefficients near the median may turn
    assert hamming(both.frequency[1:], both.frequency_flipped[:1]).max() <= 16


WAYS = (
    Image.Transpose.FLIP_TOP_BOTTOM,
    Image.Transpose.ROTATE_180,
    Image.Transpose.TRANSPOSE,
    Image.Transpose.ROTATE_90,
    Image.Transpose.ROTATE_270,
    Image.Transpose.TRANSVERSE,
)


@pytest.mark.parametrize("number", range(len(WAYS)), ids=lambda number: WAYS[number].name)
def test_the_code_of_a_turned_picture_follows_from_the_picture_s_own(draw: Any, number: int) -> None:
    image = draw(6, 200, 160, 24)
    both = picture_hashes([Picture.of(np.asarray(one)) for one in (image, image.transpose(WAYS[number]))])
    said = turned_hashes(both.frequency[:1])
    apart = [int(hamming(way, both.frequency[1:])[0]) for way in said]
    assert apart[number] <= 24
    assert min(apart[:number] + apart[number + 1 :]) >= 70


def test_a_re_encoded_picture_stays_near_and_another_is_far(draw: Any, save: Any) -> None:
    image = draw(4, 200, 160)
    again = decoded(save(image.resize((150, 120)), "JPEG", quality=60))
    hashes = picture_hashes([Picture.of(np.asarray(image)), again, Picture.of(np.asarray(draw(5, 200, 160)))])
    near, far = hamming(hashes.frequency[[0, 0]], hashes.frequency[[1, 2]]).tolist()
    assert near <= 26
    assert far >= 80


def test_words_and_back_changes_nothing(draw: Any) -> None:
    hashes = picture_hashes([Picture.of(np.asarray(draw(seed))) for seed in range(3)])
    again = PictureHashes.from_words(hashes.words())
    assert len(again) == 3
    assert (again.words() == hashes.words()).all()
    assert (hashes.take(np.array([2, 0])).words() == hashes.words()[[2, 0]]).all()
