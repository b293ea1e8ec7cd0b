"""What a release tells of items."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from bowerbird.clock import DAY_US
from bowerbird.errors import NotFoundError
from bowerbird.pipeline.release import UNKNOWN_TIME
from bowerbird.records.item import Items


def test_categories_and_their_first_parts_have_codes_in_alphabetical_order(small):
    assert small.category_paths == ("cups/red", "lamps/blue")
    assert small.categories.tolist() == [0, 0, 1, 1, 0, -1]
    assert small.groups.tolist() == [0, 0, 1, 1, 0, -1]


def test_without_any_category_every_code_is_minus_one(small):
    bare = replace(small, items=Items(pa.table({"item_id": ["a", "b"]})))
    assert bare.categories.tolist() == [-1, -1]
    assert bare.groups.tolist() == [-1, -1]


def test_products_have_a_price_and_are_no_ads(small):
    kinds = {
        kind: np.flatnonzero(small.eligible(kind, small.as_of)).tolist()
        for kind in ("organic", "products", "ads", "all")
    }
    assert kinds == {"organic": [0, 1, 2, 3, 5], "products": [0, 2, 3], "ads": [4], "all": [0, 1, 2, 3, 4, 5]}


def test_an_item_is_eligible_only_after_it_was_created(small):
    created = int(small.created_at[5])
    assert not small.eligible("all", created)[5]
    assert small.eligible("all", created + 1)[5]
    assert np.flatnonzero(small.eligible("all", created - 10 * DAY_US)).tolist() == [0, 1, 2, 3]


def test_an_item_of_unknown_age_is_always_eligible(small):
    bare = replace(small, items=Items(pa.table({"item_id": ["a"]})))
    assert bare.created_at.tolist() == [UNKNOWN_TIME]
    assert bare.eligible("organic", 1).tolist() == [True]


def test_an_unknown_item_is_named_with_a_close_one_or_with_how_many_are_known(small):
    assert small.item_row("i3") == 3
    with pytest.raises(NotFoundError, match="item 'i33' is not in the catalogue; did you mean 'i3'"):
        small.item_row("i33")
    with pytest.raises(NotFoundError, match="item 'zebra' is not in the catalogue; 6 items are known"):
        small.item_row("zebra")
