"""Items: what is shown. A picture, words and product facts under one id."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from bowerbird.records.tables import ATTRIBUTES, conformed
from bowerbird.records.vocabulary import Vocabulary

CATEGORIES = "categories"
"""Attribute with every category of an item that has several: a list of paths, or paths with ``|`` between them."""

ITEM_SCHEMA = pa.schema(
    [
        pa.field("item_id", pa.string(), nullable=False),
        pa.field("title", pa.string()),
        pa.field("description", pa.string()),
        pa.field("image", pa.string()),  # content hash in the media store
        pa.field("created_at", pa.int64()),  # microseconds UTC
        pa.field("creator_id", pa.string()),
        pa.field("category", pa.string()),  # a path: "a/b/c"
        pa.field("price", pa.float64()),
        pa.field("currency", pa.string()),
        pa.field("brand", pa.string()),
        pa.field("attributes", ATTRIBUTES),
        pa.field("url", pa.string()),
        pa.field("is_ad", pa.bool_()),
        pa.field("campaign_id", pa.string()),
    ]
)


@dataclass(frozen=True)
class Item:
    """One item. Everything but the id may be missing."""

    item_id: str
    title: str | None = None
    description: str | None = None
    image: str | None = None
    """Content hash of the picture in the media store."""
    created_at: int | None = None
    """Microseconds UTC."""
    creator_id: str | None = None
    category: str | None = None
    """A path from the root, e.g. ``home/kitchen/mugs``."""
    price: float | None = None
    currency: str | None = None
    brand: str | None = None
    attributes: dict[str, str] = field(default_factory=dict)
    url: str | None = None
    is_ad: bool = False
    campaign_id: str | None = None

    @property
    def words(self) -> str:
        """Title, description, brand and the category's words: what a text index reads."""
        path = (self.category or "").replace("/", " ").replace("-", " ").replace("_", " ")
        return " ".join(part for part in (self.title, self.description, self.brand, path) if part)


@dataclass(frozen=True)
class Items:
    """A catalogue version: item records as columns, in row order.

    Args:
        table: an Arrow table with the columns of :data:`ITEM_SCHEMA` (absent ones become null).

    Raises:
        InputError: a column is unknown or an item id is missing or repeated.
    """

    table: pa.Table

    def __post_init__(self) -> None:
        object.__setattr__(self, "table", conformed(self.table, ITEM_SCHEMA, "items"))

    def __len__(self) -> int:
        return len(self.table)

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """Item ids in row order."""
        return Vocabulary("item", tuple(self.table.column("item_id").to_pylist()))

    def __getitem__(self, row: int) -> Item:
        values = {name: self.table.column(name)[row].as_py() for name in ITEM_SCHEMA.names}
        values["attributes"] = dict(values["attributes"] or [])
        values["is_ad"] = bool(values["is_ad"])
        return Item(**values)

    def column(self, name: str) -> list[Any]:
        """One column as Python values, in row order."""
        return self.table.column(name).to_pylist()

    def category_paths(self) -> list[tuple[str, ...]]:
        """Every category of each item, in row order: ``category`` first, then those of the attribute ``categories``.

        Example:
            >>> more = [("categories", '["places/France", "society/work"]')]
            >>> row = {"item_id": "w1", "category": "places/France", "attributes": more}
            >>> Items(pa.Table.from_pylist([row], ITEM_SCHEMA)).category_paths()
            [('places/France', 'society/work')]
        """
        further = pc.map_lookup(self.table.column("attributes"), pa.scalar(CATEGORIES), "first").to_pylist()
        return [
            tuple(dict.fromkeys((*((first,) if first else ()), *(listed_paths(more) if more else ()))))
            for first, more in zip(self.column("category"), further, strict=True)
        ]


def listed_paths(text: str) -> tuple[str, ...]:
    """The paths of an attribute ``categories``: a JSON list, or paths with ``|`` between them.

    Example:
        >>> listed_paths('["home/kitchen", "gifts"]'), listed_paths("home/kitchen | gifts")
        (('home/kitchen', 'gifts'), ('home/kitchen', 'gifts'))
    """
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        found = text.split("|")
    parts = found if isinstance(found, list) else [text]
    return tuple(part.strip() for part in parts if isinstance(part, str) and part.strip())
