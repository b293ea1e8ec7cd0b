"""Regions cover a picture and stay inside it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bowerbird.content.pictures import Picture, decoded
from bowerbird.content.regions import Box, MultiScale, cut, load_regions
from bowerbird.errors import NotFoundError


@given(st.integers(1, 90), st.integers(1, 90))
def test_every_pixel_is_in_a_square_of_each_scale_and_no_box_leaves_the_picture(height, width):
    pixels = np.zeros((height, width, 3), np.uint8)
    boxes = MultiScale((0.5,)).boxes(pixels)
    assert boxes[0] == Box(0, 0, width, height)
    covered = np.zeros((height, width), bool)
    for box in boxes[1:]:
        assert 0 <= box.left < box.right <= width
        assert 0 <= box.top < box.bottom <= height
        covered[box.top : box.bottom, box.left : box.right] = True
    assert covered.all()


def test_a_cut_region_is_a_picture_of_that_region():
    pixels = np.zeros((40, 40, 3), np.uint8)
    pixels[10:20, 20:30] = 255
    part = decoded(cut(Picture.of(pixels), Box(20, 10, 30, 20)))
    assert part.pixels.shape == (10, 10, 3)
    assert part.pixels.min() > 250


def test_proposers_are_plugins():
    assert isinstance(load_regions("multi-scale"), MultiScale)
    with pytest.raises(NotFoundError, match="regions: no plugin 'multiscale' is installed; did you mean"):
        load_regions("multiscale")
