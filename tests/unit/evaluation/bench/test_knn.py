"""Classes of pictures: whatever the labels look like, a table or a reason."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from bowerbird.content import conse
from bowerbird.content.efficientnet_lite import LITE0_VARIANT
from bowerbird.content.image_encoder import ImageEncoder
from bowerbird.datasets.picture_source import picture_source
from bowerbird.errors import InputError
from bowerbird.evaluation.bench import picture_vectors
from bowerbird.evaluation.bench.knn import _by_neighbours, _Space
from bowerbird.evaluation.bench.picture_vectors import picture_features


def coloured(red: int, seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 60, (32, 32, 3), dtype=np.uint8)
    pixels[..., 0] = red
    file = BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def stored(folder: Path, files: list[bytes]) -> Path:
    path = folder / "pictures.parquet"
    names = [f"{number}.png" for number in range(len(files))]
    pq.write_table(pa.table({"image": names, "jpeg": files}), path)
    return path


def test_nearer_votes_weigh_more_and_few_neighbours_are_enough() -> None:
    vectors = np.array([[1, 0], [0.98, 0.2], [0.98, 0.2], [0.6, 0.8], [0.6, 0.8], [1, 0]], dtype=np.float32)
    space = _Space("x", (vectors,), vectors, 0.0, 0.0)
    codes = np.array([0, 1, 1, 2, 2, 0])
    found = _by_neighbours(space, codes, np.arange(5), np.array([5]))
    assert found.tolist() == [1]  # 1 against 2 exp(-0.02 / 0.07), and twice nearly nothing
    assert _by_neighbours(space, codes, np.array([0, 3, 4]), np.array([5])).tolist() == [0]
    assert _by_neighbours(space, codes, np.array([0]), np.array([5])).tolist() == [0]


def test_views_of_broken_pictures_are_counted_and_told(tmp_path: Path) -> None:
    encoder = ImageEncoder(LITE0_VARIANT)
    source = picture_source(stored(tmp_path, [coloured(250, 1), b"broken", coloured(10, 2)]))
    found = picture_features(source, np.arange(3), encoder)
    assert found.present.tolist() == [True, False, True]
    assert found.note.startswith("1 pictures could not be read")
    assert found.features.shape == (3, 2, 1280)
    with pytest.raises(InputError, match="none of 1 pictures could be read"):
        picture_features(source, np.array([1]), encoder)


def test_what_was_encoded_is_kept_for_the_next_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder, folder = ImageEncoder(LITE0_VARIANT), tmp_path / "kept"
    source = picture_source(stored(tmp_path, [coloured(250, 1), b"broken", coloured(10, 2)]))
    first = picture_features(source, np.arange(3), encoder, below=True, kept=folder)
    monkeypatch.setattr(picture_vectors, "_encoded", None)
    again = picture_features(source, np.arange(3), encoder, below=True, kept=folder)
    assert first.places is not None
    assert again.places is not None
    assert again.features.tobytes() == first.features.tobytes()
    assert again.places.tobytes() == first.places.tobytes()
    assert (again.present.tolist(), again.note) == (first.present.tolist(), first.note)


@pytest.mark.slow
def test_the_bench_runs_with_gaps_in_the_labels_and_says_when_none_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    from bowerbird.evaluation.bench import knn
    from bowerbird.evaluation.bench.knn import run_knn
    from bowerbird.training.tower_effort import TowerEffort

    def few_passes(items: int, *, tuned: bool) -> TowerEffort:
        return TowerEffort(batch=items // 2 if tuned else items, epochs=6 if tuned else 20)

    monkeypatch.setattr(knn, "tower_effort", few_passes)
    monkeypatch.setattr(conse, "PROMPTS", ("{name}",))  # a quarter of the texts
    files = [coloured(250 if number % 2 else 10, number) for number in range(100)]
    images, labels = stored(tmp_path, files), tmp_path / "labels.parquet"
    names = [f"{number}.png" for number in range(100)]
    kind = ["red" if number % 2 else "dark" for number in range(100)]
    gaps = [None if number % 3 == 0 else "same" for number in range(100)]
    empty = ["x"] + [None] * 99
    pq.write_table(pa.table({"image": names, "kind": kind, "gaps": gaps, "empty": empty}), labels)
    report = run_knn(images, labels, ["kind", "gaps"], tune=True, threads=1)
    ours = next(row for row in report.rows if row.model == "kind: ours, taught the names")
    assert ours.metrics["knn-20"].mean > 0.9
    assert [row.model for row in report.rows].count("kind: ours, taught the names, encoder tuned") == 1
    assert [row.model for row in report.rows].count("kind: ours, the tuned encoder alone") == 1
    assert report.rows[-1].metrics["probe"].mean == 1.0
    with pytest.raises(InputError, match="column 'empty': 1 train and 0 test labels"):
        run_knn(images, labels, ["empty"], tune=False, threads=1)
