"""CiteULike-a: people's libraries of saved articles, with tags and citations; no time.

Read as ``interactions.parquet`` with ``items.parquet`` and ``citations.parquet``, or as published:
``users.dat``, ``item-tag.dat``, ``tags.dat``, ``citations.dat`` and, where it is there, ``raw-data.csv``.
A saved article is the action ``save`` into the collection of that library. Tags are the item's words;
tags and the articles it cites stay as attributes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

import pyarrow as pa
import pyarrow.compute as pc

from bowerbird.datasets.columns import texts
from bowerbird.datasets.import_batch import Picture, SourceTable
from bowerbird.datasets.published import (
    Published,
    grouped_json,
    joined,
    lenient_csv,
    looked_up,
    shaped,
    source,
    whole,
)
from bowerbird.datasets.tables import as_text
from bowerbird.errors import InputError


@final
@dataclass(frozen=True)
class CiteULike:
    """Importer of CiteULike-a."""

    name: str = "citeulike"
    summary: str = "libraries of articles (as boards), tags, citations"
    licence: str = "none stated; published for research (Wang, Chen and Li, 2013)"

    def batches(self, path: Path) -> Iterator[SourceTable]:
        """Articles, then the libraries.

        Raises:
            NotFoundError: no form of the set is there.
        """
        files = Published(path, self.name)
        saves = files.need("interactions.parquet", "users.dat")
        yield _items(files)
        tables = whole(saves) if saves.suffix == ".parquet" else iter([_pairs(saves, "user_id", "item_id")])
        for table in tables:
            library = pc.binary_join_element_wise("library", texts(table.column("user_id")), "-")
            yield source("events", shaped(table, {}, {"action": "save", "collection_id": library}), saves)

    def pictures(self, path: Path) -> Iterator[Picture]:
        """None: the set holds no pictures."""
        return Published(path, self.name).no_pictures()


def importer() -> CiteULike:
    """The plugin's factory."""
    return CiteULike()


def _items(files: Published) -> SourceTable:
    tidy = files.first("items.parquet")
    added: dict[str, pa.Array] = {}
    if tidy is not None:
        table, file = joined(whole(tidy)), tidy
        tags = table.column("tags").to_pylist()
    else:
        file = files.need("item-tag.dat")
        words = _lines(files.need("tags.dat"))
        tags = [_named(file, words, row) for row in _counted(file)]
        table = pa.table({"item_id": [str(row) for row in range(len(tags))]})
        texts_file = files.first("raw-data.csv")
        if texts_file is not None:
            raw = joined(lenient_csv(texts_file))
            ids = [
                str(int(number) - 1) for number in raw.column("doc.id").to_pylist()
            ]  # counted from 1 there
            for name, column in (("title", "raw.title"), ("abstract", "raw.abstract")):
                found = dict(zip(ids, raw.column(column).to_pylist(), strict=True))
                added[name] = looked_up(table.column("item_id"), found)
    cited = files.first("citations.parquet", "citations.dat")
    if cited is not None:
        pairs = (
            joined(whole(cited)) if cited.suffix == ".parquet" else _pairs(cited, "item_id", "cites_item_id")
        )
        added["cites"] = looked_up(table.column("item_id"), grouped_json(pairs, "item_id", "cites_item_id"))
    added["tags"] = pa.array([as_text(row) if row else None for row in tags], pa.string())
    added["description"] = added.pop("abstract", None) or pa.array(
        [", ".join(row or ()) for row in tags], pa.string()
    )
    return source("items", shaped(table, {}, added), file)


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def _counted(path: Path) -> list[list[str]]:
    """Lines of a count and as many ids; the line's number is what they belong to."""
    found = []
    for number, line in enumerate(_lines(path), start=1):
        count, *ids = line.split() or ["0"]
        if not count.isdigit() or int(count) != len(ids):
            raise InputError(
                f"{path.name} line {number}: says {count} ids and has {len(ids)}; fetch the file again"
            )
        found.append(ids)
    return found


def _named(path: Path, words: Sequence[str], ids: list[str]) -> list[str]:
    try:
        return [words[int(tag)] for tag in ids]
    except (IndexError, ValueError) as error:
        raise InputError(f"{path.name}: a tag of {ids[:5]} is not a line of tags.dat ({error})") from error


def _pairs(path: Path, owner: str, owned: str) -> pa.Table:
    rows = [(str(row), name) for row, ids in enumerate(_counted(path)) for name in ids]
    columns = list(zip(*rows, strict=True)) if rows else [(), ()]
    return pa.table([pa.array(column, pa.string()) for column in columns], names=[owner, owned])
