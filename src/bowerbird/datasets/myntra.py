"""Myntra fashion products: a photo, a title, a category of three levels and colour, season, use.

Read as ``styles.parquet`` with ``images-*.parquet``, or as Kaggle publishes it: ``styles.csv`` (titles there hold
unquoted commas, which are put together again) with the folder ``images/``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import final

import pyarrow as pa
import pyarrow.compute as pc

from bowerbird.datasets.columns import flags, mask, texts
from bowerbird.datasets.images import ImageFolder, folder_pictures, shard_pictures
from bowerbird.datasets.import_batch import Picture, SourceTable
from bowerbird.datasets.published import Published, category_path, lenient_csv, shaped, source, whole

_LEVELS = ("masterCategory", "subCategory", "articleType")


@final
@dataclass(frozen=True)
class Myntra:
    """Importer of Myntra fashion products."""

    name: str = "myntra"
    summary: str = "fashion product photos with titles and eight attributes"
    licence: str = "MIT as listed by Kaggle paramaggarwal; the photos are Myntra's"

    def batches(self, path: Path) -> Iterator[SourceTable]:
        """The products.

        Raises:
            NotFoundError: no form of the set is there.
        """
        file = Published(path, self.name).need("styles.parquet", "styles.csv")
        for table in lenient_csv(file, join_rest=True) if file.suffix == ".csv" else whole(file):
            yield source("items", _products(table), file)

    def pictures(self, path: Path) -> Iterator[Picture]:
        """Photos, named after the products, of the shards or of the folder ``images``."""
        files = Published(path, self.name)
        shards = files.all("images-*.parquet")
        if shards:
            return shard_pictures(shards)
        return folder_pictures(ImageFolder(path / "images"))


def importer() -> Myntra:
    """The plugin's factory."""
    return Myntra()


def _products(table: pa.Table) -> pa.Table:
    ids = texts(table.column("id"))
    image = pc.binary_join_element_wise(ids, ".jpg", "")
    if "has_image" in table.column_names:
        there = mask(flags(table.column("has_image"))[0])
        image = pc.if_else(pa.array(there), image, pa.scalar(None, pa.string()))
    added = {"image": image, "category": category_path(*(table.column(name) for name in _LEVELS))}
    return shaped(table, {"id": "item_id", "productDisplayName": "title"}, added)
