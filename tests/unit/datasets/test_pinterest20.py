from __future__ import annotations

import pytest

from bowerbird.datasets.pinterest20 import importer
from bowerbird.errors import NotFoundError


def test_ncf_files_as_published(imported, write) -> None:
    folder = write(
        {"pinterest-20.train.rating": "0\t5\t1\t3\n0\t6\t1\t3\n", "pinterest-20.test.rating": "0\t7\t1\t3\n"}
    )
    found = imported(importer(), folder)
    assert found.column("items", "item_id") == ["5", "6", "7"]
    assert found.column("events", "action") == ["save"] * 3
    assert [found.attributes("events", row)["split"] for row in range(3)] == ["train", "train", "test"]
    assert found.logical


def test_parquet_form(imported, parquet) -> None:
    folder = parquet({"interactions": {"user_id": [0, 1], "item_id": [2, 2], "split": ["train", "test"]}})
    found = imported(importer(), folder)
    assert found.rows == {"items": 1, "events": 2}
    assert found.attributes("events", 1) == {"split": "test"}


def test_an_empty_folder_is_told(tmp_path) -> None:
    with pytest.raises(NotFoundError, match=r"pinterest20: .* has none of"):
        list(importer().batches(tmp_path))
    assert list(importer().pictures(tmp_path)) == []
