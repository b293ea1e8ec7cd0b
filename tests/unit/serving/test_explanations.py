from __future__ import annotations

from types import SimpleNamespace

import orjson
import pytest
from starlette.datastructures import QueryParams

from bowerbird.errors import NotFoundError, StorageError
from bowerbird.records.item import Item
from bowerbird.records.slate import Slate
from bowerbird.serving import explanations
from bowerbird.serving.asking import question_of
from bowerbird.serving.explanations import KeptSlates, SharedSlates
from bowerbird.serving.looking import picture_type
from bowerbird.serving.replies import ItemCards, item_card


def no_cards():
    cards = ItemCards.__new__(ItemCards)
    cards.release = SimpleNamespace(version="r1")
    return cards


def slate(name):
    return Slate(name, "homefeed", 0, ())


@pytest.mark.parametrize("kind", ["one process", "several"])
def test_the_oldest_slate_leaves_first_and_a_new_one_replaces_its_namesake(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(explanations, "CLEARED_EVERY", 1)
    kept = KeptSlates(2) if kind == "one process" else SharedSlates(tmp_path / "slates.sqlite", 2)
    cards = no_cards()
    for name in ("a", "b", "a", "c"):
        kept.keep(slate(name), cards)
    assert orjson.loads(kept.find("a"))["request_id"] == "a"
    with pytest.raises(NotFoundError, match="'b' is not among the newest 2 slates"):
        kept.find("b")
    kept.clear()
    with pytest.raises(NotFoundError, match="ask again"):
        kept.find("a")


def test_what_one_worker_answered_another_explains_and_a_damaged_file_says_what_to_do(tmp_path):
    one, other = (SharedSlates(tmp_path / "slates.sqlite", 9) for _ in range(2))
    one.keep(slate("a"), no_cards())
    assert orjson.loads(other.find("a"))["entries"] == []
    (tmp_path / "damaged").write_bytes(b"x" * 5000)
    with pytest.raises(StorageError, match="slates cannot be kept there"):
        SharedSlates(tmp_path / "damaged", 9)
    one._db.execute("DROP TABLE slate")  # as when somebody removed the file under a server
    for ask in (other.clear, lambda: other.find("a")):
        with pytest.raises(StorageError, match="slates cannot be kept there"):
            ask()


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


def test_boosts_and_excludes_may_come_several_times_in_a_query_string():
    question = question_of(
        QueryParams("user=u1&boost=category=home:0.5&boost=price<=5:1&exclude=a&exclude=b")
    )
    assert question.boost == ["category=home:0.5", "price<=5:1"]
    assert question.exclude == ["a", "b"]
