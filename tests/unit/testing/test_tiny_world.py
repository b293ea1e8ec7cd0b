from __future__ import annotations

import io

import pyarrow.compute as pc
from PIL import Image

from bowerbird.testing.tiny_world import shape_catalogue, tiny_world


def test_it_has_everything_a_real_import_has() -> None:
    world = tiny_world()
    assert world.items.num_rows == 120 + round(0.06 * 120)
    assert world.users.num_rows == 60
    assert world.campaigns.num_rows == 4
    assert world.events.num_rows > 3000
    assert set(world.events["action"].to_pylist()) >= {"impression", "closeup", "click", "save"}
    assert set(world.events["surface"].to_pylist()) == {"homefeed", "search", "related", "shopping", "ads"}


def test_every_picture_opens() -> None:
    for image in tiny_world().items["image"].to_pylist():
        assert min(Image.open(io.BytesIO(image)).size) >= 64


def test_every_event_names_an_item_and_a_user_of_the_world() -> None:
    world = tiny_world()
    assert pc.all(
        pc.is_in(world.events["item_id"], value_set=world.items["item_id"].combine_chunks())
    ).as_py()
    assert pc.all(
        pc.is_in(world.events["user_id"], value_set=world.users["user_id"].combine_chunks())
    ).as_py()


def test_the_seed_decides_the_catalogue() -> None:
    assert shape_catalogue(12, seed=3).equals(shape_catalogue(12, seed=3))
    assert not shape_catalogue(12, seed=3).equals(shape_catalogue(12, seed=4))
