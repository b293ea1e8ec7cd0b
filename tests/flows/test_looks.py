"""Looks in serving: rooms that list their products teach which products fit a picture of a room."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image, ImageDraw

from bowerbird.content.regions import MultiScale, load_regions
from bowerbird.content.scene_looks import SavedLooks
from bowerbird.errors import InputError, NotFoundError, StorageError
from bowerbird.records.request import Request
from bowerbird.workspace import Workspace, looks_steps
from bowerbird.workspace.looks_steps import lacks_scenes, scenes_of

PRODUCTS, ROOMS = 12, 20


def product(number: int) -> Image.Image:
    """A shape of its own colour on white."""
    picture = Image.new("RGB", (96, 96), "white")
    draw = ImageDraw.Draw(picture)
    colour = tuple(int(one) for one in np.random.default_rng(number).integers(0, 200, 3))
    shape = (draw.ellipse, draw.rectangle, draw.rounded_rectangle)[number % 3]
    shape((12, 12, 84, 84), fill=colour)
    draw.line((12 + 5 * number, 12, 84, 84), fill="black", width=6)
    return picture


def room(numbers: list[int], seed: int) -> Image.Image:
    """Products side by side before a wall."""
    wall = Image.new("RGB", (240, 200), tuple(np.random.default_rng(seed).integers(150, 220, 3).tolist()))
    for place, number in enumerate(numbers):
        wall.paste(product(number), (10 + 120 * place, 70))
    return wall


def encoded(picture: Image.Image) -> bytes:
    file = BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="module")
def rooms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """Twelve products in pairs: 0 stands with 1, 2 with 3, ...; every room lists its pair, pictured or not."""
    pytest.importorskip("torch")
    folder = tmp_path_factory.mktemp("rooms")
    pairs = [[2 * (one % 6), 2 * (one % 6) + 1] for one in range(ROOMS)]
    table = pa.table(
        {
            "item_id": [f"p{one}" for one in range(PRODUCTS)] + [f"room{one}" for one in range(ROOMS)],
            "image": [encoded(product(one)) for one in range(PRODUCTS)]
            + [encoded(room(pair[:1], one)) for one, pair in enumerate(pairs)],
            "products": [None] * PRODUCTS
            + [json.dumps([f"p{one}" for one in pair] + ["gone"]) for pair in pairs],
            "for_sale": [None] * PRODUCTS + ["no"] * ROOMS,
        }
    )
    pq.write_table(table, folder / "items.parquet")
    layout = Workspace.create(folder / "workspace", nsfw="off").layout
    text = layout.settings.read_text(encoding="utf-8")
    layout.settings.write_text(
        text.replace("efficientnet-lite2:int8", "efficientnet-lite0")
        .replace("efficientnet-lite2", "efficientnet-lite0")
        .replace("[content]\n", '[content]\nregions = "one-size"\n'),
        encoding="utf-8",
    )
    workspace = Workspace.open(layout.root)
    workspace.import_files("items", [folder / "items.parquet"])
    with (
        pytest.MonkeyPatch.context() as patch
    ):  # a detector of somebody's: one size, a third of the encodings
        patch.setattr(looks_steps, "load_regions", {"one-size": MultiScale((0.6,))}.__getitem__)
        workspace.build(["looks", "image_index"])
        yield workspace


@pytest.mark.slow
def test_a_picture_of_a_room_finds_what_is_in_it_and_what_goes_with_it(rooms: Workspace):
    release = rooms.answers.release
    picture = encoded(room([4], 99))
    slate = rooms.answers.answer(Request("shopping", release.as_of, image=picture, n=5))
    found = {
        entry.item_id: one
        for entry in slate.entries
        for one in entry.because
        if one.source == "completes_look"
    }
    assert not any(item.startswith("room") for item in slate.item_ids)
    assert {"p4", "p5"} <= set(slate.item_ids[:3])
    assert found["p5"].because_of == "p4"  # it is not in the picture: it goes with what is
    explained = [one.source for entry in slate.entries for one in entry.because]
    assert "by_picture" in explained


@pytest.mark.slow
def test_without_a_picture_looks_have_nothing_to_say(rooms: Workspace):
    release = rooms.answers.release
    slate = rooms.answers.answer(Request("shopping", release.as_of, item_id="p1", n=5))
    assert "completes_look" not in {one.source for entry in slate.entries for one in entry.because}
    with pytest.raises(InputError, match="could not be read as an image"):
        rooms.answers.answer(Request("shopping", release.as_of, image=b"not a picture", n=5))


@pytest.mark.slow
def test_what_was_learnt_is_kept_whole(rooms: Workspace, tmp_path: Path):
    saved = SavedLooks.load(rooms.workbench().models.directory("looks"))
    assert saved.product_ids == tuple(f"p{one}" for one in range(PRODUCTS))
    saved.save(tmp_path)
    again = SavedLooks.load(tmp_path)
    assert (again.companions.together != saved.companions.together).nnz == 0
    (tmp_path / "together.npz").write_bytes(b"half a fi")
    with pytest.raises(StorageError, match=r"found no whole looks model .* run `bowerbird build looks`"):
        SavedLooks.load(tmp_path)


@pytest.mark.slow
def test_a_detector_that_is_not_installed_is_named(rooms: Workspace, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(looks_steps, "load_regions", load_regions)
    with pytest.raises(NotFoundError, match="regions: no plugin 'one-size' is installed"):
        _ = Workspace.open(rooms.layout.root).answers


def test_scenes_are_items_that_list_products(tiny_workspace: Workspace):
    bench = tiny_workspace.workbench()
    assert scenes_of(bench) == {}
    assert lacks_scenes(bench) == "0 items with a picture list their products; looks need 20"
