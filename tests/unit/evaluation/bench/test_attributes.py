"""The bench of attributes on pictures of coloured shapes."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image, ImageDraw

from bowerbird.errors import InputError

pytest.importorskip("torch")

from bowerbird.content.efficientnet_lite import LITE0_VARIANT
from bowerbird.content.picture_features import WideFeatures
from bowerbird.evaluation.bench.attributes import (
    AttributesPlan,
    PictureMatrices,
    encoded_pictures,
    measured_attributes,
)
from bowerbird.evaluation.bench.labelled import labelled_pictures
from bowerbird.telemetry import SILENT
from bowerbird.training.attribute_heads import HeadSettings

COLUMNS = ["colour", "shape", "kind"]


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    """Pictures with two attributes and one that never varies; one cell is empty, one picture is broken."""
    root = tmp_path_factory.mktemp("shapes")
    draws = np.random.default_rng(0)
    rows, files = [], []
    for number in range(24):
        colour, shape = ["red", "blue"][number % 2], ["disc", "box"][number // 2 % 2]
        image = Image.new("RGB", (48, 48), "white")
        left = int(draws.integers(4, 14))
        draw = ImageDraw.Draw(image)
        (draw.ellipse if shape == "disc" else draw.rectangle)((left, left, left + 28, left + 28), fill=colour)
        file = BytesIO()
        image.save(file, "PNG")
        files.append(file.getvalue() if number else b"broken")
        rows.append((f"{number}", colour if number != 1 else "", shape, "shape"))
    pq.write_table(
        pa.table({"image": [f"{n}.png" for n in range(24)], "jpeg": pa.array(files, pa.binary())}),
        root / "images.parquet",
    )
    names = ("item_id", *COLUMNS)
    columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
    pq.write_table(pa.table(columns), root / "labels.parquet")
    return root


@pytest.fixture(scope="module")
def encoded(files):
    labelled = labelled_pictures(files / "images.parquet", files / "labels.parquet", COLUMNS)
    return encoded_pictures(labelled, WideFeatures(LITE0_VARIANT), SILENT)


def test_gaps_broken_pictures_and_columns_of_one_class_do_not_stop_it(encoded):
    labelled, matrices = encoded
    assert len(labelled) == 23  # one is broken
    plan = AttributesPlan(seeds=2, settings=HeadSettings(members=1, hidden=8, epochs=4))
    report = measured_attributes(labelled, matrices, plan)
    assert [row.model for row in report.rows] == [
        "most frequent class",
        "frozen + logistic regression",
        "frozen + kNN-20",
        "ours, frozen features",
        "ours",
    ]
    assert any("column 'kind' has 1 class and is left out" in note for note in report.notes)
    assert any("1 pictures could not be read" in note for note in report.notes)
    for row in report.rows:
        assert set(row.metrics) >= {"macro-f1", "accuracy", "ece", "p@1", "acc@50", "f1:colour", "f1:shape"}
        assert all(0 <= value <= 1 for one in row.metrics.values() for value in one.seeds)
    assert report.to_json()


def test_the_order_of_rows_in_the_label_file_changes_nothing(files, encoded, tmp_path):
    table = pq.read_table(files / "labels.parquet")
    pq.write_table(table.take(pa.array(np.arange(24)[::-1])), tmp_path / "turned.parquet")
    turned = labelled_pictures(files / "images.parquet", tmp_path / "turned.parquet", COLUMNS)
    assert turned.places.tolist() == list(range(24))
    assert turned.hash == encoded[0].hash


def test_nothing_to_tell_apart_is_an_error(encoded):
    labelled, matrices = encoded
    kind = labelled.columns[2]
    alone = labelled.__class__(labelled.source, labelled.places, (kind,), None, (), "")
    with pytest.raises(InputError, match="no column of kind has two classes"):
        measured_attributes(alone, matrices, AttributesPlan())
    with pytest.raises(InputError, match="seeds = 0; expected at least 1"):
        AttributesPlan(seeds=0)


def test_a_column_without_labels_in_the_test_part_is_passed_over(encoded):
    labelled, matrices = encoded
    split = np.array([0] * 15 + [1] * 3 + [2] * 5)
    colour = labelled.columns[0]
    gaps = colour.__class__("colour", colour.classes, np.where(split == 2, -1, colour.codes))
    data = labelled.__class__(labelled.source, labelled.places, (gaps, labelled.columns[1]), split, (), "")
    plan = AttributesPlan(seeds=1, settings=HeadSettings(members=1, hidden=8, epochs=1))
    report = measured_attributes(data, PictureMatrices(matrices.frozen, matrices.wide), plan)
    assert "f1:colour" not in report.rows[0].metrics
