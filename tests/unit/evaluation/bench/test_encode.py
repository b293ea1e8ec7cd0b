from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from bowerbird.errors import InputError
from bowerbird.evaluation.bench.encode import run_encode


def picture(colour: str) -> bytes:
    file = BytesIO()
    Image.new("RGB", (40, 30), colour).save(file, "PNG")
    return file.getvalue()


def test_ours_stands_beside_the_plain_loop() -> None:
    report = run_encode(limit=2, threads=1)
    models = [row.model for row in report.rows]
    assert models[:2] == ["pictures: one by one", "pictures: ours, 1 threads"]
    assert all(row.metrics["per cpu s"].mean > 0 for row in report.rows)
    assert report.data.items == 2


def test_pictures_come_from_a_folder_or_from_parquet(tmp_path: Path) -> None:
    for colour in ("red", "green", "blue"):
        (tmp_path / f"{colour}.png").write_bytes(picture(colour))
    pq.write_table(pa.table({"jpeg": [picture("red"), None]}), tmp_path / "some.parquet")
    assert run_encode(tmp_path, limit=2).data.items == 2
    assert run_encode(tmp_path / "some.parquet", limit=9).data.items == 1


def test_a_path_without_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no picture"):
        run_encode(tmp_path)
    pq.write_table(pa.table({"x": [1]}), tmp_path / "x.parquet")
    with pytest.raises(InputError, match="no column 'jpeg'"):
        run_encode(tmp_path / "x.parquet")
    with pytest.raises(InputError, match="expected a folder of pictures"):
        run_encode(tmp_path / "x.txt")
