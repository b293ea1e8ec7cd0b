from __future__ import annotations

import gzip
import json

import pytest

from bowerbird.clock import SECOND_US
from bowerbird.datasets.amazon2014 import importer
from bowerbird.errors import InputError, NotFoundError


def test_parquet_sequences_with_their_items(imported, parquet) -> None:
    folder = parquet(
        {
            "beauty_sequences": {"user_id": [1, 1], "pos": [0, 1], "item_id": [1, 2]},
            "beauty_items": {"item_id": [1, 2], "asin": ["B1", "B2"], "title": ["Lacquer", None]},
        }
    )
    found = imported(importer(), folder)
    assert found.rows == {"items": 2, "events": 2}
    assert found.column("items", "title") == ["Lacquer", None]
    assert found.attributes("items") == {"asin": "B1"}
    assert found.column("events", "at") == [0, SECOND_US]
    assert found.logical


def test_parquet_sequences_alone(imported, parquet) -> None:
    folder = parquet({"toys_sequences": {"user_id": [1, 1], "pos": [0, 1], "item_id": [3, 2]}})
    assert imported(importer(), folder).column("items", "item_id") == ["3", "2"]


def test_p5_text_with_its_names(imported, write) -> None:
    folder = write(
        {"sequential.txt": "1 5 6\n2 6\n\n", "datamaps.json": json.dumps({"item2id": {"B5": "5"}})}
    )
    found = imported(importer(), folder)
    rows = [(row["user_id"], row["at"] // SECOND_US, row["item_id"]) for row in found.stored["events"]]
    assert rows == [("1", 0, "5"), ("1", 1, "6"), ("2", 0, "6")]
    assert found.attributes("items") == {"asin": "B5"}
    assert found.attributes("items", 1) == {}


def test_reviews_with_metadata_as_published(imported, write) -> None:
    reviews = [
        {"reviewerID": "A1", "asin": "B1", "overall": 5.0, "unixReviewTime": 1369699200, "helpful": [3, 4]},
        {"reviewerID": "A2", "asin": "B2", "overall": 1.0, "unixReviewTime": 1369699201, "summary": "No"},
    ]
    products = [
        {
            "asin": "B1",
            "title": "Lash",
            "price": 12.5,
            "imUrl": "http://x/1.jpg",
            "categories": [["Beauty", "Eyes/Lids"]],
        },
        {"asin": "B2", "description": "It's", "brand": "Q"},
    ]
    folder = write(
        {
            "reviews_Beauty_5.json.gz": gzip.compress("\n".join(map(json.dumps, reviews)).encode()),
            "meta_Beauty.json.gz": gzip.compress("\n".join(map(repr, products)).encode()),
        }
    )
    found = imported(importer(), folder)
    first, second = found.stored["items"]
    assert (first["title"], first["price"], first["category"]) == ("Lash", 12.5, "Beauty/Eyes-Lids")
    assert (first["url"], first["image"]) == ("http://x/1.jpg", None)
    assert (second["description"], second["brand"], second["price"]) == ("It's", "Q", None)
    assert found.column("events", "value") == [5.0, 1.0]
    assert found.column("events", "at") == [1369699200 * SECOND_US, 1369699201 * SECOND_US]
    assert (found.attributes("events"), found.attributes("events", 1)) == (
        {"helpful": "[3,4]"},
        {"summary": "No"},
    )


def test_reviews_without_metadata_name_their_items(imported, write) -> None:
    line = json.dumps({"reviewerID": "A1", "asin": "B1", "overall": 5.0, "unixReviewTime": 1})
    found = imported(
        importer(), write({"reviews_Toys_5.json": line + "\n" + line.replace("A1", "A2") + "\n"})
    )
    assert (found.column("items", "item_id"), found.column("events", "user_id")) == (["B1"], ["A1", "A2"])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{'asin': __import__('os')}", r"meta_T\.json line 1: neither JSON nor a Python literal"),
        ("[1]", r"found a list, expected one product a line"),
    ],
)
def test_metadata_that_is_no_product_is_told_and_never_run(write, line: str, message: str) -> None:
    folder = write({"reviews_T.json": '{"asin": "B", "reviewerID": "A"}', "meta_T.json": line})
    with pytest.raises(InputError, match=message):
        list(importer().batches(folder))


def test_a_user_without_items_is_told(write) -> None:
    with pytest.raises(InputError, match=r"line 2: found a user without items"):
        list(importer().batches(write({"sequential.txt": "1 5\n2\n"})))


def test_an_empty_folder_is_told(tmp_path) -> None:
    with pytest.raises(NotFoundError, match=r"amazon2014: .* has none of"):
        list(importer().batches(tmp_path))
    assert list(importer().pictures(tmp_path)) == []
