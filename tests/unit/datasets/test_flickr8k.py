from __future__ import annotations

import pytest

from bowerbird.datasets.flickr8k import importer
from bowerbird.errors import NotFoundError

JPEG = b"\xff\xd8 a picture"


def test_kaggle_captions_and_folder(imported, write) -> None:
    text = 'image,caption\na.jpg,A dog , running .\na.jpg,"A brown dog, wet ."\nb.jpg,A child .\n'
    folder = write({"captions.txt": text, "Images/a.jpg": JPEG, "Images/b.jpg": JPEG})
    found = imported(importer(), folder)
    assert found.column("items", "item_id") == ["a.jpg", "b.jpg"]
    assert found.column("items", "title") == ["A dog , running .", "A child ."]
    assert found.column("items", "description") == ["A dog , running .\nA brown dog, wet .", "A child ."]
    assert [picture.item_id for picture in importer().pictures(folder)] == ["a.jpg", "b.jpg"]


def test_the_token_file_of_the_university(imported, write) -> None:
    found = imported(importer(), write({"Flickr8k.token.txt": "a.jpg#0\tA dog .\na.jpg#1\tA pet .\n"}))
    assert found.column("items", "description") == ["A dog .\nA pet ."]


def test_parquet_form(imported, parquet) -> None:
    captions = {
        "image": ["a.jpg", "a.jpg"],
        "caption_idx": [0, 1],
        "caption": ["A dog", "A pet"],
        "split": ["dev", "dev"],
    }
    folder = parquet({"captions": captions, "images-000": {"image": ["a.jpg"], "jpeg": [JPEG]}})
    found = imported(importer(), folder)
    assert (found.rows, found.attributes("items")) == ({"items": 1}, {"split": "dev"})
    assert [picture.item_id for picture in importer().pictures(folder)] == ["a.jpg"]


def test_an_empty_folder_is_told(tmp_path) -> None:
    with pytest.raises(NotFoundError, match=r"flickr8k: .* has none of captions\.parquet"):
        list(importer().batches(tmp_path))
    with pytest.raises(NotFoundError, match=r"has none of Images"):
        list(importer().pictures(tmp_path))
