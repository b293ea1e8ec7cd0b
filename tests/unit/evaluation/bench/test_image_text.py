"""Captioned pictures are read whatever they look like, and the bench runs on a handful of them."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from bowerbird.content import conse
from bowerbird.errors import InputError, NotFoundError, NotReadyError
from bowerbird.evaluation.bench import captioned_set, image_text
from bowerbird.evaluation.bench.captioned import captioned_pictures
from bowerbird.metrics.cross_modal import best_ranks
from bowerbird.telemetry import SILENT


def pictures(folder: Path, names: list[str], files: list[bytes] | None = None) -> Path:
    path = folder / "pictures.parquet"
    pq.write_table(pa.table({"image": names, "jpeg": files or [b"x"] * len(names)}), path)
    return path


def drawn(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    file = BytesIO()
    Image.fromarray(pixels).resize((64, 64)).save(file, "PNG")
    return file.getvalue()


def captions(folder: Path, **columns: list) -> Path:
    path = folder / "captions.parquet"
    pq.write_table(pa.table(columns), path)
    return path


def test_captions_that_do_not_match_are_counted_or_told(tmp_path: Path) -> None:
    images = pictures(tmp_path, ["a.jpg", "b.jpg"])
    file = captions(tmp_path, image=["a.jpg", "a.jpg", "z.jpg", "b.jpg"], caption=["one", "two", "?", None])
    found = captioned_pictures(images, file, seed=0)
    assert found.captions == ("one", "two")
    assert found.picture_of.tolist() == [0, 0]
    assert "2 of 4 rows without a picture or text left out" in found.notes
    with pytest.raises(InputError, match="none of 1 rows names a picture"):
        captioned_pictures(images, captions(tmp_path, image=["z"], caption=["?"]), seed=0)
    with pytest.raises(InputError, match=r"no column of texts; expected one of caption, .*found words"):
        captioned_pictures(images, captions(tmp_path, words=["z"]), seed=0)
    with pytest.raises(InputError, match=r"expected a column that names the picture .* beside 'caption'"):
        captioned_pictures(images, captions(tmp_path, caption=["z"]), seed=0)


def test_a_picture_may_have_its_texts_in_a_list_or_in_numbered_columns(tmp_path: Path) -> None:
    images = tmp_path / "photos"
    images.mkdir()
    for name in ("a", "b"):
        (images / f"{name}.jpg").write_bytes(b"x")
    forms = (
        {"image": ["a", "a", "b"], "caption": ["one", "two", "three"]},
        {"image": ["a", "b"], "captions": [["one", "two"], ["three"]]},
        {"Picture": ["a.jpg", "b.jpg"], "caption_0": ["one", "three"], "caption_1": ["two", None]},
        {"shot": ["a.jpg", "a.jpg", "b.jpg"], "what is seen": ["one", "two", "three"]},
    )
    for columns in forms:
        found = captioned_pictures(images, captions(tmp_path, **columns), seed=0)
        told = set(zip(found.captions, found.picture_of.tolist(), strict=True))
        assert told == {("one", 0), ("two", 0), ("three", 1)}


def test_the_files_split_is_kept_and_a_missing_one_is_drawn(tmp_path: Path) -> None:
    names = [f"{number}.jpg" for number in range(30)]
    images = pictures(tmp_path, names)
    words = ["train"] * 20 + ["dev"] * 10
    found = captioned_pictures(images, captions(tmp_path, image=names, title=names, split=words), seed=0)
    assert np.bincount(found.part).tolist() == [20, 10]
    assert found.reported == 1
    drawn = captioned_pictures(images, captions(tmp_path, image=names, title=names), seed=0)
    assert int((drawn.part == 2).sum()) == 3
    assert drawn.reported == 2
    alone = captioned_pictures(
        images, captions(tmp_path, image=names, title=names, split=["train"] * 20 + ["?"] * 10), seed=0
    )
    assert np.bincount(alone.part + 1).tolist() == [10, 18, 0, 2]
    assert "split drawn: 2 pictures of the file's train rows, the only ones, for test" in alone.notes
    with pytest.raises(InputError, match="column 'split': no train pictures, 10 dev and 20 test; expected"):
        captioned_pictures(
            images, captions(tmp_path, image=names, title=names, split=["dev"] * 10 + ["test"] * 20), seed=0
        )


@pytest.mark.parametrize(
    ("word", "use", "part"), [("train", "fit", 0), ("test", "ask", 2), ("test", "fit", 0)]
)
def test_a_set_only_learnt_from_or_only_asked_about_needs_no_other_part(tmp_path, word, use, part) -> None:
    names = [f"{number}.jpg" for number in range(30)]
    images = pictures(tmp_path, names)
    table = captions(tmp_path, image=names, title=names, split=[word] * 30)
    assert (captioned_pictures(images, table, seed=0, use=use).part == part).all()


def test_a_broken_second_captions_file_is_told_before_anything_is_encoded(tmp_path, monkeypatch) -> None:
    def encodes(*_, **__):
        raise AssertionError("pictures were encoded first")

    monkeypatch.setattr(captioned_set, "picture_features", encodes)
    images = pictures(tmp_path, ["a.jpg", "b.jpg"])
    good = captions(tmp_path, image=["a.jpg", "b.jpg"], caption=["one", "two"])
    with pytest.raises(NotFoundError, match=r"none\.csv"):
        image_text.run_image_text([(images, good), (images, tmp_path / "none.csv")])
    with pytest.raises(NotFoundError, match=r"none\.csv"):
        image_text.run_image_text([(images, good)], fit=(images, tmp_path / "none.csv"))


def test_the_best_right_answer_counts_and_ties_stand_before_it() -> None:
    answers = np.array([[1, 0], [0.9, 0], [0.9, 0], [0, 1]], dtype=np.float32)
    asking = np.array([[1, 0], [0, 1]], dtype=np.float32)
    right = np.array([[1, 3], [0, 1], [0, 3]])
    assert best_ranks(asking, answers, right).tolist() == [3, 1]
    with pytest.raises(InputError, match="query 1 and 0 others have no right answer"):
        best_ranks(asking, answers, right[1:])


def test_too_little_to_learn_from_costs_that_line_and_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise NotReadyError("a tower needs 64")

    monkeypatch.setattr(image_text.Contender, "_trained", refuse)
    contender, one = image_text.Contender("ours", [], "plain"), object.__new__(image_text.CaptionedSet)
    rows, notes = image_text._trained_rows([contender], one, "shop: ", 1, None, SILENT)
    assert (rows, notes) == ([], ["no line for shop: ours: a tower needs 64"])


@pytest.mark.slow
def test_the_bench_runs_where_pictures_are_broken_and_texts_equal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    monkeypatch.setattr(conse, "PROMPTS", ("{name}",))  # a quarter of the texts
    from bowerbird.evaluation.bench.image_text import run_image_text

    names = [f"{number}.jpg" for number in range(90)]
    files = [drawn(number) for number in range(89)] + [b"broken"]
    images = pictures(tmp_path, names, files)
    said = [f"picture {number % 45}" for number in range(90)]
    sets = [(images, captions(tmp_path, image=names, caption=said))]
    report = run_image_text(sets, 1, epochs=1, tune=True, threads=1)
    levelled = ("", ", hubs levelled")
    ours = [
        name + how for name in ("ours, frozen encoders", "ours, tuned encoders", "ours") for how in levelled
    ]
    models = ["random", "ConSE, no training", "linear heads", *ours]
    assert [row.model for row in report.rows] == models
    assert any("1 pictures could not be read" in note for note in report.notes)
    for row in report.rows:
        assert 0 <= row.metrics["t2i r@1"].mean <= row.metrics["t2i r@10"].mean <= 1


def test_a_part_of_which_nothing_can_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conse, "PROMPTS", ("{name}",))
    names = ["a.jpg", "b.jpg"]
    images = pictures(tmp_path, names, [drawn(0), b"broken"])
    table = captions(tmp_path, image=names, caption=names, split=["train", "test"])
    with pytest.raises(
        InputError, match=r"none of 1 test pictures has a text and can be read \(1 pictures could"
    ):
        image_text.run_image_text([(images, table)], 1, tune=False, threads=1)
