"""Encoders tuned to a catalogue: their vectors are a space of their own, and queries go where the items are."""

from __future__ import annotations

import shutil
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from bowerbird.errors import InputError
from bowerbird.training import tower_effort
from bowerbird.workspace import Workspace, tuning_steps
from bowerbird.workspace.loading import loaded_release
from bowerbird.workspace.tuning_steps import lacks_tuning, tuned_encoders

pytest.importorskip("torch")

COLOURS = {"red": (220, 30, 30), "green": (30, 180, 60), "blue": (40, 60, 220), "grey": (128, 128, 128)}
ITEMS = 90
SETTINGS = (
    'content.image_encoder="efficientnet-lite0"',
    'content.text_encoder="minilm-l6"',
    'content.item_space="unified"',
    'content.tune_encoders="on"',
)


def drawn(number: int) -> tuple[str, bytes]:
    """A title and a picture of stripes in its colour."""
    name = list(COLOURS)[number % len(COLOURS)]
    pixels = np.full((64, 64, 3), 255, dtype=np.uint8)
    pixels[:: 2 + number // 16, number % 7 :] = COLOURS[name]
    file = BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return f"{name} stripes number {number}", file.getvalue()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    folder = tmp_path_factory.mktemp("tuned")
    titles, pictures = zip(*map(drawn, range(ITEMS)), strict=True)
    ids = [f"i{number}" for number in range(ITEMS)]
    pq.write_table(pa.table({"item_id": ids, "title": titles, "image": pictures}), folder / "items.parquet")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(tuning_steps.LEAST_TUNED, "on", 64)
        patch.setattr(tower_effort, "TUNED_STEPS", 1)
        patch.setattr(tower_effort, "MOST_TUNED_EPOCHS", 4)
        patch.setattr(tower_effort, "EPOCHS", 1)
        patch.setattr(tuning_steps, "_gained", lambda found: min(found.values()) >= 0)  # too few to tell
        made = Workspace.create(folder / "shop")
        made.import_files("items", [folder / "items.parquet"])
        space = Workspace.open(made.layout.root, SETTINGS)
        space.build(["item_vector"])
        yield space


@pytest.fixture
def own_shop(shop: Workspace, tmp_path: Path) -> Workspace:
    """A copy to change; what only spares work stays behind, and what is imported in one test is not there in another."""
    copy = tmp_path / "shop"
    shutil.copytree(shop.layout.root, copy, ignore=shutil.ignore_patterns(shop.layout.cache.name))
    return Workspace.open(copy, SETTINGS)


def test_items_and_queries_live_in_the_tuned_encoders_space(shop: Workspace) -> None:
    bench = shop.workbench()
    tuned = tuned_encoders(bench)
    assert tuned is not None
    assert "-tuned." in tuned.image.space.key
    assert bench.item_vectors("image_vector").space.key == "image/efficientnet-lite0.2/1280/cosine"
    queries = loaded_release(bench).queries
    title, picture = drawn(5)
    items = bench.item_vectors("item_vector")
    found = queries.encode(title, picture)["item"]
    assert found.space == items.space
    alike = items.matrix @ found.matrix[0]
    # the item itself, asked for by its title and picture; a query's words are no title, so it is near and not the same
    assert int(np.argmax(alike)) == 5
    assert float(alike[5]) > 0.95
    assert queries.encode_many([title]) is not None
    with pytest.raises(InputError, match="is tuned to a catalogue; expected the encoder as it comes"):
        tuned.image.class_logits(  # type: ignore[attr-defined]
            tuned.image.encode([picture]), np.ones(1, np.float32)
        )


def test_encoders_are_tuned_once_and_again_when_the_catalogue_has_doubled(
    own_shop: Workspace, tmp_path: Path
) -> None:
    title, picture = drawn(200)
    one = pa.table({"item_id": ["new"], "title": [title], "image": [picture]})
    pq.write_table(one, tmp_path / "one.parquet")
    own_shop.import_files("items", [tmp_path / "one.parquet"])
    before = own_shop.workbench().inputs()["catalogue size"]
    assert before == "below 128, 0 forgotten"
    outcome = {one.name: one.outcome for one in own_shop.build(["tuned_encoders"])}
    assert outcome == {"tuned_encoders": "unchanged"}


def test_what_keeps_encoders_as_they_come_is_said(shop: Workspace) -> None:
    def why(*overrides: str) -> str:
        return lacks_tuning(Workspace.open(shop.layout.root, (*SETTINGS, *overrides)).workbench()) or ""

    assert why() == ""
    assert " items have a picture and words, tuning needs 3,000" in why('content.tune_encoders="auto"')
    assert 'tune_encoders = "off"' in why('content.tune_encoders="off"')
    assert 'item_space = "fused"' in why('content.item_space="fused"')
    assert "timm:x is not built in" in why('content.image_encoder="timm:x"')
    assert "simulated" in why('content.tune_encoders="auto"', "simulated=true")


def test_layers_that_gained_nothing_are_not_used(own_shop: Workspace, tmp_path: Path) -> None:
    bench = own_shop.workbench()
    (bench.models.directory("tuned_encoders") / "tops.safetensors").unlink()
    assert tuned_encoders(bench) is None
    (tmp_path / "broken.safetensors").write_bytes(b"x")
    with pytest.raises(InputError, match="not saved encoder layers"):
        tuning_steps.EncoderTops.load(tmp_path / "broken.safetensors")


def test_what_was_learnt_from_a_forgotten_item_is_learnt_anew(own_shop: Workspace) -> None:
    own_shop.forget(item="i7")
    assert own_shop.workbench().inputs()["catalogue size"] == "below 128, 1 forgotten"
