"""A space of items that is trained again: comparable with the version before where that is asked for, and measured."""

from __future__ import annotations

import re
import shutil
from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from bowerbird.errors import SpaceMismatchError
from bowerbird.workspace import Workspace, space_steps

pytest.importorskip("torch")

COLOURS = ("red", "green", "blue", "yellow", "black", "orange")
THINGS = ("lamp", "mug", "scarf", "boot", "chair")
ITEMS = 84
SETTINGS = (
    'content.image_encoder="efficientnet-lite0"',
    'content.text_encoder="minilm-l6"',
    'content.item_space="unified"',
)


def items(first: int, stop: int) -> pa.Table:
    """Things with a title and a picture in its colour, the thing told by stripes."""
    titles, pictures = [], []
    for number in range(first, stop):
        colour, thing = COLOURS[number % len(COLOURS)], number % len(THINGS)
        picture = Image.new("RGB", (96, 96), "white")
        for left in range(number % 9, 96, 8 + 6 * thing):
            picture.paste(colour, (left, 8, left + 5, 88))
        file = BytesIO()
        picture.save(file, "PNG")
        titles.append(f"{colour} {THINGS[thing]} {number}")
        pictures.append(file.getvalue())
    ids = [f"i{number}" for number in range(first, stop)]
    return pa.table({"item_id": ids, "title": titles, "image": pictures})


@pytest.fixture(scope="module", autouse=True)
def many_epochs():
    """So few items make one step an epoch."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(space_steps, "EPOCHS", 60)
        yield


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    folder = tmp_path_factory.mktemp("retrained")
    pq.write_table(items(0, ITEMS), folder / "items.parquet")
    made = Workspace.create(folder / "shop")
    made.import_files("items", [folder / "items.parquet"])
    first = Workspace.open(made.layout.root, SETTINGS)
    first.build(["item_vector"])
    return first


def grown(shop: Workspace, folder: Path, retrain: str) -> Workspace:
    """A copy with a few more items, built again from other first weights."""
    shutil.copytree(shop.layout.root, folder / "shop")
    pq.write_table(items(ITEMS, ITEMS + 6), folder / "more.parquet")
    again = Workspace.open(folder / "shop", (*SETTINGS, "seed=8", f'content.retrain="{retrain}"'))
    again.import_files("items", [folder / "more.parquet"])
    again.build(["item_vector"])
    return again


def survivors(shop: Workspace) -> tuple[int, int]:
    card = shop.workbench().live_card("item_vector")
    assert card is not None
    found = re.search(r"before find (\d+)%, turned by an adapter (\d+)%", card.note)
    assert found is not None, card.note
    return int(found[1]), int(found[2])


@pytest.mark.slow
def test_a_tower_trained_toward_the_one_before_keeps_its_neighbours_and_is_another_space(shop, tmp_path):
    first = shop.workbench().live_card("item_vector")
    assert first is not None
    assert "before" not in first.note
    toward = grown(shop, tmp_path / "toward", "toward")
    anew = grown(shop, tmp_path / "anew", "anew")
    assert survivors(toward)[0] > survivors(anew)[0] + 10, (survivors(toward), survivors(anew))
    now = toward.workbench().item_vectors("item_vector")
    old = shop.workbench().item_vectors("item_vector")
    with pytest.raises(SpaceMismatchError, match="cannot meet"):
        now.similarity(old)
    queries = space_steps.loaded_space(toward.workbench(), now)
    assert queries is not None
    assert queries.space == now.space


@pytest.mark.slow
def test_after_something_was_forgotten_the_next_tower_is_trained_anew(shop, tmp_path):
    made = []
    for retrain in ("toward", "anew"):
        shutil.copytree(shop.layout.root, tmp_path / retrain)
        again = Workspace.open(tmp_path / retrain, (*SETTINGS, f'content.retrain="{retrain}"'))
        again.forget(item="i3")
        again.build(["item_vector"])
        made.append(again.workbench().item_vectors("item_vector").matrix)
    assert made[0].tobytes() == made[1].tobytes()
