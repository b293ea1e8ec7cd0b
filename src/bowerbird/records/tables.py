"""What the record tables share: an Arrow table that is known to have a record's columns."""

from __future__ import annotations

import pyarrow as pa

from bowerbird.errors import InputError

ATTRIBUTES = pa.map_(pa.string(), pa.string())
"""Columns we have no name for are kept here, as text."""


def conformed(table: pa.Table, schema: pa.Schema, kind: str) -> pa.Table:
    """The table with exactly the schema's columns, in its order; absent ones become null.

    Args:
        table: any table whose columns have the schema's names.
        schema: the record's columns.
        kind: what the rows are, for messages: ``items``.

    Raises:
        InputError: a column is unknown, of a type that cannot be cast, or a required one has nulls.
    """
    unknown = [name for name in table.column_names if name not in schema.names]
    if unknown:
        raise InputError(f"{kind}: unknown column {unknown[0]!r}; expected {', '.join(schema.names)}")
    columns = []
    for column in schema:
        if column.name not in table.column_names:
            values: pa.ChunkedArray | pa.Array = pa.nulls(len(table), column.type)
        else:
            values = table.column(column.name)
            if values.type != column.type:
                values = _cast(values, column, kind)
        if not column.nullable and values.null_count:
            raise InputError(
                f"{kind}: column {column.name!r} is empty in {values.null_count} of {len(table)} rows"
            )
        columns.append(values)
    return pa.table(columns, schema=schema)


def _cast(values: pa.ChunkedArray, column: pa.Field, kind: str) -> pa.ChunkedArray:
    try:
        return values.cast(column.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise InputError(
            f"{kind}: column {column.name!r} has type {values.type}, expected {column.type}: {error}"
        ) from error
