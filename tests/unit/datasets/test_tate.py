from __future__ import annotations

import pytest

from bowerbird.datasets.tate import importer
from bowerbird.errors import NotFoundError


def test_csv_as_published(imported, write) -> None:
    text = 'id,accession_number,artist,title,dateText,thumbnailUrl,url\n3,T07799,"Wood, C",Boat,1929,http://t/3.jpg,http://t/3\n'
    found = imported(importer(), write({"artwork_data.csv": text}))
    item = found.stored["items"][0]
    assert (item["item_id"], item["title"], item["creator_id"], item["url"]) == (
        "3",
        "Boat",
        "Wood, C",
        "http://t/3",
    )
    assert item["image"] is None
    assert found.attributes("items") == {"acno": "T07799", "date_text": "1929", "image_url": "http://t/3.jpg"}


def test_parquet_form(imported, parquet) -> None:
    columns = {"item_id": [3, 4], "title": ["Boat", "Zebra"], "subjects": [["places/France", "society"], []]}
    found = imported(importer(), parquet({"artworks": columns}))
    assert found.column("items", "category") == ["places/France", None]
    assert found.attributes("items")["categories"] == '["places/France","society"]'


def test_an_empty_folder_is_told(tmp_path) -> None:
    with pytest.raises(NotFoundError, match=r"tate: .* has none of artworks\.parquet"):
        list(importer().batches(tmp_path))
    assert list(importer().pictures(tmp_path)) == []
