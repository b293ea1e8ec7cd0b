"""Flickr8k: photos, each described by five people.

Read as ``captions.parquet`` with ``images-*.parquet``, as Kaggle publishes it (``captions.txt`` with ``Images/``)
or as UIUC did (``Flickr8k.token.txt``). A photo is an item under its file name; the first caption is its title,
all of them its description.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import final

import pyarrow as pa
import pyarrow.compute as pc

from bowerbird.datasets.columns import texts
from bowerbird.datasets.delimited import separated
from bowerbird.datasets.images import ImageFolder, folder_pictures, shard_pictures
from bowerbird.datasets.import_batch import Picture, SourceTable
from bowerbird.datasets.published import Published, joined, lenient_csv, source, whole


@final
@dataclass(frozen=True)
class Flickr8k:
    """Importer of Flickr8k."""

    name: str = "flickr8k"
    summary: str = "photos with five human captions each"
    licence: str = (
        "non-commercial research and education only (Hodosh et al., 2013); photos belong to their authors"
    )

    def batches(self, path: Path) -> Iterator[SourceTable]:
        """The photos, one item each.

        Raises:
            NotFoundError: no form of the set is there.
        """
        file = Published(path, self.name).need("captions.parquet", "captions.txt", "Flickr8k.token.txt")
        yield source("items", _photos(_captions(file)), file)

    def pictures(self, path: Path) -> Iterator[Picture]:
        """The photos, of the shards or of the folder they are published in."""
        files = Published(path, self.name)
        shards = files.all("images-*.parquet")
        if shards:
            return shard_pictures(shards, str)
        folder = files.need("Images", "images", "Flicker8k_Dataset")
        return folder_pictures(ImageFolder(folder), whole_name=True)


def importer() -> Flickr8k:
    """The plugin's factory."""
    return Flickr8k()


def _captions(file: Path) -> pa.Table:
    if file.suffix == ".parquet":
        return joined(whole(file))
    if file.name == "captions.txt":
        return joined(lenient_csv(file, join_rest=True))
    table = joined(separated(file, ("image", "caption"), "\t"))  # image.jpg#0
    names = pc.replace_substring_regex(table.column("image"), r"#\d+$", "")
    return table.set_column(0, "image", names)


def _photos(captions: pa.Table) -> pa.Table:
    found: dict[str, list[str]] = {}
    splits: dict[str, str | None] = {}
    names = texts(captions.column("image")).to_pylist()
    given = captions.column("split").to_pylist() if "split" in captions.column_names else [None] * len(names)
    for name, caption, split in zip(names, texts(captions.column("caption")).to_pylist(), given, strict=True):
        if name is None:
            continue
        found.setdefault(name, []).extend([caption] if caption else [])
        splits[name] = split
    return pa.table(
        {
            "item_id": pa.array(list(found), pa.string()),
            "image": pa.array(list(found), pa.string()),
            "title": pa.array([words[0] if words else None for words in found.values()], pa.string()),
            "description": pa.array(["\n".join(words) for words in found.values()], pa.string()),
            "split": pa.array(list(splits.values()), pa.string()),
        }
    )
