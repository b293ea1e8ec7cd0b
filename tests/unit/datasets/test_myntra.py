from __future__ import annotations

import pytest

from bowerbird.datasets.images import tally
from bowerbird.datasets.myntra import importer
from bowerbird.errors import InputError, NotFoundError

JPEG = b"\xff\xd8 a picture"
HEADER = "id,gender,masterCategory,subCategory,articleType,baseColour,season,year,usage,productDisplayName\n"
LINE = "15970,Men,Apparel,Topwear,Shirts,Navy Blue,Fall,2011,Casual,"


def test_kaggle_files_whose_titles_hold_commas(imported, write) -> None:
    text = HEADER + LINE + "Turtle Check Shirt\n" + LINE.replace("15970", "6842") + "Parka, navy, warm\n"
    folder = write({"styles.csv": text, "images/15970.jpg": JPEG, "images/6842.jpg": JPEG})
    found = imported(importer(), folder)
    assert found.column("items", "title") == ["Turtle Check Shirt", "Parka, navy, warm"]
    assert found.column("items", "category") == ["Apparel/Topwear/Shirts"] * 2
    assert found.column("items", "image") == ["15970.jpg", "6842.jpg"]
    assert found.attributes("items")["baseColour"] == "Navy Blue"
    assert [(picture.item_id, picture.data) for picture in importer().pictures(folder)] == [
        ("15970", JPEG),
        ("6842", JPEG),
    ]


def test_parquet_form(imported, parquet) -> None:
    levels = {
        "masterCategory": ["Apparel", "Apparel"],
        "subCategory": ["Top", "Top"],
        "articleType": ["Tee", None],
    }
    shards = {"images-000": {"image": ["1.jpg"], "jpeg": [JPEG]}}
    styles = {"id": [1, 2], "title": ["A", "B"], "has_image": [True, False]} | levels
    folder = parquet({"styles": styles} | shards)
    found = imported(importer(), folder)
    assert found.column("items", "image") == ["1.jpg", None]
    assert found.column("items", "category") == ["Apparel/Top/Tee", "Apparel/Top"]
    assert tally(importer().pictures(folder)) == {"pictures": 1}


def test_a_line_with_too_few_columns_is_told(write) -> None:
    with pytest.raises(InputError, match=r"styles\.csv line 2: found 3 columns, expected 10"):
        list(importer().batches(write({"styles.csv": HEADER + "1,Men,Apparel\n"})))


def test_an_empty_file_is_told(write) -> None:
    with pytest.raises(InputError, match="expected a header line"):
        list(importer().batches(write({"styles.csv": ""})))


def test_an_empty_folder_is_told(tmp_path) -> None:
    with pytest.raises(NotFoundError, match=r"myntra: .* has none of styles\.parquet"):
        list(importer().batches(tmp_path))
