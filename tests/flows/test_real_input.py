"""Real input end to end: each public set, and anybody's own files, imported, built and asked.

The small samples are made here, in the forms the sets are published or kept in; the same is done with a few rows
of the real files where they are present.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from PIL import Image, ImageDraw

from bowerbird.datasets.import_batch import load_importer
from bowerbird.records.slate import Slate
from bowerbird.workspace import Workspace
from bowerbird.workspace.importing import ImportReport

LITE = ("content.image_encoder=efficientnet-lite0",)
ITEM_SURFACES = ("homefeed", "related", "search", "shopping", "ads")
ROOM = "images/room_scenes/ikea-a-cosy-bed__136-s4.jpg"


def picture(colour: str, shape: str = "circle", size: int = 96) -> bytes:
    image = Image.new("RGB", (size, size), "white")
    draw = ImageDraw.Draw(image)
    (draw.ellipse if shape == "circle" else draw.rectangle)((20, 20, size - 20, size - 20), fill=colour)
    held = io.BytesIO()
    image.save(held, "JPEG", quality=85)
    return held.getvalue()


PICTURES = [picture("red"), picture("blue", "square"), picture("green")]


def tables(folder: Path, **contents: dict[str, list]) -> None:
    for name, columns in contents.items():
        pq.write_table(pa.table(columns), folder / f"{name.replace('__', '-')}.parquet")


def films(folder: Path) -> None:
    (folder / "ratings.dat").write_text(
        "".join(
            f"{u}::{i}::5::{978300000 + 90000 * u + i}\n"
            for u in (1, 2, 3)
            for i in (10, 11, 12)
            if i != 9 + u
        )
    )
    (folder / "movies.dat").write_text(
        "10::Heat (1995)::Crime\n11::Alien (1979)::Sci-Fi\n12::Up (2009)::Comedy\n"
    )
    (folder / "users.dat").write_text("1::F::1::10::48067\n2::M::56::16::70072\n3::M::25::15::55117\n")


def beauty(folder: Path) -> None:
    tables(
        folder,
        beauty_sequences={"user_id": [1, 1, 1, 2, 2], "pos": [0, 1, 2, 0, 1], "item_id": [1, 2, 3, 1, 2]},
        beauty_items={
            "item_id": [1, 2, 3],
            "asin": ["B1", "B2", "B3"],
            "title": ["Nail lacquer", "Remover", None],
        },
    )


def invoices(folder: Path) -> None:
    header = [
        "InvoiceNo",
        "StockCode",
        "Description",
        "Quantity",
        "InvoiceDate",
        "UnitPrice",
        "CustomerID",
        "Country",
    ]
    lines = [
        [
            f"5363{person}{at}",
            code,
            title,
            "1",
            f"12/{at + 1}/2010 8:26",
            price,
            str(17850 + person),
            "France",
        ]
        for person in range(3)
        for at, (code, title, price) in enumerate(
            [("85123A", "WHITE HEART", "2.55"), ("71053", "LANTERN", "3.39")]
        )
        if person - 1 != at
    ]
    lines += [["536400", "POST", "POSTAGE", "1", "12/4/2010 9:00", "18.0", "17850", "France"]]
    lines += [["536401", "71053", "LANTERN", "1", "12/4/2010 9:01", "3.39", "", "France"]]
    with (folder / "data.csv").open("w", newline="") as file:
        csv.writer(file).writerows([header, *lines])


def saves(folder: Path) -> None:
    (folder / "pinterest-20.train.rating").write_text(
        "".join(f"{u}\t{i}\t1\t3\n" for u in range(3) for i in range(4))
    )
    (folder / "pinterest-20.test.rating").write_text("0\t4\t1\t3\n")


def libraries(folder: Path) -> None:
    (folder / "users.dat").write_text("2 0 1\n2 0 1\n")
    (folder / "item-tag.dat").write_text("2 0 1\n1 0\n")
    (folder / "tags.dat").write_text("network\nreview\n")


def fashion(folder: Path) -> None:
    rows = [f"{n},Men,Apparel,Topwear,Shirts,Navy,Fall,2011,Casual,Check shirt {n}" for n in range(3)]
    header = (
        "id,gender,masterCategory,subCategory,articleType,baseColour,season,year,usage,productDisplayName"
    )
    (folder / "styles.csv").write_text("\n".join([header, *rows]) + "\n")
    (folder / "images").mkdir()
    for n, data in enumerate(PICTURES):
        (folder / "images" / f"{n}.jpg").write_bytes(data)


def rooms(folder: Path) -> None:
    tables(
        folder,
        products={
            "item_id": ["1.2", "3.4"],
            "name": ["KURA", "MLA"],
            "type": ["Bed", "Easel"],
            "image": ["x", "y"],
        },
        rooms={"room_image": [ROOM], "room_type": ["Bedroom"], "has_image": [True]},
        item_in_room={"item_id": ["1.2"], "room_image": [ROOM]},
        product_images__000={"image": ["1.2", "3.4"], "jpeg": PICTURES[:2]},
        room_images__000={"image": [ROOM], "jpeg": PICTURES[2:]},
    )


def photos(folder: Path) -> None:
    captions = [
        f"{name}.jpg,A {thing} .\n" for name, thing in (("a", "red disc"), ("b", "blue box"), ("c", "leaf"))
    ]
    (folder / "captions.txt").write_text("image,caption\n" + "".join(captions))
    (folder / "Images").mkdir()
    for name, data in zip("abc", PICTURES, strict=True):
        (folder / "Images" / f"{name}.jpg").write_bytes(data)


def clothes(folder: Path) -> None:
    for name, data in zip(("test/dress/1", "train/hat/2", "train/hat/3"), PICTURES, strict=True):
        path = folder / f"{name}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def conserved(report: ImportReport) -> bool:
    """Rows in = rows stored + rows rejected, and every rejected row has its reason and its line in the report."""
    for kind, rows in report.rows.items():
        assert rows == report.stored[kind] + report.rejected[kind]
        assert sum(report.reasons.get(kind, {}).values()) == report.rejected[kind]
    refused = sum(report.rejected.values())
    if report.report is None:
        return refused == 0
    with report.report.open(newline="", encoding="utf-8") as file:
        return refused == len(list(csv.DictReader(file)))


def filled(root: Path, dataset: str, folder: Path, cache: Path) -> tuple[Workspace, ImportReport]:
    Workspace.create(root)
    shared_cache(root, cache)
    workspace = Workspace.open(root, LITE)
    report = workspace.import_dataset(dataset, folder)
    assert conserved(report)
    workspace.build()
    return workspace, report


def shared_cache(root: Path, cache: Path) -> None:
    """Encoders are written to the cache once for all tests of this file."""
    (root / "cache").rmdir()
    (root / "cache").symlink_to(cache)


def asked(workspace: Workspace, **question: object) -> dict[str, Slate]:
    """Every item surface's answer to what it understands; none may raise."""
    bench = workspace.workbench()
    user = bench.people.ids[0] if len(bench.people) else None
    item = bench.items.vocabulary.ids[0]
    given = {
        "homefeed": {"user": user},
        "related": {"item": item},
        "search": {"query": "white heart"},
        "shopping": {"item": item},
        "ads": {"user": user},
    }
    slates = {
        name: workspace.ask(name, n=5, **(given[name] | question.get(name, {}))) for name in ITEM_SURFACES
    }  # type: ignore[operator, arg-type]
    for slate in slates.values():
        for entry in slate.entries:
            assert entry.score == pytest.approx(sum(entry.terms.values()), abs=1e-5)
        assert slate.entries or slate.notes, f"{slate.surface} shows nothing and does not say why"
    return slates


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


BEHAVIOUR: dict[str, tuple[Callable[[Path], None], dict[str, int]]] = {
    "movielens": (films, {"items": 3, "users": 3, "events": 6}),
    "amazon2014": (beauty, {"items": 3, "events": 5}),
    "online_retail": (invoices, {"items": 2, "users": 3, "events": 4}),
    "pinterest20": (saves, {"items": 5, "events": 13}),
    "citeulike": (libraries, {"items": 2, "events": 4}),
}
PICTURED: dict[str, Callable[[Path], None]] = {
    "myntra": fashion,
    "ikea": rooms,
    "flickr8k": photos,
    "clothing": clothes,
}


@pytest.mark.parametrize("dataset", BEHAVIOUR)
def test_a_set_with_behaviour_answers_and_says_what_it_lacks(dataset, tmp_path, cache) -> None:
    sample, stored = BEHAVIOUR[dataset]
    (tmp_path / "raw").mkdir()
    sample(tmp_path / "raw")
    workspace, report = filled(tmp_path / "ws", dataset, tmp_path / "raw", cache)
    assert report.stored == stored
    slates = asked(workspace)
    assert slates["related"].entries
    assert any("advertisement" in note for note in slates["ads"].notes)
    priced = dataset == "online_retail"
    assert priced == bool(slates["shopping"].entries)
    assert priced or any("no item has a price" in note for note in slates["shopping"].notes)
    plan = workspace.plan_notifications(2)
    timed = dataset in ("movielens", "online_retail")
    assert timed == bool(plan.notifications)
    assert timed or any("events have an order but no times" in note for note in plan.notes)


def test_a_retailer_without_customers_and_postage_is_counted_by_reason(tmp_path, cache) -> None:
    (tmp_path / "raw").mkdir()
    invoices(tmp_path / "raw")
    _, report = filled(tmp_path / "ws", "online_retail", tmp_path / "raw", cache)
    assert report.rows["events"] == 6
    assert report.reasons["events"] == {
        "not a product: postage, fee or adjustment": 1,
        "user_id is missing": 1,
    }


@pytest.mark.parametrize("dataset", PICTURED)
def test_a_set_with_pictures_answers_by_words_and_by_picture(dataset, tmp_path, cache) -> None:
    (tmp_path / "raw").mkdir()
    PICTURED[dataset](tmp_path / "raw")
    workspace, report = filled(tmp_path / "ws", dataset, tmp_path / "raw", cache)
    assert (report.stored["items"], report.pictures) == (3, 3)
    by_picture = {
        "search": {"query": None, "image": PICTURES[0]},
        "shopping": {"item": None, "image": PICTURES[0]},
    }
    slates = asked(workspace, **by_picture)
    own = workspace.workbench().items.vocabulary.ids[0]
    assert slates["search"].entries[0].item_id == own  # the same picture comes first
    assert slates["shopping"].entries[0].item_id == own
    assert slates["related"].entries
    assert own not in slates["related"].item_ids
    assert all(
        any("no events were imported" in note for note in slates[name].notes) for name in ("homefeed", "ads")
    )
    assert workspace.plan_notifications(2).notes == ("growth cannot answer: no events were imported",)


def test_rooms_are_looked_at_but_not_sold(tmp_path, cache) -> None:
    (tmp_path / "raw").mkdir()
    rooms(tmp_path / "raw")
    workspace, _ = filled(tmp_path / "ws", "ikea", tmp_path / "raw", cache)
    assert ROOM not in workspace.ask("shopping", image=PICTURES[2]).item_ids
    assert workspace.ask("search", image=PICTURES[2]).item_ids[0] == ROOM


OWN_ITEMS = [
    {"item_id": "i1", "title": "red disc", "price": 2.5, "category": "toys/discs", "colour": "red"},
    {"item_id": "i2", "title": "blue box", "price": 4.0, "category": "toys/boxes", "colour": "blue"},
    {"item_id": "i3", "title": "green disc", "price": 3.0, "category": "toys/discs", "colour": "green"},
]
OWN_EVENTS = [
    {"user_id": user, "item_id": item, "action": "click", "at": f"2026-01-0{day}T10:00:00Z"}
    for user in ("u1", "u2")
    for day, item in enumerate(("i1", "i2", "i3"), start=1)
]


def as_csv(path: Path, rows: list[dict]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def as_jsonl(path: Path, rows: list[dict]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def as_parquet(path: Path, rows: list[dict]) -> Path:
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def test_the_same_rows_as_csv_jsonl_and_parquet_give_the_same_answers(tmp_path, cache) -> None:
    answers = {}
    for ending, write in (("csv", as_csv), ("jsonl", as_jsonl), ("parquet", as_parquet)):
        root = tmp_path / ending
        workspace = Workspace.create(root)
        shared_cache(root, cache)
        for kind, rows in (("items", OWN_ITEMS), ("events", OWN_EVENTS)):
            report = workspace.import_files(kind, [write(tmp_path / f"{kind}.{ending}", rows)])
            assert conserved(report)
            assert report.stored[kind] == len(rows)
        workspace.build()
        slates = asked(workspace, search={"query": "disc"})
        assert slates["shopping"].entries
        answers[ending] = {name: slate.item_ids for name, slate in slates.items()}
        assert workspace.workbench().items[0].attributes == {"colour": "red"}
    assert answers["csv"] == answers["jsonl"] == answers["parquet"]


def picture_folder(folder: Path) -> Path:
    (folder / "toys").mkdir(parents=True)
    for name, data in zip(("i1", "i2", "i3"), PICTURES, strict=True):
        (folder / "toys" / f"{name}.jpg").write_bytes(data)
    return folder


def jpeg_table(folder: Path) -> Path:
    folder.mkdir()
    rows = [{"item_id": f"i{n}", "jpeg": data} for n, data in enumerate(PICTURES, start=1)]
    return as_parquet(folder / "pictures.parquet", rows)


@pytest.mark.parametrize("form", ["a folder alone", "a parquet of bytes", "a csv beside a folder"])
def test_pictures_come_in_as_people_keep_them(form, tmp_path, cache) -> None:
    from bowerbird.workspace.importing import ImportOptions

    Workspace.create(tmp_path / "ws")
    shared_cache(tmp_path / "ws", cache)
    workspace = Workspace.open(tmp_path / "ws", LITE)
    if form == "a folder alone":
        report = workspace.import_files("items", [picture_folder(tmp_path / "photos")])
    elif form == "a parquet of bytes":
        report = workspace.import_files("items", [jpeg_table(tmp_path / "photos")])
    else:
        folder = picture_folder(tmp_path / "photos") / "toys"
        rows = [one | {"image": f"{one['item_id']}.jpg"} for one in OWN_ITEMS]
        file = as_csv(tmp_path / "items.csv", rows)
        report = workspace.import_files("items", [file], ImportOptions(images=folder))
    assert conserved(report)
    assert (report.stored["items"], report.pictures, report.without_picture) == (3, 3, {})
    workspace.build()
    assert workspace.ask("search", image=PICTURES[1]).item_ids[0] == "i2"


def test_events_without_a_table_of_items_make_the_catalogue(tmp_path) -> None:
    workspace = Workspace.create(tmp_path / "ws")
    first = as_csv(tmp_path / "events.csv", OWN_EVENTS[:4])
    second = as_csv(tmp_path / "more.csv", [OWN_EVENTS[4] | {"item_id": "i9"}])
    assert workspace.import_files("events", [first]).created == 3
    assert workspace.import_files("events", [second]).created == 1  # still nobody said what the items are
    workspace.import_files("items", [as_csv(tmp_path / "items.csv", OWN_ITEMS)])
    third = as_csv(tmp_path / "unknown.csv", [OWN_EVENTS[5] | {"item_id": "i10"}])
    assert workspace.import_files("events", [third]).reasons == {"events": {"item_id is not known": 1}}


# --- a few rows of the real files ---------------------------------------------------------------------

EVENTS_OF = {
    "movielens": ("ml_100k", "interactions"),
    "amazon2014": ("amazon2014_seq", "beauty_sequences"),
    "online_retail": ("online_retail", "transactions"),
    "pinterest20": ("pinterest20", "interactions"),
    "citeulike": ("citeulike_a", "interactions"),
}
"""Importer to its folder and the table of events in it."""
ROWS = 120


def sampled_events(source: Path, to: Path, events: str) -> None:
    rows = pq.read_table(source / f"{events}.parquet").slice(0, ROWS)
    pq.write_table(rows, to / f"{events}.parquet")
    for path in source.glob("*.parquet"):
        table = pq.read_table(path)
        if path.stem == events:
            continue
        for name in ("item_id", "user_id"):
            if name in table.column_names and name in rows.column_names:
                table = table.filter(pc.is_in(table.column(name), value_set=pc.unique(rows.column(name))))
        pq.write_table(table, to / path.name)


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize("dataset", EVENTS_OF)
def test_rows_of_the_real_files_of_behaviour_go_through(dataset, shared_data, tmp_path, cache) -> None:
    folder, events = EVENTS_OF[dataset]
    (tmp_path / "raw").mkdir()
    sampled_events(shared_data / folder, tmp_path / "raw", events)
    workspace, report = filled(tmp_path / "ws", dataset, tmp_path / "raw", cache)
    assert report.rows["events"] == ROWS
    assert asked(workspace)["homefeed"].entries


PICTURES_OF = {
    "myntra": ("myntra_fashion", "styles", "id", "images-000"),
    "flickr8k": ("flickr8k_224", "captions", "image", "images-000"),
    "clothing": ("clothing_small", "labels", "image", "images-000"),
    "ikea": ("ikea_rooms", "products", "item_id", "product_images-000"),
}


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize("dataset", PICTURES_OF)
def test_rows_of_the_real_files_of_pictures_go_through(dataset, shared_data, tmp_path, cache) -> None:
    folder, names, key, shard = PICTURES_OF[dataset]
    source, to = shared_data / folder, tmp_path / "raw"
    to.mkdir()
    images = pq.read_table(source / f"{shard}.parquet").slice(0, 6)
    keys = [name.removesuffix(".jpg") if key == "id" else name for name in images.column("image").to_pylist()]
    table = pq.read_table(source / f"{names}.parquet")
    pq.write_table(images, to / f"{shard}.parquet")
    pq.write_table(
        table.filter(pc.is_in(table.column(key), value_set=pa.array(keys))), to / f"{names}.parquet"
    )
    for other in ("rooms", "item_in_room"):
        if (source / f"{other}.parquet").exists():
            pq.write_table(pq.read_table(source / f"{other}.parquet").slice(0, 3), to / f"{other}.parquet")
    workspace, report = filled(tmp_path / "ws", dataset, to, cache)
    assert report.pictures == 6
    photo = images.column("jpeg")[2].as_py()
    own = {one.item_id for one in load_importer(dataset).pictures(to) if one.data == photo}
    assert workspace.ask("search", image=photo).item_ids[0] in own
    assert asked(workspace)["related"].entries
