from __future__ import annotations

import pytest

from bowerbird.errors import NotFoundError
from bowerbird.records.item import Item
from bowerbird.records.slate import Slate
from bowerbird.serving.explanations import KeptSlates
from bowerbird.serving.looking import picture_type
from bowerbird.serving.replies import ItemCards, item_card


def slate(name):
    return Slate(name, "homefeed", 0, ())


def test_the_oldest_slate_leaves_first_and_a_new_one_replaces_its_namesake():
    kept, cards = KeptSlates(2), ItemCards.__new__(ItemCards)
    for name in ("a", "b", "a", "c"):
        kept.keep(slate(name), cards)
    assert kept.find("a")[0].request_id == "a"
    with pytest.raises(NotFoundError, match="'b' is not among the newest 2 slates"):
        kept.find("b")
    kept.clear()
    with pytest.raises(NotFoundError, match="ask again"):
        kept.find("a")


def test_a_picture_address_survives_any_id():
    assert item_card(Item("a/b ?#<é", image="x"))["image"] == "/v1/items/a%2Fb%20%3F%23%3C%C3%A9/image"
    assert item_card(Item("a"))["image"] is None


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
        (b"RIFF\0\0\0\0WAVE", "application/octet-stream"),
        (b"<html>", "application/octet-stream"),
        (b"", "application/octet-stream"),
    ],
)
def test_a_picture_is_named_by_its_bytes_only(start, kind):
    assert picture_type(start) == kind
