"""Amazon reviews 2014, 5-core (Beauty, Sports, Toys): what people reviewed in what order.

Read as the ordered sequences of P5 / S3-Rec (``*_sequences.parquet`` with ``*_items.parquet``, or
``sequential.txt`` with ``datamaps.json``) or as the reviews themselves (``reviews_*_5.json.gz`` with
``meta_*.json.gz``). A review is the action ``rate``; sequences have an order and no time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import final

from bowerbird.datasets.amazon_reviews import (
    product_table,
    readable,
    review_tables,
    reviewed_products,
    sequence_tables,
    with_asin,
)
from bowerbird.datasets.import_batch import Picture, SourceTable
from bowerbird.datasets.published import Published, distinct, joined, shaped, source, whole

_FORMS = ("*_sequences.parquet", "sequential*.txt", "reviews_*.json", "reviews_*.json.gz")


@final
@dataclass(frozen=True)
class Amazon2014:
    """Importer of Amazon 2014 categories; a folder holds one category."""

    name: str = "amazon2014"
    summary: str = "review sequences of one Amazon category with titles"
    licence: str = "McAuley, UCSD: research use; no redistribution"

    def batches(self, path: Path) -> Iterator[SourceTable]:
        """Products, then reviews.

        Raises:
            NotFoundError: no form of the set is there.
        """
        files = Published(path, self.name)
        events = files.need(*_FORMS)
        if events.suffix == ".parquet":
            yield from _tidy_items(files, events)
            for table in whole(events):
                yield source("events", shaped(table, {}, {"action": "rate"}), events)
        elif events.suffix == ".txt":
            items = distinct(joined(sequence_tables(events)), "item_id", "item_id")
            yield source("items", with_asin(items, events.parent), events)
            for table in sequence_tables(events):
                yield source("events", table, events)
        else:
            products = files.first("meta_*.json", "meta_*.json.gz")
            if products is None:
                yield source("items", reviewed_products(events), events)
            else:
                yield source("items", product_table(products), products)
            for table in review_tables(events):
                yield source("events", table, events)

    def pictures(self, path: Path) -> Iterator[Picture]:
        """None: products name URLs, which are kept and never fetched."""
        return Published(path, self.name).no_pictures()


def importer() -> Amazon2014:
    """The plugin's factory."""
    return Amazon2014()


def _tidy_items(files: Published, events: Path) -> Iterator[SourceTable]:
    products = files.first(events.name.replace("_sequences", "_items"))
    if products is None:
        yield source("items", distinct(joined(whole(events)), "item_id", "item_id"), events)
        return
    for table in whole(products):
        yield source("items", readable(table), products)
