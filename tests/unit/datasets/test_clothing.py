from __future__ import annotations

import pytest

from bowerbird.datasets.clothing import importer
from bowerbird.errors import NotFoundError

JPEG = b"\xff\xd8 a picture"


def test_folders_as_published(imported, write) -> None:
    names = ["test/dress/2.jpg", "train/hat/1.jpg"]
    folder = write(dict.fromkeys(names, JPEG) | {"README.md": "words"})
    found = imported(importer(), folder)
    assert found.column("items", "item_id") == names
    assert found.column("items", "category") == ["dress", "hat"]
    assert found.attributes("items", 1) == {"split": "train"}
    assert [picture.item_id for picture in importer().pictures(folder)] == names


def test_parquet_form(imported, parquet) -> None:
    name = "train/hat/1.jpg"
    labels = {"image": [name], "split": ["train"], "label": ["hat"]}
    folder = parquet({"labels": labels, "images-000": {"image": [name], "jpeg": [JPEG]}})
    found = imported(importer(), folder)
    assert (found.column("items", "item_id"), found.column("items", "category")) == ([name], ["hat"])
    assert [picture.item_id for picture in importer().pictures(folder)] == [name]


def test_an_empty_folder_is_told(tmp_path) -> None:
    with pytest.raises(NotFoundError, match=r"clothing: .* has none of labels\.parquet"):
        list(importer().batches(tmp_path))
