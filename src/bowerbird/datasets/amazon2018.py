"""Amazon reviews 2018 with product text (Office Products and others), for items nobody has bought yet.

Read as windows (``*_windows.parquet``: up to ten earlier items and the one that followed) with
``*_items.parquet``, or as published: ``Office_Products_5.json.gz`` with ``meta_Office_Products.json.gz``.
Windows of a user overlap; they are put together again into one sequence, each purchase once, with the
attribute ``split`` of the window it was the target of (``history`` where it was none).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import final

import pyarrow as pa

from bowerbird.datasets.amazon_reviews import product_table, readable, review_tables, reviewed_products
from bowerbird.datasets.columns import texts
from bowerbird.datasets.import_batch import Picture, SourceTable
from bowerbird.datasets.published import Published, joined, shaped, source, whole

_FORMS = ("*_windows.parquet", "*_5.json", "*_5.json.gz")


@final
@dataclass(frozen=True)
class Amazon2018:
    """Importer of Amazon 2018 categories; a folder holds one category."""

    name: str = "amazon2018"
    summary: str = "review windows of one Amazon category with titles, descriptions, brands"
    licence: str = "McAuley, UCSD: research use"

    def batches(self, path: Path) -> Iterator[SourceTable]:
        """Products, then reviews.

        Raises:
            NotFoundError: no form of the set is there.
        """
        files = Published(path, self.name)
        events = files.need(*_FORMS)
        if events.suffix == ".parquet":
            products = files.need(events.name.replace("_windows", "_items"))
            for table in whole(products):
                yield source("items", readable(shaped(table, {"categories": "category"})), products)
            yield source("events", unrolled(joined(whole(events))), events)
            return
        metadata = files.first("meta_*.json", "meta_*.json.gz")
        if metadata is None:
            yield source("items", reviewed_products(events), events)
        else:
            yield source("items", product_table(metadata), metadata)
        for table in review_tables(events):
            yield source("events", table, events)

    def pictures(self, path: Path) -> Iterator[Picture]:
        """None: products name URLs, which are kept and never fetched."""
        return Published(path, self.name).no_pictures()


def importer() -> Amazon2018:
    """The plugin's factory."""
    return Amazon2018()


def unrolled(windows: pa.Table) -> pa.Table:
    """One row per purchase of overlapping windows, in each user's order.

    A window's history is joined where it overlaps what is known of the user already.

    Example:
        >>> windows = pa.table({"user_id": ["u", "u"], "history": [[1], [1, 2]], "target": [2, 3],
        ...                     "split": ["valid", "test"]})
        >>> table = unrolled(windows)
        >>> table.column("item_id").to_pylist(), table.column("split").to_pylist()
        (['1', '2', '3'], ['history', 'valid', 'test'])
    """
    found: dict[str, list[tuple[str, str]]] = {}
    histories = windows.column("history").to_pylist()
    names = (texts(windows.column(name)).to_pylist() for name in ("user_id", "target", "split"))
    for user, target, split, history in zip(*names, histories, strict=True):
        known = found.setdefault(user, [])
        earlier = [str(item) for item in history]
        overlap = _overlap([item for item, _ in known], earlier)
        known.extend((item, "history") for item in earlier[overlap:])
        known.append((target, split))
    rows = [
        (user, position, item, split)
        for user, items in found.items()
        for position, (item, split) in enumerate(items)
    ]
    users, positions, items, splits = zip(*rows, strict=True) if rows else ((), (), (), ())
    return pa.table(
        {
            "user_id": pa.array(users, pa.string()),
            "pos": pa.array(positions, pa.int64()),
            "item_id": pa.array(items, pa.string()),
            "action": pa.array(["rate"] * len(rows), pa.string()),
            "split": pa.array(splits, pa.string()),
        }
    )


def _overlap(known: list[str], history: list[str]) -> int:
    """How many first items of a history are the last ones known."""
    longest = min(len(known), len(history))
    return next((size for size in range(longest, 0, -1) if known[-size:] == history[:size]), 0)
