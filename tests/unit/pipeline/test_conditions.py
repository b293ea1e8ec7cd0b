"""Conditions a search holds to."""

import numpy as np
import pytest

from bowerbird.errors import InputError
from bowerbird.pipeline.conditions import meeting


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("category=cups", ["i0", "i1", "i4"]),
        ("Category=CUPS/Red/", ["i0", "i1", "i4"]),
        ("category=cup", []),
        ("price<=10", ["i0", "i4"]),
        ("price >= 10", ["i0", "i2", "i3"]),
        ("brand=acme", []),
        ("colour=red", []),
    ],
)
def test_a_condition_keeps_the_items_that_meet_it(small, condition, expected):
    met = meeting(small.items, (condition,))
    assert [name for name, kept in zip(small.items.vocabulary.ids, met, strict=True) if kept] == expected


@pytest.mark.parametrize("condition", ["category=cups", "price>=10", "brand=acme", "colour=red"])
def test_a_few_items_are_asked_about_as_all_are(small, condition):
    facets = {"colour": {"red": np.array([1, 5], dtype=np.int32)}}
    rows = np.array([5, 0, 2, 1], dtype=np.int32)
    few = meeting(small.items, (condition,), facets, rows)
    assert few.tolist() == meeting(small.items, (condition,), facets)[rows].tolist()


def test_conditions_add_up(small):
    assert meeting(small.items, ("category=cups", "price<=5")).sum() == 1
    assert meeting(small.items, ()).all()


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("cheap", "'cheap' is not understood; expected e.g. category="),
        ("price<=low", "price<=low: expected a number"),
        ("brand>=b", "compares 'brand'; expected '=', only a price has an order"),
    ],
)
def test_what_is_not_understood_is_explained(small, condition, message):
    with pytest.raises(InputError, match=message):
        meeting(small.items, (condition,))
    with pytest.raises(InputError, match="found 21 conditions; at most 20"):
        meeting(small.items, ("price<=1",) * 21)
