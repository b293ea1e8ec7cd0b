"""Event rows between Arrow and SQLite, and the one form both keep them in."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bowerbird.stores.segments import STORED_SCHEMA

_SQL_TYPE = {"int64": "INTEGER", "int32": "INTEGER", "float": "REAL", "double": "REAL"}

COLUMNS = tuple(STORED_SCHEMA.names)

CREATE_EVENT = "CREATE TABLE IF NOT EXISTS event ({})".format(
    ", ".join(
        f"{field.name} {_SQL_TYPE.get(str(field.type), 'TEXT')}"
        + (" PRIMARY KEY" if field.name == "sequence" else "")
        + (" UNIQUE" if field.name == "event_id" else "")
        + ("" if field.nullable else " NOT NULL")
        for field in STORED_SCHEMA
    )
)

_NAMES, _MARKS = ", ".join(COLUMNS), ", ".join("?" * len(COLUMNS))
INSERT_EVENT = f"INSERT INTO event ({_NAMES}) VALUES ({_MARKS})"  # noqa: S608 - our own words


def canonical(events: pa.Table) -> pa.Table:
    """Events as the log keeps them: NaN becomes null (SQLite has none), first of equal ids only."""
    for place, field in enumerate(events.schema):
        if pa.types.is_floating(field.type):
            values = events.column(place)
            if pc.any(pc.is_nan(values), min_count=0).as_py():
                values = pc.if_else(pc.is_nan(values), pa.scalar(None, field.type), values)
                events = events.set_column(place, field, values)
    ids = events.column("event_id").combine_chunks().dictionary_encode()
    if isinstance(ids, pa.ChunkedArray):
        ids = ids.combine_chunks()
    if len(ids.dictionary) < len(ids):
        first = np.sort(np.unique(ids.indices.to_numpy(), return_index=True)[1])
        events = events.take(pa.array(first))
    return events


def sql_rows(rows: pa.Table) -> list[tuple]:
    """Stored rows as SQLite takes them; attributes as a JSON list of pairs."""
    columns = []
    for field in STORED_SCHEMA:
        values = rows.column(field.name).to_pylist()
        if field.name == "attributes":
            values = [None if pairs is None else json.dumps(pairs, ensure_ascii=False) for pairs in values]
        columns.append(values)
    return list(zip(*columns, strict=True))


def arrow_rows(rows: list[tuple]) -> pa.Table:
    """What SQLite returned, as stored rows."""
    if not rows:
        return STORED_SCHEMA.empty_table()
    columns = []
    for field, values in zip(STORED_SCHEMA, zip(*rows, strict=True), strict=True):
        columns.append(pa.array(_pairs(values) if field.name == "attributes" else values, field.type))
    return pa.table(columns, schema=STORED_SCHEMA)


def _pairs(texts: tuple[str | None, ...]) -> list[list[tuple[str, str]] | None]:
    return [None if text is None else [tuple(pair) for pair in json.loads(text)] for text in texts]
