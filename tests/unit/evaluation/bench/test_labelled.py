"""Labels joined to pictures, and the parts a bench trains, chooses and tests on."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bowerbird.errors import InputError
from bowerbird.evaluation.bench.labelled import labelled_pictures, parts_of


def pictures(folder: Path, count: int) -> Path:
    names = pa.array([f"{number}.jpg" for number in range(count)])
    pq.write_table(
        pa.table({"image": names, "jpeg": pa.array([b"x"] * count, pa.binary())}), folder / "i.parquet"
    )
    return folder / "i.parquet"


def labels(folder: Path, **columns) -> Path:
    pq.write_table(pa.table(columns), folder / "labels.parquet")
    return folder / "labels.parquet"


def test_rows_without_a_picture_are_left_out_and_counted(tmp_path: Path):
    table = labels(tmp_path, id=[1, 0, 99], colour=["red", None, "blue"])
    found = labelled_pictures(pictures(tmp_path, 3), table, ["colour"])
    assert found.places.tolist() == [0, 1]
    assert found.columns[0].classes == ("red",)
    assert found.columns[0].codes.tolist() == [-1, 0]
    assert "1 of 3 label rows without a picture left out" in found.notes


def test_without_a_split_the_parts_are_drawn_and_disjoint(tmp_path: Path):
    table = labels(tmp_path, id=list(range(50)), colour=["red"] * 50)
    found = labelled_pictures(pictures(tmp_path, 50), table, ["colour"])
    parts, again = parts_of(found, 3), parts_of(found, 3)
    whole = np.concatenate([parts.train, parts.valid, parts.test])
    assert sorted(whole.tolist()) == list(range(50))
    assert (parts.train.size, parts.valid.size, parts.test.size) == (35, 5, 10)
    assert parts.test.tolist() == again.test.tolist() != parts_of(found, 4).test.tolist()


def test_a_validation_part_is_the_test_where_there_is_no_other(tmp_path: Path):
    split = ["train"] * 16 + ["Validation"] * 4
    table = labels(tmp_path, id=list(range(20)), colour=["red"] * 20, split=split)
    parts = parts_of(labelled_pictures(pictures(tmp_path, 20), table, ["colour"]), 0)
    assert parts.test.tolist() == [16, 17, 18, 19]
    assert parts.valid.size == 2
    assert "tested on its validation part" in parts.how


def test_mistakes_in_the_files_are_explained(tmp_path: Path):
    table = labels(tmp_path, id=["x", "y"], colour=["red", "blue"])
    images = pictures(tmp_path, 2)
    with pytest.raises(InputError, match="no column 'color'; did you mean 'colour'"):
        labelled_pictures(images, table, ["color"])
    with pytest.raises(
        InputError, match=r"columns: none named; expected some of labels.parquet's id, colour"
    ):
        labelled_pictures(images, table, [])
    with pytest.raises(
        InputError, match=r"none of 2 cells names a picture of i.parquet \('x' against '0.jpg'\)"
    ):
        labelled_pictures(images, table, ["colour"])
    unnamed = labels(tmp_path, colour=["red"] * 3)
    with pytest.raises(
        InputError, match="no column names the pictures and its 3 rows are not the 2 pictures"
    ):
        labelled_pictures(images, unnamed, ["colour"])
    with pytest.raises(InputError, match="column 'colour' holds no label for any of 2 pictures"):
        labelled_pictures(images, labels(tmp_path, colour=["", None]), ["colour"])
    few = labelled_pictures(images, labels(tmp_path, colour=["red"] * 2), ["colour"])
    with pytest.raises(InputError, match="2 labelled pictures; expected at least 10"):
        parts_of(few, 0)
    words = labels(tmp_path, id=list(range(20)), colour=["a"] * 20, split=["odd"] * 20)
    with pytest.raises(InputError, match="split: 0 train and 0 test pictures; expected the words"):
        parts_of(labelled_pictures(pictures(tmp_path, 20), words, ["colour"]), 0)


@pytest.mark.parametrize("word", ["train", "test", "val"])
def test_a_file_that_is_one_part_of_a_set_is_split(tmp_path, word):
    table = labels(tmp_path, id=list(range(30)), colour=["a", "b", "c"] * 10, split=[word] * 20 + ["?"] * 10)
    parts = parts_of(labelled_pictures(pictures(tmp_path, 30), table, ["colour"]), 0)
    assert (len(parts.train), len(parts.valid), len(parts.test)) == (14, 2, 4)
    assert np.concatenate([parts.train, parts.valid, parts.test]).max() < 20
    assert "rows, the only ones: 70 % train" in parts.how
