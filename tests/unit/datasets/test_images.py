from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bowerbird.datasets import images
from bowerbird.datasets.images import ImageFolder, folder_pictures, shard_pictures, table_pictures, tally
from bowerbird.errors import InputError, NotFoundError

JPEG = b"\xff\xd8 a picture"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "pictures"
    (root / "deep").mkdir(parents=True)
    (root / "a.jpg").write_bytes(JPEG)
    (root / "deep" / "b.PNG").write_bytes(JPEG)
    (root / "deep" / "a.png").write_bytes(JPEG)
    (root / "empty.jpg").write_bytes(b"")
    (root / "huge.jpg").write_bytes(bytes(101))
    (root / "notes.txt").write_bytes(b"no picture")
    (tmp_path / "secret.jpg").write_bytes(JPEG)
    (root / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    return root


def test_files_of_a_folder_are_pictures_of_the_items_they_are_named_after(folder: Path) -> None:
    found = {
        picture.file: (picture.item_id, picture.reason)
        for picture in folder_pictures(ImageFolder(folder, 100))
    }
    assert found == {
        "a.jpg": ("a", None),
        "deep/a.png": ("a", images.REPEATED),
        "deep/b.PNG": ("b", None),
        "empty.jpg": ("empty", images.EMPTY),
        "huge.jpg": ("huge", "picture is larger than 100 bytes"),
        "link.jpg": ("link", images.OUTSIDE),
    }


def test_the_item_may_be_the_whole_path(folder: Path) -> None:
    names = [picture.item_id for picture in folder_pictures(ImageFolder(folder), whole_name=True)]
    assert names[:3] == ["a.jpg", "deep/a.png", "deep/b.PNG"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("a.jpg", None),
        ("deep/b.PNG", None),
        ("../secret.jpg", images.OUTSIDE),
        ("deep/../../secret.jpg", images.OUTSIDE),
        ("..\\secret.jpg", images.OUTSIDE),
        ("/etc/passwd", images.OUTSIDE),
        ("link.jpg", images.OUTSIDE),
        ("a\0.jpg", images.OUTSIDE),
        ("none.jpg", images.ABSENT),
        ("deep", images.ABSENT),
        ("x" * 5000, images.UNREADABLE),
        ("https://shop/a.jpg", images.REMOTE),
        ("DATA:image/png;base64,xx", images.REMOTE),
    ],
)
def test_no_path_leaves_the_folder(folder: Path, name: str, reason: str | None) -> None:
    picture = ImageFolder(folder).read("i", name)
    assert (picture.data, picture.reason) == (None if reason else JPEG, reason)


def test_paths_of_a_table_are_relative_to_it_or_to_the_images_folder(folder: Path) -> None:
    text = "item_id,image\nx,a.jpg\ny,../secret.jpg\nz,\n,a.jpg\n"
    for table in (folder / "items.csv", folder.parent / "items.csv"):
        table.write_text(text, encoding="utf-8")
    expected = [("x", None), ("y", images.OUTSIDE), ("z", images.NO_PICTURE), ("", images.UNNAMED)]
    for found in (table_pictures(folder / "items.csv"), table_pictures(folder.parent / "items.csv", folder)):
        assert [(picture.item_id, picture.reason) for picture in found] == expected


def test_a_table_without_an_image_column_has_no_pictures(folder: Path) -> None:
    (folder / "items.csv").write_text("item_id\nx\n")
    assert tally(table_pictures(folder / "items.csv")) == {images.NO_PICTURE: 1}


def test_a_table_without_items_is_told(folder: Path) -> None:
    (folder / "items.csv").write_text("no,image\nx,a.jpg\n")
    with pytest.raises(InputError, match="no column 'item_id'; found no, image"):
        list(table_pictures(folder / "items.csv"))


@pytest.mark.parametrize("form", ["jpeg", "bytes", "image", "struct"])
def test_bytes_in_a_column_are_the_picture(tmp_path: Path, form: str) -> None:
    cells: list = [JPEG, None, b""]
    name = form
    if form == "struct":
        name, cells = "image", [{"bytes": cell, "path": "p.jpg"} for cell in cells]
    pq.write_table(pa.table({"item_id": [1, 2, 3], name: cells}), tmp_path / "items.parquet")
    found = [
        (picture.item_id, picture.data, picture.reason)
        for picture in table_pictures(tmp_path / "items.parquet")
    ]
    assert found == [("1", JPEG, None), ("2", None, images.NO_PICTURE), ("3", None, images.EMPTY)]


def test_shards_name_their_items(tmp_path: Path) -> None:
    shards = []
    for number, names in enumerate((["1.jpg", "2.jpg"], ["deep/3.jpg", None])):
        shards.append(tmp_path / f"images-{number}.parquet")
        pq.write_table(pa.table({"image": names, "jpeg": [JPEG] * 2}), shards[-1])
    assert [picture.item_id for picture in shard_pictures(shards)] == ["1", "2", "3", ""]
    assert [picture.item_id for picture in shard_pictures(shards, str)] == [
        "1.jpg",
        "2.jpg",
        "deep/3.jpg",
        "",
    ]


def test_a_shard_without_bytes_is_told(tmp_path: Path) -> None:
    pq.write_table(pa.table({"image": ["1.jpg"]}), tmp_path / "x.parquet")
    with pytest.raises(InputError, match=r"no column of picture bytes; .* found image string"):
        list(shard_pictures([tmp_path / "x.parquet"]))


def test_an_absent_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no such images folder"):
        ImageFolder(tmp_path / "none")
