"""Tate collection: artworks with titles, artists, media and hierarchical subjects; no pictures, no behaviour.

Read as ``artworks.parquet`` or as ``artwork_data.csv`` of the published repository. A work has as many categories as
subjects: the first one's path stands in ``category``, all of them in the attribute ``categories``, which interests are
read from. Pictures are URLs, which are kept and never fetched.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import final

import pyarrow as pa

from bowerbird.datasets.import_batch import Picture, SourceTable
from bowerbird.datasets.published import Published, lenient_csv, shaped, source, whole
from bowerbird.records.item import CATEGORIES

_NAMES = {
    "id": "item_id",
    "accession_number": "acno",
    "artist": "creator_id",
    "dateText": "date_text",
    "thumbnailUrl": "image",
    "thumbnail_url": "image",
    "subjects": CATEGORIES,
}


@final
@dataclass(frozen=True)
class Tate:
    """Importer of the Tate collection's metadata."""

    name: str = "tate"
    summary: str = "artworks with hierarchical subjects"
    licence: str = "CC0 metadata, Tate"

    def batches(self, path: Path) -> Iterator[SourceTable]:
        """The artworks.

        Raises:
            NotFoundError: no form of the set is there.
        """
        file = Published(path, self.name).need("artworks.parquet", "artwork_data.csv")
        for table in lenient_csv(file) if file.suffix == ".csv" else whole(file):
            added: dict[str, pa.Array] = {}
            if "subjects" in table.column_names:
                firsts = [paths[0] if paths else None for paths in table.column("subjects").to_pylist()]
                added["category"] = pa.array(firsts, pa.string())
            yield source("items", shaped(table, _NAMES, added), file)

    def pictures(self, path: Path) -> Iterator[Picture]:
        """None: thumbnails are URLs."""
        return Published(path, self.name).no_pictures()


def importer() -> Tate:
    """The plugin's factory."""
    return Tate()
