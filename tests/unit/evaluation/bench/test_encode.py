from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from bowerbird.content.efficientnet_lite import LITE0_VARIANT
from bowerbird.content.image_encoder import ImageEncoder
from bowerbird.content.made_up import drawn_pixels
from bowerbird.errors import InputError
from bowerbird.evaluation.bench.encode import run_encode
from bowerbird.evaluation.bench.encode_texts import GroupedTexts
from bowerbird.evaluation.bench.torch_lite import torch_lite

pytestmark = pytest.mark.filterwarnings("ignore")  # sentence-transformers and what it imports


def picture(colour: str) -> bytes:
    file = BytesIO()
    Image.new("RGB", (40, 30), colour).save(file, "PNG")
    return file.getvalue()


def test_ours_stands_beside_the_plain_loops_and_the_network_alone(tmp_path: Path) -> None:
    (tmp_path / "red.png").write_bytes(picture("red"))
    (tmp_path / "broken.png").write_bytes(b"no picture")
    report = run_encode(tmp_path, limit=2, threads=1, small=True)
    models = [row.model for row in report.rows]
    assert {"pictures: int8 network alone, pixels ready", "pictures: ours int8, 1 threads"} <= set(models)
    assert all(row.metrics["per cpu s"].mean > 0 for row in report.rows)
    assert report.data.items == 2
    assert any(note.startswith("efficientnet-lite0.2-int8.1 cosine to float") for note in report.notes)
    assert "1 pictures could not be read and are left out" in report.notes


def test_the_torch_baseline_gives_the_features_of_ours() -> None:
    pytest.importorskip("torch", reason="TORCH ABSENT")
    pixels = drawn_pixels(2, LITE0_VARIANT.size, seed=3)
    expected = ImageEncoder(LITE0_VARIANT).pixel_features(pixels)
    np.testing.assert_allclose(torch_lite(LITE0_VARIANT)(pixels), expected, atol=1e-3)


def test_paths_without_pictures_or_texts_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no picture"):
        run_encode(tmp_path)
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match="none of 1 pictures can be read"):
        run_encode(tmp_path, small=True)
    pq.write_table(pa.table({"jpeg": pa.array([None], pa.binary())}), tmp_path / "none.parquet")
    with pytest.raises(InputError, match="expected files with bytes in them"):
        run_encode(tmp_path / "none.parquet", small=True)
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match=r"no column of texts .* found a, b"):
        GroupedTexts.read(tmp_path / "x.csv", 5, 0)
    (tmp_path / "y.csv").write_text("text,b\n ,2\n")
    with pytest.raises(InputError, match="column 'text' holds no text"):
        GroupedTexts.read(tmp_path / "y.csv", 5, 0)


def test_whole_groups_of_texts_are_drawn(tmp_path: Path) -> None:
    lines = [f"caption {row} of {row // 2},{row // 2}.jpg" for row in range(20)]
    (tmp_path / "captions.csv").write_text("\n".join(["caption,image", *lines]))
    grouped = GroupedTexts.read(tmp_path / "captions.csv", 6, 0)
    assert grouped.groups is not None
    assert len(grouped.texts) == 6
    assert len(set(grouped.groups)) == 3
