"""IKEA interiors: products, photographed rooms, and which product stands in which room.

Read as ``products.parquet``, ``rooms.parquet``, ``item_in_room.parquet`` and picture shards, or as the folders
``images/objects`` and ``images/room_scenes`` of the published repository (its ``text_data`` is pickled and is
never read: a pickle can run code). Rooms are items too, of the category ``room``; products are of the category
``product/<type>``. Pairs stay as attributes: ``products`` of a room, ``rooms`` of a product.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import final

import pyarrow as pa
import pyarrow.compute as pc

from bowerbird.datasets.columns import flags, mask, texts
from bowerbird.datasets.images import ImageFolder, shard_pictures
from bowerbird.datasets.import_batch import Picture, SourceTable
from bowerbird.datasets.published import (
    Published,
    category_path,
    grouped_json,
    joined,
    looked_up,
    shaped,
    source,
    whole,
)

_OBJECTS, _SCENES = "images/objects/", "images/room_scenes/"


@final
@dataclass(frozen=True)
class Ikea:
    """Importer of IKEA products and rooms."""

    name: str = "ikea"
    summary: str = "products and rooms with photos, and which product is in which room"
    licence: str = "images are property of IKEA; non-commercial use only (Tautkute et al., 2017)"

    def batches(self, path: Path) -> Iterator[SourceTable]:
        """Products, then rooms.

        Raises:
            NotFoundError: no form of the set is there.
        """
        files = Published(path, self.name)
        products = files.first("products.parquet")
        if products is None:
            if not (path / _OBJECTS).is_dir():
                raise files.nothing("products.parquet", _OBJECTS)
            yield from _folder_items(path)
            return
        pairs = joined(whole(files.need("item_in_room.parquet")))
        yield source("items", _products(joined(whole(products)), pairs), products)
        rooms = files.need("rooms.parquet")
        yield source("items", _rooms(joined(whole(rooms)), pairs), rooms)

    def pictures(self, path: Path) -> Iterator[Picture]:
        """Photos of products, then of rooms."""
        files = Published(path, self.name)
        shards = files.all("product_images-*.parquet")
        if shards:
            yield from shard_pictures(shards, str)
            yield from shard_pictures(files.all("room_images-*.parquet"), str)
            return
        folder = ImageFolder(path)
        for name in _picture_names(folder):
            yield folder.read(_id_of(name), name)


def importer() -> Ikea:
    """The plugin's factory."""
    return Ikea()


def _products(table: pa.Table, pairs: pa.Table) -> pa.Table:
    kind = texts(table.column("type"))
    root = pa.array(["product"] * table.num_rows, pa.string())
    title = pc.binary_join_element_wise(texts(table.column("name")), kind, " ", null_handling="skip")
    rooms = grouped_json(pairs, "item_id", "room_image")
    added = {
        "title": title,
        "category": category_path(root, kind),
        "brand": "IKEA",
        "rooms": looked_up(table.column("item_id"), rooms),
    }
    return shaped(table, {}, added)


def _rooms(table: pa.Table, pairs: pa.Table) -> pa.Table:
    name = texts(table.column("room_image"))
    there = mask(flags(table.column("has_image"))[0])
    root = pa.array(["room"] * table.num_rows, pa.string())
    products = grouped_json(pairs, "room_image", "item_id")
    added = {
        "image": pc.if_else(pa.array(there), name, pa.scalar(None, pa.string())),
        "title": _title(name),
        "category": category_path(root, texts(table.column("room_type"))),
        "products": looked_up(name, products),
        "for_sale": "no",
    }
    return shaped(table, {"room_image": "item_id"}, added)


def _title(name: pa.Array) -> pa.Array:
    """``ikea-a-bed-that-folds__1364.jpg`` as ``a bed that folds``: the photo's name is its only text."""
    slug = pc.replace_substring_regex(name, r"^.*/(ikea-)?|__?\d.*$|\.\w+$|-\d+(-s\d)?(\.\w+)?$", "")
    words = pc.replace_substring_regex(slug, r"[-_]+", " ")
    worded = pc.match_substring_regex(words, "[a-z]")  # some are only a number
    return pc.if_else(worded, words, pa.scalar(None, pa.string()))


def _picture_names(folder: ImageFolder) -> list[str]:
    return [name for name in folder.files() if name.startswith((_OBJECTS, _SCENES))]


def _id_of(name: str) -> str:
    return Path(name).stem if name.startswith(_OBJECTS) else name


def _folder_items(path: Path) -> Iterator[SourceTable]:
    names = _picture_names(ImageFolder(path))
    for label, start in (("product", _OBJECTS), ("room", _SCENES)):
        found = [name for name in names if name.startswith(start)]
        inner = [Path(name.removeprefix(start)).parent.as_posix() for name in found]
        table = pa.table(
            {
                "item_id": pa.array([_id_of(name) for name in found], pa.string()),
                "image": pa.array(found, pa.string()),
                "category": pa.array(
                    [label if part == "." else f"{label}/{part}" for part in inner], pa.string()
                ),
            }
        )
        if label == "room":
            table = shaped(table, {}, {"title": _title(texts(table.column("image"))), "for_sale": "no"})
        yield SourceTable("items", table, start.rstrip("/"))
