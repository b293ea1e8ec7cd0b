"""RetroTech (AI-Powered Search): electronics products and search sessions with ranks and clicks.

Read as ``products.parquet`` with ``sessions.parquet``, or as published: ``products.csv`` with ``sessions/*.gz``. Each
line of a session is an ``impression`` at a rank, and a ``click`` too where it was clicked. The sessions were
synthesised by the book's authors from real clicks: they are no real log. A session is its own user, and the
order of lines is the logical time. Product codes lose their leading zeros, which sessions do not have.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bowerbird.datasets.columns import flags, mask, texts
from bowerbird.datasets.import_batch import Picture, SourceTable
from bowerbird.datasets.published import Published, lenient_csv, shaped, source, whole

_ITEM_NAMES = {"name": "title", "manufacturer": "brand", "long_description": "description"}
_EVENT_NAMES = {"rank": "position"}


@final
@dataclass(frozen=True)
class RetroTech:
    """Importer of RetroTech."""

    name: str = "retrotech"
    summary: str = "electronics products; synthesised search sessions with ranks and clicks"
    licence: str = "none stated (catalogue of a Best Buy competition)"

    def batches(self, path: Path) -> Iterator[SourceTable]:
        """Products, then the sessions' impressions and clicks.

        Raises:
            NotFoundError: no form of the set is there.
        """
        files = Published(path, self.name)
        products = files.need("products.parquet", "products.csv")
        for table in lenient_csv(products) if products.suffix == ".csv" else whole(products):
            yield source(
                "items",
                shaped(table, _ITEM_NAMES, {"item_id": _code(table, "upc")}),
                products,
            )
        row = 0
        for file in files.all("sessions.parquet", "sessions/*.gz", "sessions/*.csv", "sessions.csv"):
            for table in whole(file) if file.suffix == ".parquet" else lenient_csv(file):
                shown = _impressions(table, row)
                row += table.num_rows
                clicked = pa.array(mask(flags(table.column("clicked"))[0]))
                yield source("events", shown, file)
                yield source(
                    "events", shaped(shown.filter(clicked), {}, {"action": "click"}), file, part="clicks"
                )

    def pictures(self, path: Path) -> Iterator[Picture]:
        """None: the set holds no pictures."""
        return Published(path, self.name).no_pictures()


def importer() -> RetroTech:
    """The plugin's factory."""
    return RetroTech()


def _code(table: pa.Table, name: str) -> pa.Array:
    return pc.utf8_ltrim(texts(table.column(name)), characters="0")


def _impressions(table: pa.Table, first_row: int) -> pa.Table:
    session = texts(table.column("sess_id"))
    added = {
        "pos": pa.array(np.arange(first_row, first_row + table.num_rows)),
        "item_id": _code(table, "doc_id"),
        "user_id": pc.binary_join_element_wise("session", session, "-"),
        "request_id": session,
        "surface": "search",
        "action": "impression",
    }
    return shaped(table.drop_columns(["sess_id", "doc_id", "clicked"]), _EVENT_NAMES, added)
