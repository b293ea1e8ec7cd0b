"""Interactions: who met what, in order of time, as dense rows. What every benchmark task reads."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Float32, Float64, Int32, Int64, Shaped
from scipy import sparse

from bowerbird.datasets import columns
from bowerbird.datasets.event_files import event_times
from bowerbird.errors import InputError

__all__ = ["Interactions"]


@dataclass(frozen=True, eq=False)
class Interactions:
    """Events between users and items, in order of time; parts of a split share the vocabularies.

    Example:
        >>> table = pa.table({"user_id": ["u", "v", "u"], "item_id": [7, 7, 9], "pos": [1, 0, 0]})
        >>> events = Interactions.from_table(table)
        >>> [str(events.item_ids[row]) for row in events.items[events.users == 0]]
        ['9', '7']
    """

    users: Int32[np.ndarray, " event"]
    """User row of each event."""
    items: Int32[np.ndarray, " event"]
    """Item row of each event."""
    user_ids: Shaped[np.ndarray, " user"]
    """External id of each user row, text."""
    item_ids: Shaped[np.ndarray, " item"]
    """External id of each item row, text."""
    at: Int64[np.ndarray, " event"] | None = None
    """Microseconds UTC; None when the data has only an order."""
    ratings: Float32[np.ndarray, " event"] | None = None
    """Ratings, when the data has them."""
    split: Shaped[np.ndarray, " event"] | None = None
    """The part each event belongs to, when the data says so: ``train``, ``valid`` or ``test``."""
    content: Float32[np.ndarray, "item width"] | None = None
    """What each item is by its own words, see :mod:`~bowerbird.recommenders.item_content`; zeros: unknown."""

    @classmethod
    def from_table(cls, table: pa.Table, where: str = "events") -> Interactions:
        """Interactions of a table in the standard columns.

        ``user_id`` and ``item_id`` (text or whole numbers) are required. The order is the time
        (:func:`~bowerbird.datasets.event_files.event_times`), else ``pos``, else the rows'; equal times keep the
        rows' order. ``rating`` and ``split`` are read when present.

        Args:
            table: one row an event.
            where: what to call the table in a message.

        Raises:
            InputError: a required column is missing or has an empty cell, or a column's type is wrong.
        """
        if table.num_rows == 0:
            raise InputError(f"{where}: found 0 rows; expected at least one event")
        users, user_ids = _encoded(table, "user_id", where)
        items, item_ids = _encoded(table, "item_id", where)
        at = event_times(table, where)
        at = None if at is None else _full(at, "at", where).to_numpy(zero_copy_only=False)
        pos = None if at is not None else _numbers(table, "pos", where)
        ratings = _numbers(table, "rating", where)
        split = _split(table)
        order_by = at if at is not None else pos
        order = slice(None) if order_by is None else np.argsort(order_by, kind="stable")
        return cls(
            users[order],
            items[order],
            user_ids,
            item_ids,
            None if at is None else at[order],
            None if ratings is None else ratings[order].astype(np.float32),
            None if split is None else split[order],
        )

    def __len__(self) -> int:
        return int(self.users.size)

    @property
    def users_total(self) -> int:
        """Size of the user vocabulary, whether or not each user has an event here."""
        return int(self.user_ids.size)

    @property
    def items_total(self) -> int:
        """Size of the item vocabulary."""
        return int(self.item_ids.size)

    @cached_property
    def hash(self) -> str:
        """A hash of the content: ids, order, times, ratings and split; equal data, equal hash."""
        digest = hashlib.blake2b(digest_size=8)
        for ids, rows in ((self.user_ids, self.users), (self.item_ids, self.items)):
            digest.update("\n".join(ids.tolist()).encode())
            digest.update(rows.tobytes())
        for column in (self.at, self.ratings):
            digest.update(b"-" if column is None else column.tobytes())
        digest.update(b"-" if self.split is None else "\n".join(self.split.tolist()).encode())
        return digest.hexdigest()

    @cached_property
    def repeats(self) -> int:
        """Events whose user met the same item before."""
        keys = self.users.astype(np.int64) * self.items_total + self.items
        return len(self) - int(np.unique(keys).size)

    def where(self, kept: Bool[np.ndarray, " event"]) -> Interactions:
        """The events of a mask, with the same vocabularies."""
        return replace(
            self,
            users=self.users[kept],
            items=self.items[kept],
            at=None if self.at is None else self.at[kept],
            ratings=None if self.ratings is None else self.ratings[kept],
            split=None if self.split is None else self.split[kept],
        )

    def with_items(self, kept: Bool[np.ndarray, " item"]) -> Interactions:
        """The same events in a smaller item vocabulary; every event's item must be kept."""
        rows = np.cumsum(kept, dtype=np.int32) - 1
        return replace(
            self,
            items=rows[self.items].astype(np.int32),
            item_ids=self.item_ids[kept],
            content=None if self.content is None else self.content[kept],
        )

    def consecutive_repeats(self) -> Bool[np.ndarray, " event"]:
        """True where a user's event has the same item as that user's event before it."""
        order = np.argsort(self.users, kind="stable")
        users, items = self.users[order], self.items[order]
        repeated = np.zeros(len(self), dtype=bool)
        repeated[order[1:]] = (users[1:] == users[:-1]) & (items[1:] == items[:-1])
        return repeated

    def matrix(self) -> sparse.csr_array:
        """Users by items, float32, 1 where the user met the item (once or more often)."""
        ones = np.ones(len(self), dtype=np.float32)
        table = sparse.coo_array((ones, (self.users, self.items)), shape=(self.users_total, self.items_total))
        binary = table.tocsr()
        binary.data.fill(1.0)
        return binary

    def popularity(self) -> Int64[np.ndarray, " item"]:
        """Events of each item."""
        return np.bincount(self.items, minlength=self.items_total).astype(np.int64)

    def ages(self) -> Int64[np.ndarray, " event"]:
        """How many later events the same user has: 0 for the last, 1 for the one before."""
        order = np.argsort(self.users, kind="stable")
        ends = np.cumsum(np.bincount(self.users, minlength=self.users_total))
        ages = np.empty(len(self), dtype=np.int64)
        ages[order] = ends[self.users[order]] - 1 - np.arange(len(self))
        return ages


def _column(table: pa.Table, name: str, where: str) -> pa.Array:
    if name not in table.column_names:
        found = ", ".join(table.column_names)
        raise InputError(
            f"{where}: no column {name!r}; found {found}; expected user_id, item_id [, at | pos, rating, split]; "
            "rename the columns"
        )
    return columns.flat(table[name])


def _full(values: pa.Array, name: str, where: str) -> pa.Array:
    """The values, none of which may be missing."""
    if values.null_count:
        row = columns.mask(values.is_null()).argmax()
        raise InputError(
            f"{where} row {row}: {name} is empty ({values.null_count} such rows); drop or fill them first"
        )
    return values


def _encoded(
    table: pa.Table, name: str, where: str
) -> tuple[Int32[np.ndarray, " event"], Shaped[np.ndarray, " id"]]:
    column = _column(table, name, where)
    kind = column.type
    if pa.types.is_floating(kind):  # whole numbers come as floats from a column that once had gaps
        fraction = columns.mask(pc.not_equal(pc.floor(column), column)) & ~columns.mask(pc.is_nan(column))
        if fraction.any():
            row = int(fraction.argmax())
            raise InputError(
                f"{where} row {row}: {name} is {column[row].as_py()}; expected text or whole numbers"
            )
    elif pa.types.is_nested(kind) or pa.types.is_boolean(kind) or pa.types.is_temporal(kind):
        raise InputError(f"{where}: {name} is {kind}; expected text or whole numbers")
    encoded = pc.dictionary_encode(_full(columns.texts(column), name, where))
    ids = np.asarray(encoded.dictionary.to_pylist(), dtype=str)
    return encoded.indices.to_numpy(zero_copy_only=False).astype(np.int32), ids


def _numbers(table: pa.Table, name: str, where: str) -> Float64[np.ndarray, " event"] | None:
    if name not in table.column_names:
        return None
    column = _column(table, name, where)
    values, bad = columns.numbers(column)
    if bad.any():
        row = int(bad.argmax())
        raise InputError(f"{where} row {row}: {name} is {column[row].as_py()!r}; expected a number")
    return _full(values, name, where).to_numpy(zero_copy_only=False)


def _split(table: pa.Table) -> Shaped[np.ndarray, " event"] | None:
    """The words of the split in lower case; an empty cell is an empty word."""
    if "split" not in table.column_names:
        return None
    words = pc.utf8_lower(columns.texts(table["split"]))
    return np.asarray(pc.fill_null(words, "").to_pylist(), dtype=str)
