"""What an importer reads and what an import stores: rows in = rows stored + rows rejected."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Int64

from bowerbird import plugins
from bowerbird.datasets.columns import Column, texts
from bowerbird.errors import InputError
from bowerbird.records import CAMPAIGN_SCHEMA, EVENT_SCHEMA, ITEM_SCHEMA, QUERY_SCHEMA, USER_SCHEMA

SCHEMAS: dict[str, pa.Schema] = {
    "items": ITEM_SCHEMA,
    "users": USER_SCHEMA,
    "events": EVENT_SCHEMA,
    "queries": QUERY_SCHEMA,
    "campaigns": CAMPAIGN_SCHEMA,
}
"""The kinds of record that are imported, and their columns."""

REJECTION_SCHEMA = pa.schema(
    [
        pa.field("file", pa.string()),
        pa.field("row", pa.int64()),  # 0 is the first row after the header
        pa.field("id", pa.string()),  # item, user, campaign id or query of the row; of an event its item
        pa.field("reason", pa.string()),
        pa.field("value", pa.string()),  # what was found, shortened
    ]
)
"""Columns of a report of rejected rows."""

VALUE_LENGTH = 200


def digest(path: Path) -> str:
    """Sixteen hex digits that tell a file's bytes from others.

    Event ids are made of it and the row, so that reading a file twice stores its events once.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=8)).hexdigest()


@dataclass(frozen=True)
class SourceTable:
    """Rows of one file in the standard columns, before any check.

    Args:
        kind: a key of :data:`SCHEMAS`.
        table: the rows; columns without a standard name become attributes.
        file: what the report calls the file.
        source_id: short text that tells the file's bytes from others; event ids are made of it.
        refusals: why a row is not to be stored, null where it is; the importer's own reasons.
    """

    kind: str
    table: pa.Table
    file: str
    source_id: str = ""
    refusals: pa.Array | None = None

    def __post_init__(self) -> None:
        if self.kind not in SCHEMAS:
            raise InputError(f"{self.file}: unknown kind {self.kind!r}; expected one of {', '.join(SCHEMAS)}")


@dataclass(frozen=True)
class ImportBatch:
    """Checked rows and the rejected ones with their reasons.

    Args:
        kind: a key of :data:`SCHEMAS`.
        table: rows to store, in exactly the kind's schema.
        rejections: rows of :data:`REJECTION_SCHEMA`, one per rejected row.
        rows: how many rows came in.
        logical_time: whether ``at`` is an order (position or row number as seconds), not a time.

    Raises:
        InputError: rows in are not rows stored plus rows rejected.
    """

    kind: str
    table: pa.Table
    rejections: pa.Table
    rows: int
    logical_time: bool = False

    def __post_init__(self) -> None:
        stored, rejected = self.table.num_rows, self.rejections.num_rows
        if self.rows != stored + rejected:
            raise InputError(
                f"{self.kind}: {self.rows} rows came in, {stored} are to be stored and {rejected} are rejected; "
                "each row must be one of the two"
            )


@dataclass(frozen=True)
class Picture:
    """A picture of an item, or why there is none.

    Args:
        item_id: the item.
        data: the file's bytes as they are; None where there is no picture.
        file: where it came from, for reports.
        reason: why there is no picture; None where there is one.
    """

    item_id: str
    data: bytes | None
    file: str
    reason: str | None = None


@runtime_checkable
class Importer(Protocol):
    """A public data set: knows its published form and the licence, and reads it in the standard columns.

    Registered in the entry-point group ``bowerbird.importers`` as a factory without arguments.
    """

    name: str
    summary: str
    licence: str

    def batches(self, path: Path) -> Iterator[SourceTable]:
        """Raw tables of the set in a folder: items and users before the events that name them."""
        ...

    def pictures(self, path: Path) -> Iterator[Picture]:
        """Pictures of its items, one at a time."""
        ...


def load_importer(name: str) -> Importer:
    """The importer of a named public set.

    Raises:
        NotFoundError: no installed package offers it.
    """
    return plugins.load("importers", name)()


@dataclass
class Faults:
    """Collects, for a table under check, the first reason against each row.

    Args:
        rows: how many rows the table has.
    """

    rows: int
    _code: Int64[np.ndarray, "row"] = field(init=False)
    _reasons: list[tuple[str, pa.Array | None]] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self._code = np.zeros(self.rows, np.int64)

    def add(self, wrong: Bool[np.ndarray, "row"], reason: str, values: Column | None = None) -> None:
        """Rejects rows that have no reason yet.

        Args:
            wrong: which rows.
            reason: why, short, the same text for each row so that it can be counted.
            values: the column the fault was found in.
        """
        new = wrong & (self._code == 0)
        if not new.any():
            return
        found = None
        if values is not None:
            found = pc.utf8_slice_codeunits(texts(values.filter(pa.array(new))), 0, VALUE_LENGTH)
        self._reasons.append((reason, found))
        self._code[new] = len(self._reasons)

    @property
    def kept(self) -> Bool[np.ndarray, "row"]:
        """Rows without a fault."""
        return self._code == 0

    def rejections(self, file: str, first_row: int, ids: pa.Array) -> pa.Table:
        """The report of this table's rejected rows, in row order."""
        parts = []
        for code, (reason, found) in enumerate(self._reasons, start=1):
            rows = np.flatnonzero(self._code == code)
            parts.append(
                pa.table(
                    [
                        pa.array([file] * len(rows), pa.string()),
                        pa.array(rows + first_row),
                        ids.take(pa.array(rows)),
                        pa.array([reason] * len(rows), pa.string()),
                        pa.nulls(len(rows), pa.string()) if found is None else found,
                    ],
                    schema=REJECTION_SCHEMA,
                )
            )
        if not parts:
            return REJECTION_SCHEMA.empty_table()
        return pa.concat_tables(parts).sort_by("row").combine_chunks()
