"""The catalogue: items, users and campaigns as versioned tables, changed by id."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool

from bowerbird.errors import InputError, StorageError
from bowerbird.records import CAMPAIGN_SCHEMA, ITEM_SCHEMA, USER_SCHEMA, Campaign, Items, Users, Vocabulary
from bowerbird.records.tables import conformed
from bowerbird.stores.atomic import storage_errors, write_atomically
from bowerbird.stores.layout import Layout
from bowerbird.stores.row_hash import digest, table_lanes

VERSIONS_KEPT = 3

TABLES = {
    "items": (ITEM_SCHEMA, "item_id"),
    "users": (USER_SCHEMA, "user_id"),
    "campaigns": (CAMPAIGN_SCHEMA, "campaign_id"),
}
"""The catalogue's tables: their columns and what names a row."""


def campaigns_of(table: pa.Table) -> list[Campaign]:
    """The campaigns of a table, in row order."""
    return [Campaign(**row) for row in table.to_pylist()]


def upserted(old: pa.Table, new: pa.Table, key: str) -> tuple[pa.Table, int]:
    """The old rows with the new ones put in, by id.

    An id that is known keeps its row and takes the new values, whole; an unknown one is appended. So
    rows never move and arrays indexed by row stay right.

    Args:
        old: rows so far, ids unique.
        new: rows to put in, same schema.
        key: the id column.

    Returns:
        The merged table, and how many rows are new or differ from before.

    Raises:
        InputError: the new rows repeat an id, or one is empty.

    Example:
        >>> old = pa.table({"id": ["a", "b"], "x": [1, 2]})
        >>> table, changed = upserted(old, pa.table({"id": ["c", "a"], "x": [3, 9]}), "id")
        >>> table.to_pydict(), changed
        ({'id': ['a', 'b', 'c'], 'x': [9, 2, 3]}, 2)
    """
    kind = key.removesuffix("_id")
    ids = Vocabulary(kind, tuple(new.column(key).to_pylist()))  # raises on repeated ids
    if "" in ids:
        raise InputError(f"{kind} row {ids.row('')} has an empty {key}; give every row an id")
    rows = Vocabulary(kind, tuple(old.column(key).to_pylist())).rows(ids.ids)
    known = rows >= 0
    changed = known.copy()
    changed[known] = _differs(old.take(pa.array(rows[known])), new.filter(pa.array(known)))
    added = np.flatnonzero(~known)
    source = np.concatenate([np.arange(len(old)), len(old) + added])
    source[rows[changed]] = len(old) + np.flatnonzero(changed)
    total = int(changed.sum()) + len(added)
    if not total:
        return old, 0
    return pa.concat_tables([old, new]).take(pa.array(source)).combine_chunks(), total


def content_hash(table: pa.Table) -> str:
    """A fingerprint of all rows of a table, whatever their order and chunks."""
    sums = table_lanes(table).sum(axis=1, dtype=np.uint64)
    return digest(table.num_rows, (int(sums[0]), int(sums[1])))


def joined_hash(hashes: dict[str, str]) -> str:
    """One fingerprint of the content hashes of several tables, by table name."""
    text = json.dumps(hashes, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _differs(old: pa.Table, new: pa.Table) -> Bool[np.ndarray, "row"]:
    return (table_lanes(old) != table_lanes(new)).any(axis=0)


class LanceCatalogue:
    """The catalogue of a workspace, in three Lance datasets and one pointer file.

    The pointer file (``state/catalogue.json``) says which version of each table is live and what their
    fingerprint is. It is replaced last, so a writer killed anywhere leaves the old catalogue whole.

    Args:
        layout: the workspace; its folders exist.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._pointer = layout.state / "catalogue.json"

    def upsert_items(self, items: Items) -> int:
        """Add items, or change those that are known by id; rows never move.

        Returns:
            How many are new or differ from before.

        Raises:
            InputError: an id is repeated.
            StorageError: the system refused; the old catalogue is intact.
        """
        return self._upsert("items", items.table)

    def items(self) -> Items:
        """The live items, in row order."""
        return Items(self._read("items"))

    def upsert_users(self, users: Users) -> int:
        """Add users, or change those that are known by id; rows never move.

        Returns:
            How many are new or differ from before.

        Raises:
            InputError: an id is repeated.
            StorageError: the system refused; the old users are intact.
        """
        return self._upsert("users", users.table)

    def users(self) -> Users:
        """The live users, in row order."""
        return Users(self._read("users"))

    def upsert_campaigns(self, table: pa.Table) -> int:
        """Add campaigns, or change those that are known by id.

        Args:
            table: columns of :data:`bowerbird.records.CAMPAIGN_SCHEMA`.

        Returns:
            How many are new or differ from before.

        Raises:
            InputError: an id is repeated or a required column is empty.
            StorageError: the system refused; the old campaigns are intact.
        """
        return self._upsert("campaigns", conformed(table, CAMPAIGN_SCHEMA, "campaigns"))

    def campaigns(self) -> list[Campaign]:
        """The live campaigns."""
        return campaigns_of(self._read("campaigns"))

    def fingerprint(self) -> str:
        """A hash of the content of all rows; equal content in another order has the same one."""
        return joined_hash({kind: table["hash"] for kind, table in self._live().items() if table["rows"]})

    @property
    def forgotten_items(self) -> int:
        """How many items were ever forgotten: what was learnt from them must be learnt anew."""
        return int(self._live().get("items", {}).get("forgotten", 0))

    def forget(self, kind: Literal["items", "users"], name: str) -> int:
        """Remove an item or a user from every version; later rows move up. Returns how many rows are gone.

        Older versions of the table go too, whether they hold it or not: 0 or 1 rows, but no way back.

        Raises:
            StorageError: the system refused.
        """
        table, key = self._read(kind), TABLES[kind][1]
        left = table.filter(pc.not_equal(table.column(key), name))
        if len(left) < len(table):
            self._publish(kind, left, forgotten=len(table) - len(left))
        live = self._live()
        if kind in live:
            live[kind]["kept"] = [live[kind]["version"]]
            write_atomically(self._pointer, json.dumps(live, indent=1).encode())
            from bowerbird.stores.lance_table import drop_versions

            drop_versions(self._path(kind), {live[kind]["version"]})
        return len(table) - len(left)

    def _upsert(self, kind: str, new: pa.Table) -> int:
        key = TABLES[kind][1]
        table, changed = upserted(self._read(kind), new, key)
        if changed:
            self._publish(kind, table)
        return changed

    def _path(self, kind: str) -> Path:
        return {
            "items": self._layout.catalogue,
            "users": self._layout.users,
            "campaigns": self._layout.campaigns,
        }[kind]

    def _live(self) -> dict[str, dict]:
        with storage_errors(self._pointer, "read"):
            if not self._pointer.exists():
                return {}
            try:
                return json.loads(self._pointer.read_bytes())
            except ValueError as error:
                raise StorageError(
                    f"{self._pointer}: not readable as JSON ({error}); restore it from a copy"
                ) from error

    def _read(self, kind: str) -> pa.Table:
        live = self._live().get(kind)
        schema = TABLES[kind][0]
        if live is None:
            return schema.empty_table()
        from bowerbird.stores.lance_table import read_version

        table = read_version(self._path(kind), live["version"])
        return conformed(table, schema, kind)  # a table of before a column was added lacks it

    def _publish(self, kind: str, table: pa.Table, *, forgotten: int = 0) -> None:
        from bowerbird.stores.lance_table import drop_versions, write_version

        version = write_version(self._path(kind), table)
        live = self._live()
        before = live.get(kind, {})
        kept = [*before.get("kept", []), version][-VERSIONS_KEPT:]
        live[kind] = {
            "version": version,
            "rows": table.num_rows,
            "hash": content_hash(table),
            "kept": kept,
            "forgotten": before.get("forgotten", 0) + forgotten,
        }
        write_atomically(self._pointer, json.dumps(live, indent=1).encode())
        drop_versions(self._path(kind), set(kept))
