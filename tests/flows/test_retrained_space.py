"""A space of items that is trained again: comparable with the version before where that is asked for, and measured."""

from __future__ import annotations

import re
import shutil
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from bowerbird.errors import SpaceMismatchError
from bowerbird.evaluation.window import held_out
from bowerbird.records.event import Events
from bowerbird.records.signal import Space
from bowerbird.stores.layout import Layout
from bowerbird.workspace import Workspace, space_steps, tower_steps
from bowerbird.workspace.evaluating import learn_from_past
from bowerbird.workspace.workbench import Workbench

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
        longer = tower_steps.CATALOGUE_SETTINGS.model_copy(update={"epochs": 60})
        patch.setattr(tower_steps, "CATALOGUE_SETTINGS", longer)
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


DAY_US = 86_400_000_000
PEOPLE, KEPT = 60, 40


def saves(first_day: int, people: int = PEOPLE) -> pa.Table:
    """Each person keeps things of one colour and of the colour after it, two a day."""
    draw = np.random.default_rng(first_day)
    rows = []
    for who in range(people):
        for number in range(KEPT):
            colour = (who + number % 2) % len(COLOURS)
            item = int(draw.integers(ITEMS // len(COLOURS))) * len(COLOURS) + colour
            at = (first_day + number // 2) * DAY_US + who * 1_000 + number
            rows.append({"user_id": f"u{who}", "item_id": f"i{item}", "action": "save", "at": at})
    return pa.Table.from_pylist(rows)


@pytest.fixture(scope="module")
def kept(shop: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The shop with people who keep things."""
    folder = tmp_path_factory.mktemp("kept")
    shutil.copytree(shop.layout.root, folder / "shop")
    pq.write_table(saves(20_000), folder / "events.parquet")
    made = Workspace.open(folder / "shop", SETTINGS)
    made.import_files("events", [folder / "events.parquet"])
    made.build(["item_index"])
    return made


def version(workspace: Workspace, name: str) -> str:
    card = workspace.workbench().live_card(name)
    assert card is not None
    return card.version


def test_the_space_learns_what_people_keep_and_queries_go_there(kept, shop):
    bench = kept.workbench()
    tower, items = bench.live_card("neighbour_tower"), bench.item_vectors("item_vector")
    assert tower is not None
    assert items.space == tower.space
    assert "events" in tower.inputs
    queries = space_steps.loaded_space(bench, items)
    assert queries is not None
    assert queries.space == items.space
    assert version(kept, "unified") == version(shop, "unified")  # no event reaches it

    def to_the_next_colour(workspace: Workspace) -> float:
        matrix = workspace.workbench().item_vectors("item_vector").matrix
        colour = np.arange(ITEMS) % len(COLOURS)
        alike = matrix @ matrix.T
        after = colour[None, :] == (colour[:, None] + 1) % len(COLOURS)
        later = colour[None, :] == (colour[:, None] + 3) % len(COLOURS)
        return float(alike[after].mean() - alike[later].mean())

    assert to_the_next_colour(kept) > to_the_next_colour(shop) + 0.05


def test_it_is_made_again_when_the_log_has_doubled_or_somebody_is_forgotten_and_not_before(kept, tmp_path):
    shutil.copytree(kept.layout.root, tmp_path / "shop")
    again = Workspace.open(tmp_path / "shop", SETTINGS)
    before = version(again, "neighbour_tower")
    pq.write_table(saves(20_100, people=2), tmp_path / "few.parquet")
    again.import_files("events", [tmp_path / "few.parquet"])
    assert again.build(["item_vector"])
    assert version(again, "neighbour_tower") == before
    again.forget(user="u7")
    again.build(["item_vector"])
    forgotten = version(again, "neighbour_tower")
    assert forgotten != before
    assert version(again, "unified") == version(kept, "unified")
    pq.write_table(saves(20_200), tmp_path / "many.parquet")
    again.import_files("events", [tmp_path / "many.parquet"])
    again.build(["item_vector"])
    assert version(again, "neighbour_tower") != forgotten


def test_an_evaluation_learns_from_the_past_alone(kept, tmp_path):
    shutil.copytree(kept.layout.root, tmp_path / "shop")
    own = Workspace.open(tmp_path / "shop", SETTINGS)
    window = held_out(own.workbench().sequences, logical_time=False)

    def learnt(folder: Path) -> Space:
        layout = Layout(folder)
        layout.create()
        bench = Workbench(own.layout, own.settings, made_in=layout)
        learn_from_past(bench, layout, window)
        return bench.item_vectors("item_vector").space

    before = learnt(tmp_path / "before")
    assert before != own.workbench().item_vectors("item_vector").space
    bench = own.workbench()
    later = bench.events.table.filter(pa.array(bench.events.at >= window.split_at))
    names = pa.array([f"new-{row}" for row in range(len(later))])
    turned = later.column("item_id").take(pa.array(np.arange(len(later))[::-1]))
    later = later.set_column(later.schema.get_field_index("event_id"), "event_id", names)
    later = later.set_column(later.schema.get_field_index("item_id"), "item_id", turned)
    assert bench.log.append(Events(later)) == len(later)
    assert learnt(tmp_path / "after") == before


def test_without_neighbours_items_stay_where_content_puts_them(kept, shop, tmp_path):
    shutil.copytree(kept.layout.root, tmp_path / "shop")
    off = Workspace.open(tmp_path / "shop", (*SETTINGS, 'content.neighbours="off"'))
    assert tower_steps.lacks_neighbours(off.workbench()) == 'the settings say [content] neighbours = "off"'
    off.build(["item_vector"])
    items = off.workbench().item_vectors("item_vector")
    assert items.space == shop.workbench().item_vectors("item_vector").space
