"""The bench of looks on rooms drawn from their products."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from bowerbird.errors import InputError
from bowerbird.evaluation.bench.looks import LooksPlan, run_looks

pytest.importorskip("torch")
COLOURS = ["red", "green", "blue", "yellow", "purple", "orange", "black", "cyan"]


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    """Eight products; rooms show two of them side by side; one room has no picture, one a torn one, one no product."""
    root = tmp_path_factory.mktemp("rooms")
    (root / "scenes").mkdir()
    (root / "products").mkdir()
    for colour in COLOURS:
        Image.new("RGB", (32, 32), colour).save(root / "products" / f"{colour}.png")
    pairs = []
    for number in range(6):
        both = [COLOURS[number], COLOURS[(number + 3) % 8]]
        room = Image.new("RGB", (64, 32))
        for place, colour in enumerate(both):
            room.paste(Image.new("RGB", (32, 32), colour), (32 * place, 0))
            pairs.append((f"r{number}.png", colour))
        room.save(root / "scenes" / f"r{number}.png")
    (root / "scenes" / "torn.png").write_bytes(b"no picture")
    pairs += [
        ("torn.png", "red"),
        ("torn.png", "blue"),
        ("unseen", "red"),
        ("unseen", "cyan"),
        ("r0.png", "no such product"),
    ]
    names = dict(zip(("scene", "product"), map(list, zip(*pairs, strict=True)), strict=True))
    pq.write_table(pa.table(names), root / "pairs.parquet")
    return root


def test_baselines_and_ours_stand_in_one_table(files: Path):
    plan = LooksPlan(seeds=1, folds=2, encoder="efficientnet-lite0")
    report = run_looks(files / "scenes", files / "products", files / "pairs.parquet", plan)
    recall = {row.model: row.metrics["recall@10"].mean for row in report.rows}
    assert list(recall)[:4] == ["random", "popularity", "visual: whole scene", "visual: best crop"]
    assert set(recall.values()) == {1.0}  # eight products: ten hold them all
    assert (report.data.users, report.data.items, report.data.events) == (6, 8, 12)
    assert any("2 scenes without a picture" in note for note in report.notes)
    assert any("1 scenes cannot be read and are left out (e.g. torn.png: " in note for note in report.notes)
    assert any("1 of 17 pairs whose product has no picture" in note for note in report.notes)


def test_files_that_do_not_fit_are_explained(files: Path, tmp_path: Path):
    pq.write_table(pa.table({"a": ["x"], "b": ["y"]}), tmp_path / "odd.parquet")
    with pytest.raises(InputError, match="no column names pictures of scenes; found a, b"):
        run_looks(files / "scenes", files / "products", tmp_path / "odd.parquet")
    table = pa.table({"scene": ["r0.png"], "product": ["red"]})
    pq.write_table(table, tmp_path / "few.parquet")
    with pytest.raises(
        InputError, match="1 scenes have a picture and a product with one; expected at least 4"
    ):
        run_looks(files / "scenes", files / "products", tmp_path / "few.parquet")
    with pytest.raises(InputError, match="seeds = 0, folds = 5; expected 1 and 2"):
        LooksPlan(seeds=0)


def test_every_scene_is_tested_once_and_never_learnt_from_in_that_fold(files: Path):
    from bowerbird.evaluation.bench.looks import _folds
    from bowerbird.evaluation.bench.scenes import scenes_and_products

    data = scenes_and_products(files / "scenes", files / "products", files / "pairs.parquet", 100)
    folds = _folds(data, LooksPlan(folds=3), 0)
    assert sorted(np.concatenate([fold.test for fold in folds]).tolist()) == list(range(7))
    assert all(np.intersect1d(fold.train, fold.test).size == 0 for fold in folds)


def test_scenes_none_of_which_can_be_read_are_refused(files: Path, tmp_path: Path):
    for number in range(6):
        (tmp_path / f"r{number}.png").write_bytes(b"no picture")
    plan = LooksPlan(seeds=1, folds=2, encoder="efficientnet-lite0")
    with pytest.raises(InputError, match=r"0 of 6 scenes can be read \(r0.png: .*expected at least 4"):
        run_looks(tmp_path, files / "products", files / "pairs.parquet", plan)
