"""Users: the people (or shops, or accounts) who act."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import pyarrow as pa

from bowerbird.records.tables import ATTRIBUTES, conformed
from bowerbird.records.vocabulary import Vocabulary

USER_SCHEMA = pa.schema(
    [
        pa.field("user_id", pa.string(), nullable=False),
        pa.field("country", pa.string()),
        pa.field("locale", pa.string()),
        pa.field("created_at", pa.int64()),  # microseconds UTC
        pa.field("attributes", ATTRIBUTES),
    ]
)


@dataclass(frozen=True)
class User:
    """One person. Everything but the id may be missing."""

    user_id: str
    country: str | None = None
    locale: str | None = None
    created_at: int | None = None
    """Microseconds UTC."""
    attributes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Users:
    """User records as columns, in row order.

    Raises:
        InputError: a column is unknown or a user id is missing or repeated.
    """

    table: pa.Table

    def __post_init__(self) -> None:
        object.__setattr__(self, "table", conformed(self.table, USER_SCHEMA, "users"))

    def __len__(self) -> int:
        return len(self.table)

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """User ids in row order."""
        return Vocabulary("user", tuple(self.table.column("user_id").to_pylist()))

    def __getitem__(self, row: int) -> User:
        values = {name: self.table.column(name)[row].as_py() for name in USER_SCHEMA.names}
        values["attributes"] = dict(values["attributes"] or [])
        return User(**values)
