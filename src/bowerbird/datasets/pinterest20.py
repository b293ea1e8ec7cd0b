"""Pinterest-20: which pins people saved; ids only, no time.

Read as ``interactions.parquet`` or as NCF publishes it, ``pinterest-20.train.rating`` and ``.test.rating``.
Each row is the action ``save``; the split stays as an attribute. The file's order is the logical time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import final

import pyarrow as pa

from bowerbird.datasets.delimited import separated
from bowerbird.datasets.import_batch import Picture, SourceTable
from bowerbird.datasets.published import Published, distinct, joined, shaped, source, whole

_FORMS = ("interactions.parquet", "*.train.rating", "*.test.rating")


@final
@dataclass(frozen=True)
class Pinterest20:
    """Importer of Pinterest-20."""

    name: str = "pinterest20"
    summary: str = "saves of pins by people with at least 20"
    licence: str = "published for research (Geng et al., 2015; He et al., 2017); do not redistribute"

    def batches(self, path: Path) -> Iterator[SourceTable]:
        """The pins that occur, then the saves.

        Raises:
            NotFoundError: no form of the set is there.
        """
        files = Published(path, self.name)
        found = files.all(*_FORMS)
        if not found:
            raise files.nothing(*_FORMS)
        ids = joined(distinct(table, "item_id", "item_id") for file in found for table in _saves(file))
        yield source("items", distinct(ids, "item_id", "item_id"), found[0])
        for file in found:
            for table in _saves(file):
                yield source("events", table, file)

    def pictures(self, path: Path) -> Iterator[Picture]:
        """None: the set holds no pictures."""
        return Published(path, self.name).no_pictures()


def importer() -> Pinterest20:
    """The plugin's factory."""
    return Pinterest20()


def _saves(file: Path) -> Iterator[pa.Table]:
    if file.suffix == ".parquet":
        for table in whole(file):
            yield shaped(table, {}, {"action": "save"})
        return
    split = "train" if ".train." in file.name else "test"
    for table in separated(file, ("user_id", "item_id", "rating", "timestamp"), "\t"):
        yield shaped(table, {}, {"action": "save", "split": split})
