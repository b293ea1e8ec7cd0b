"""Queries a product knows of: texts people search for, with how often."""

from __future__ import annotations

import pyarrow as pa

QUERY_SCHEMA = pa.schema(
    [
        pa.field("query", pa.string(), nullable=False),
        pa.field("user_id", pa.string()),
        pa.field("at", pa.int64()),
        pa.field("count", pa.int64()),
    ]
)
