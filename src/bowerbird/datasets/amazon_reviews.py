"""The forms Amazon review data is published in: review lines, product metadata, P5 sequences."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

from bowerbird.datasets.delimited import ROWS, open_bytes
from bowerbird.datasets.published import looked_up, shaped, whole
from bowerbird.datasets.tables import as_text, column_of
from bowerbird.errors import InputError

_REVIEW = {"reviewerID": "user_id", "asin": "item_id", "overall": "value", "unixReviewTime": "at_s"}


def review_tables(path: Path) -> Iterator[pa.Table]:
    """Reviews (JSON lines) as ratings with times; their text stays as attributes."""
    for table in whole(path):
        yield shaped(table, _REVIEW, {"action": "rate"})


def product_table(path: Path) -> pa.Table:
    """Product metadata: JSON lines (2018) or Python literals, one a line (2014).

    Raises:
        InputError: a line is neither.
    """
    records: list[dict[str, Any]] = []
    with open_bytes(path) as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                records.append(_product(path, number, line))
    names = list(dict.fromkeys(name for record in records for name in record))
    table = pa.table([column_of([record.get(name) for record in records]) for name in names], names=names)
    return readable(shaped(table, {"asin": "item_id", "imUrl": "image"}))


def readable(products: pa.Table) -> pa.Table:
    """Titles, descriptions and brands as people read them: the published files write HTML, ``Cr&egrave;me``.

    Example:
        >>> readable(pa.table({"item_id": ["1"], "title": ["Cr&egrave;me &amp; more"]})).column("title").to_pylist()
        ['Crème & more']
    """
    for name in ("title", "description", "brand"):
        place = products.schema.get_field_index(name)
        if place >= 0 and pa.types.is_string(products.schema.field(place).type):
            said = [None if one is None else unescape(one) for one in products.column(place).to_pylist()]
            products = products.set_column(place, name, pa.array(said, pa.string()))
    return products


def reviewed_products(reviews: Path) -> pa.Table:
    """The ids that reviews name, for a set without metadata."""
    found: dict[str, None] = {}
    for table in whole(reviews):
        found |= dict.fromkeys(name for name in table.column("asin").to_pylist() if name is not None)
    return pa.table({"item_id": pa.array(list(found), pa.string())})


def sequence_tables(path: Path) -> Iterator[pa.Table]:
    """``sequential.txt`` of P5 and S3-Rec: a line is a user and the items in the order of time."""
    users: list[str] = []
    positions: list[int] = []
    items: list[str] = []
    with open_bytes(path) as file:
        for number, line in enumerate(file, start=1):
            cells = line.decode("utf-8").split()
            if not cells:
                continue
            if len(cells) == 1:
                raise InputError(
                    f"{path.name} line {number}: found a user without items; expected user item item ..."
                )
            user, *bought = cells
            users.extend([user] * len(bought))
            positions.extend(range(len(bought)))
            items.extend(bought)
            if len(items) >= ROWS:
                yield _sequence_table(users, positions, items)
                users, positions, items = [], [], []
    yield _sequence_table(users, positions, items)


def with_asin(items: pa.Table, folder: Path) -> pa.Table:
    """Items with the ``asin`` attribute of P5's ``datamaps.json``, where that file is."""
    path = folder / "datamaps.json"
    if not path.is_file():
        return items
    maps = orjson.loads(path.read_bytes())
    names = maps.get("id2item") or {str(row): asin for asin, row in maps.get("item2id", {}).items()}
    return shaped(items, {}, {"asin": looked_up(items.column("item_id"), names)})


def _sequence_table(users: list[str], positions: list[int], items: list[str]) -> pa.Table:
    return pa.table(
        {
            "user_id": pa.array(users, pa.string()),
            "pos": pa.array(positions, pa.int64()),
            "item_id": pa.array(items, pa.string()),
            "action": pa.array(["rate"] * len(users), pa.string()),
        }
    )


def _product(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        try:
            record = ast.literal_eval(
                line.decode("utf-8").strip()
            )  # the 2014 form; literals only, runs nothing
        except (ValueError, SyntaxError, UnicodeDecodeError, MemoryError, RecursionError) as error:
            raise InputError(
                f"{path.name} line {number}: neither JSON nor a Python literal ({error})"
            ) from error
    if not isinstance(record, dict):
        raise InputError(
            f"{path.name} line {number}: found a {type(record).__name__}, expected one product a line"
        )
    kept = {name: value for name, value in record.items() if name not in ("price", "description", "category")}
    price = _price(record.get("price"))
    return kept | {
        "price": price,
        "price_text": None if price else as_text(record.get("price")),
        "description": _joined(record.get("description")),
        "category": _category(record),
    }


def _price(value: Any) -> str | None:
    """``$1,299.00`` (2018) or 12.99 (2014); ranges and style sheets that stand there are none."""
    text = str(value).strip().removeprefix("$").replace(",", "") if value is not None else ""
    return text if text.replace(".", "", 1).isdigit() else None


def _joined(value: Any) -> str | None:
    return " ".join(str(part) for part in value) if isinstance(value, list) else as_text(value)


def _category(record: dict[str, Any]) -> str | None:
    """The first path of ``categories`` (2014) or ``category`` (2018)."""
    levels = record.get("category") or record.get("categories") or []
    if isinstance(levels, str):
        return levels
    if levels and isinstance(levels[0], list):
        levels = levels[0]
    return "/".join(str(level).replace("/", "-") for level in levels) or None
