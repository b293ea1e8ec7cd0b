"""Clothing (small): photos people took of their clothes, in ten classes.

Read as ``labels.parquet`` with ``images-*.parquet``, or as the published folders ``train/dress/<name>.jpg``.
A photo is an item under its path; its class is its category.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import final

import pyarrow as pa

from bowerbird.datasets.images import ImageFolder, folder_pictures, shard_pictures
from bowerbird.datasets.import_batch import Picture, SourceTable
from bowerbird.datasets.published import Published, shaped, source, whole


@final
@dataclass(frozen=True)
class Clothing:
    """Importer of the small clothing dataset."""

    name: str = "clothing"
    summary: str = "consumer photos of clothes in ten classes"
    licence: str = "CC0 1.0, Alexey Grigorev"

    def batches(self, path: Path) -> Iterator[SourceTable]:
        """The photos, one item each.

        Raises:
            NotFoundError: no form of the set is there.
        """
        files = Published(path, self.name)
        labels = files.first("labels.parquet")
        if labels is not None:
            for table in whole(labels):
                shown = shaped(table, {"label": "category"}, {"item_id": table.column("image")})
                yield source("items", shown, labels)
            return
        names = [name for name in ImageFolder(path).files() if name.count("/") == 2] if path.is_dir() else []
        if not names:
            raise files.nothing("labels.parquet", "<split>/<class>/<photo>.jpg")
        splits, classes, _ = zip(*(name.split("/") for name in names), strict=True)
        yield SourceTable(
            "items",
            pa.table({"item_id": names, "image": names, "split": splits, "category": classes}),
            path.name,
        )

    def pictures(self, path: Path) -> Iterator[Picture]:
        """The photos, of the shards or of the folders."""
        shards = Published(path, self.name).all("images-*.parquet")
        if shards:
            return shard_pictures(shards, str)
        return folder_pictures(ImageFolder(path), whole_name=True)


def importer() -> Clothing:
    """The plugin's factory."""
    return Clothing()
