from __future__ import annotations

import json

import pyarrow as pa
import pytest

from bowerbird.clock import SECOND_US
from bowerbird.datasets.amazon2018 import importer, unrolled
from bowerbird.errors import NotFoundError

WINDOWS = {
    "user_id": ["A", "A", "B", "A"],
    "history": [[1, 2], [1, 2, 3], [9], [3, 4, 5]],
    "target": [3, 4, 1, 6],
    "split": ["valid", "valid", "test", "test"],
}


def test_windows_become_one_sequence_a_user() -> None:
    table = unrolled(pa.table(WINDOWS))
    rows = list(
        zip(*(table.column(name).to_pylist() for name in ("user_id", "pos", "item_id", "split")), strict=True)
    )
    assert rows == [
        ("A", 0, "1", "history"),
        ("A", 1, "2", "history"),
        ("A", 2, "3", "valid"),
        ("A", 3, "4", "valid"),
        ("A", 4, "5", "history"),
        ("A", 5, "6", "test"),
        ("B", 0, "9", "history"),
        ("B", 1, "1", "test"),
    ]


def test_no_windows_are_no_rows() -> None:
    empty = pa.table({name: pa.array([], pa.string()) for name in ("user_id", "target", "split", "history")})
    assert unrolled(empty).num_rows == 0


def test_parquet_windows_with_items(imported, parquet) -> None:
    folder = parquet(
        {
            "office_windows": WINDOWS,
            "office_items": {"item_id": [1], "title": ["Ink"], "categories": ["Office"]},
        }
    )
    found = imported(importer(), folder)
    assert found.rows == {"items": 1, "events": 8}
    assert found.column("items", "category") == ["Office"]
    assert found.attributes("events", 2) == {"split": "valid"}
    assert found.logical


@pytest.mark.parametrize("with_meta", [True, False])
def test_reviews_as_published(imported, write, with_meta: bool) -> None:
    review = {
        "reviewerID": "A1",
        "asin": "B1",
        "overall": 4.0,
        "unixReviewTime": 1500000000,
        "style": {"Size:": "L"},
    }
    product = {
        "asin": "B1",
        "title": "Ink",
        "price": "$1,299.00",
        "description": ["Black", "ink"],
        "category": ["Office", "Ink"],
    }
    odd = {"asin": "B2", "title": "Odd", "price": ".a-box-inner{color"}
    files = {"Office_Products_5.json": json.dumps(review) + "\n"}
    if with_meta:
        files["meta_Office_Products.json"] = json.dumps(product) + "\n" + json.dumps(odd) + "\n"
    found = imported(importer(), write(files))
    assert found.column("events", "at") == [1500000000 * SECOND_US]
    assert found.attributes("events") == {"style": '{"Size:":"L"}'}
    if not with_meta:
        assert found.column("items", "item_id") == ["B1"]
        return
    item = found.stored["items"][0]
    assert (item["price"], item["description"], item["category"]) == (1299.0, "Black ink", "Office/Ink")
    assert found.attributes("items", 1) == {"price_text": ".a-box-inner{color"}


def test_an_empty_folder_is_told(tmp_path) -> None:
    with pytest.raises(NotFoundError, match=r"amazon2018: .* has none of"):
        list(importer().batches(tmp_path))
    assert list(importer().pictures(tmp_path)) == []
