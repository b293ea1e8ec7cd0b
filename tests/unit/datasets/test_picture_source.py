"""Pictures named by a table, wherever they lie."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bowerbird.datasets.picture_source import PictureSource, cells_of, picture_source
from bowerbird.errors import InputError, NotFoundError


def shard(path: Path, names: list[str | None], **more) -> Path:
    table = {
        "image": pa.array(names, pa.string()),
        "jpeg": pa.array([b"x"] * len(names), pa.binary()),
        **more,
    }
    pq.write_table(pa.table(table), path)
    return path


def test_a_folder_is_read_by_relative_path(tmp_path: Path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jpg").write_bytes(b"1")
    (tmp_path / "b.png").write_bytes(b"22")
    source = picture_source(tmp_path)
    assert source.all_names == ("b.png", "in/a.jpg")
    assert [(place, one.data) for place, one in source.pictures()] == [(0, b"22"), (1, b"1")]


def test_shards_of_a_folder_follow_one_another(tmp_path: Path):
    shard(tmp_path / "p-0.parquet", ["500.210.76", None])
    shard(tmp_path / "p-1.parquet", ["x/y.jpg"])
    pq.write_table(pa.table({"label": [1]}), tmp_path / "labels.parquet")
    source = picture_source(tmp_path)
    assert source.all_names == ("500.210.76", "1", "x/y.jpg")
    assert source.resolve(["images/500.210.76.jpg", "y", "nobody"]) == [0, 2, -1]
    assert [place for place, _ in source.pictures([2, 0])] == [0, 2]


def test_a_pattern_chooses_shards(tmp_path: Path):
    shard(tmp_path / "rooms-0.parquet", ["r"])
    shard(tmp_path / "products-0.parquet", ["p"])
    assert picture_source(tmp_path / "rooms-*.parquet").all_names == ("r",)


def test_pictures_as_hugging_face_writes_them(tmp_path: Path):
    cells = pa.array([{"bytes": b"x", "path": "a.jpg"}, {"bytes": b"y", "path": None}])
    pq.write_table(pa.table({"image": cells, "label": [0, 1]}), tmp_path / "hf.parquet")
    source = picture_source(tmp_path / "hf.parquet")
    assert source.all_names == ("a.jpg", "1")
    assert [one.data for _, one in source.pictures()] == [b"x", b"y"]


def test_nothing_there_says_what_was_expected(tmp_path: Path):
    with pytest.raises(NotFoundError, match="no such file or folder; give a folder of pictures"):
        picture_source(tmp_path / "absent")
    with pytest.raises(InputError, match="holds no picture; expected picture files or parquet"):
        picture_source(tmp_path)
    pq.write_table(pa.table({"label": [1]}), tmp_path / "labels.parquet")
    with pytest.raises(
        InputError, match="no column of picture bytes; expected jpeg, bytes or image, found label"
    ):
        picture_source(tmp_path / "labels.parquet")
    pq.write_table(pa.table({"jpeg": pa.array([], pa.binary())}), tmp_path / "none.parquet")
    with pytest.raises(InputError, match=r"none\.parquet: holds 0 rows; expected pictures"):
        picture_source(tmp_path / "none.parquet")


def test_the_column_that_names_pictures_is_found_by_what_it_holds():
    source = PictureSource("x", None, (), ("a.jpg", "b.jpg"))
    table = pa.table({"jpeg": [b"a"], "tags": [["a"]], "Image": ["a"], "shot": ["b"], "id": ["zzz"]})
    cells = cells_of(table, ("id",))
    assert list(cells) == ["Image", "shot"]
    assert source.naming(cells) == "Image"
    assert source.naming({"id": ["zzz"], "shot": ["b"]}) == "shot"
    assert source.naming({"id": ["zzz"]}) is None
