"""Colours: where they lie, what they are called, what is behind the subject."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import ImageColor

from bowerbird.content.colours import FAMILIES, colours_of, dominant_colours, lab, named


def flat(colour: tuple[int, int, int], side: int = 80) -> np.ndarray:
    return np.full((side, side, 3), colour, dtype=np.uint8)


def test_lab_of_the_primaries_is_what_the_standard_says() -> None:
    rgb = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [119, 119, 119]], dtype=np.uint8)
    expected = [[53.24, 80.09, 67.20], [87.73, -86.18, 83.18], [32.30, 79.19, -107.86], [50.03, 0.0, 0.0]]
    np.testing.assert_allclose(lab(rgb), expected, atol=0.02)


def test_every_shade_of_the_standard_is_named_after_itself() -> None:
    for shade in ("crimson", "navy", "olive", "teal", "tan", "hotpink", "indigo"):
        rgb = np.array([ImageColor.getrgb(shade)], dtype=np.uint8)
        ((family, found),) = named(rgb)
        assert found == shade
        assert family in FAMILIES


def test_a_red_square_on_white_is_red_on_a_white_background() -> None:
    picture = flat((255, 255, 255))
    picture[20:60, 20:60] = (200, 20, 30)
    ground, subject = colours_of(dominant_colours(picture))
    assert (ground.family, ground.background) == ("white", True)
    assert (subject.family, subject.background) == ("red", False)
    assert subject.share == pytest.approx(0.25, abs=0.02)
    assert subject.hex == "#c8141e"


def test_shares_of_four_equal_quarters_are_equal_and_none_is_the_background() -> None:
    picture = flat((0, 0, 200))
    picture[:40, :40], picture[:40, 40:], picture[40:, :40] = (220, 30, 30), (30, 160, 40), (245, 220, 40)
    found = colours_of(dominant_colours(picture))
    assert {one.family for one in found} == {"red", "green", "yellow", "blue"}
    assert all(one.share == pytest.approx(0.25, abs=0.01) and not one.background for one in found)


def test_one_colour_is_one_colour_at_any_size() -> None:
    for side in (1, 3, 700):
        (only,) = colours_of(dominant_colours(flat((20, 20, 22), side)))
        assert (only.family, only.share) == ("black", 1.0)
    assert colours_of(np.zeros((6, 5), dtype=np.float32)) == ()
