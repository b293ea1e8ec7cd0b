"""The one import: rows in the standard input columns, checked one by one, become records or rejections.

Law: rows in = rows stored + rows rejected, each rejection with its reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bowerbird.clock import SECOND_US
from bowerbird.datasets import columns
from bowerbird.datasets.event_files import named_tables
from bowerbird.datasets.import_batch import SCHEMAS, ImportBatch, SourceTable, digest
from bowerbird.datasets.reading import Reading, missing
from bowerbird.errors import InputError, did_you_mean
from bowerbird.records import ACTIONS, Vocabulary

WITHOUT_ITEM = ("search", "visit", "open")
"""Actions that need not name an item."""

BINARY_COLUMNS = ("jpeg", "bytes")
"""Columns that hold pictures, besides ``image``: read by :mod:`bowerbird.datasets.images`."""

_URL = r"^(?i:https?|ftp|s3|gs|data):"


@dataclass(frozen=True)
class Checks:
    """What rows are checked against.

    Args:
        as_of: microseconds UTC; a row of a later time is rejected. None: the future is not checked.
        unknown: what becomes of events whose item or user is not known: ``reject`` or ``drop`` them (both are
            in the report, the reason says which) or ``keep`` them.
        items: known items; None: any item may be.
        users: known users; None: any user may be.
        action: the action of events in a file without an ``action`` column.

    Raises:
        InputError: ``unknown`` or ``action`` is not one of the known words.
    """

    as_of: int | None = None
    unknown: str = "reject"
    items: Vocabulary | None = None
    users: Vocabulary | None = None
    action: str = "click"

    def __post_init__(self) -> None:
        if self.unknown not in ("reject", "drop", "keep"):
            raise InputError(f"unknown={self.unknown!r}: expected reject, drop or keep")
        if self.action not in ACTIONS:
            raise InputError(f"action={self.action!r} does not exist; {did_you_mean(self.action, ACTIONS)}")


@final
class StandardImport:
    """Checks table after table of one import; remembers ids and row numbers, so batches equal the whole.

    Args:
        checks: what rows are checked against.

    Example:
        >>> raw = pa.table({"item_id": [7, 7], "price": ["2.50", "3"], "colour": ["red", "blue"]})
        >>> batch = StandardImport().read(SourceTable("items", raw, "items.csv"))
        >>> batch.table.select(["item_id", "price", "attributes"]).to_pylist()
        [{'item_id': '7', 'price': 2.5, 'attributes': [('colour', 'red')]}]
        >>> batch.rejections.to_pylist()
        [{'file': 'items.csv', 'row': 1, 'id': '7', 'reason': 'item_id is repeated', 'value': '7'}]
    """

    def __init__(self, checks: Checks | None = None) -> None:
        self._checks = checks or Checks()
        self._seen: dict[str, set[str]] = {}
        self._rows: dict[tuple[str, str, str], int] = {}
        self._items = _known(self._checks.items)
        self._users = _known(self._checks.users)
        self._readers: dict[str, Callable[[Reading, SourceTable, int], dict[str, pa.Array]]] = {
            "items": self._read_items,
            "users": self._read_users,
            "events": self._read_events,
            "queries": self._read_queries,
            "campaigns": self._read_campaigns,
        }

    def read(self, source: SourceTable) -> ImportBatch:
        """The source's rows as records of its kind, and those at fault.

        Raises:
            InputError: a required column is absent, or a query or campaign file has unknown columns.
        """
        place = (source.kind, source.file, source.source_id)
        first_row = self._rows.get(place, 0)
        reading = Reading(source.table, source.file)
        if source.refusals is not None:
            for reason in pc.unique(source.refusals.drop_null()).to_pylist():
                reading.faults.add(columns.mask(pc.equal(source.refusals, reason)), reason)
        logical = source.kind == "events" and not reading.has_time("at")
        found = self._readers[source.kind](reading, source, first_row)
        self._rows[place] = first_row + reading.rows
        schema = SCHEMAS[source.kind]
        table = pa.table({name: found[name].cast(schema.field(name).type) for name in schema.names})
        ids = found["item_id" if source.kind == "events" else schema.names[0]]
        return ImportBatch(
            kind=source.kind,
            table=table.filter(pa.array(reading.faults.kept)).cast(schema),
            rejections=reading.faults.rejections(source.file, first_row, ids),
            rows=reading.rows,
            logical_time=logical,
        )

    def _read_items(self, reading: Reading, _source: SourceTable, _first_row: int) -> dict[str, pa.Array]:
        reading.require("item_id")
        found = {"item_id": reading.id("item_id")}
        names = ("title", "description", "creator_id", "category", "currency", "brand", "campaign_id")
        found |= {name: reading.text(name) for name in names}
        found["created_at"] = reading.time("created_at", self._checks.as_of)
        found["price"] = reading.number("price")
        found["is_ad"] = reading.flag("is_ad")
        for name in BINARY_COLUMNS:  # pictures are not words: they must not become attributes
            if reading.has(name) and reading.type(name) in (pa.binary(), pa.large_binary()):
                reading.take(name)
        image, url = _image_column(reading), reading.text("url")
        remote = columns.mask(pc.match_substring_regex(image, _URL))
        found["url"] = pc.coalesce(url, pc.if_else(pa.array(remote), image, pa.scalar(None, pa.string())))
        found["image"] = pc.if_else(pa.array(remote), pa.scalar(None, pa.string()), image)
        both = remote & ~missing(url)
        extra = (
            {"image_url": pc.if_else(pa.array(both), image, pa.scalar(None, pa.string()))}
            if both.any()
            else {}
        )
        found["attributes"] = reading.attributes(extra)
        self._refuse_repeated(reading, "item_id", found["item_id"])
        return found

    def _read_users(self, reading: Reading, _source: SourceTable, _first_row: int) -> dict[str, pa.Array]:
        reading.require("user_id")
        found = {"user_id": reading.id("user_id")}
        found |= {name: reading.text(name) for name in ("country", "locale")}
        found["created_at"] = reading.time("created_at", self._checks.as_of)
        found["attributes"] = reading.attributes()
        self._refuse_repeated(reading, "user_id", found["user_id"])
        return found

    def _read_events(self, reading: Reading, source: SourceTable, first_row: int) -> dict[str, pa.Array]:
        reading.require("user_id", "item_id")
        found = {"user_id": reading.id("user_id"), "item_id": reading.text("item_id")}
        found["action"] = self._action(reading)
        bare = columns.mask(pc.is_in(found["action"], value_set=pa.array(WITHOUT_ITEM)))
        reading.faults.add(missing(found["item_id"]) & ~bare, "item_id is missing")
        found["at"] = self._at(reading, first_row)
        given = reading.text("event_id")
        found |= {name: reading.text(name) for name in ("surface", "request_id", "query", "collection_id")}
        found["position"] = reading.whole("position")
        found["dwell_s"] = reading.number("dwell_s")
        found["propensity"] = reading.number("propensity", unit_interval=True)
        found["value"] = reading.signed("value")
        found["attributes"] = reading.attributes()
        self._check_known(reading, "item", found["item_id"], self._items)
        self._check_known(reading, "user", found["user_id"], self._users)
        self._refuse_repeated(reading, "event_id", given)
        found["event_id"] = pc.coalesce(given, _event_ids(source, first_row))
        return found

    def _read_queries(self, reading: Reading, _source: SourceTable, _first_row: int) -> dict[str, pa.Array]:
        reading.require("query")
        found = {"query": reading.id("query"), "user_id": reading.text("user_id")}
        found["at"] = reading.time("at", self._checks.as_of)
        found["count"] = reading.whole("count")
        reading.nothing_left(SCHEMAS["queries"].names)
        return found

    def _read_campaigns(self, reading: Reading, _source: SourceTable, _first_row: int) -> dict[str, pa.Array]:
        reading.require("campaign_id", "bid", "daily_budget")
        found = {
            "campaign_id": reading.id("campaign_id"),
            "advertiser": reading.text("advertiser"),
            "audience": reading.text("audience"),
        }
        found["bid"] = reading.number("bid", required=True)
        found["daily_budget"] = reading.number("daily_budget", required=True)
        found["total_budget"] = reading.number("total_budget")
        found |= {name: reading.time(name, None) for name in ("starts_at", "ends_at")}
        backwards = columns.mask(pc.less(found["ends_at"], found["starts_at"]))
        reading.faults.add(backwards, "ends_at is before starts_at", found["ends_at"])
        self._refuse_repeated(reading, "campaign_id", found["campaign_id"])
        reading.nothing_left(SCHEMAS["campaigns"].names)
        return found

    def _action(self, reading: Reading) -> pa.Array:
        if not reading.has("action"):
            return pa.array([self._checks.action] * reading.rows, pa.string())
        action = pc.utf8_lower(reading.id("action"))
        known = columns.mask(pc.is_in(action, value_set=pa.array(ACTIONS)))
        reading.faults.add(~known, "unknown action", action)
        return action

    def _at(self, reading: Reading, first_row: int) -> pa.Array:
        """Times of events, or seconds counted by ``pos`` or by the row where the file has no time."""
        if reading.has_time("at"):
            at = reading.time("at", self._checks.as_of)
            reading.faults.add(missing(at), "at is missing")
            return at
        if reading.has("pos"):
            position = reading.whole("pos")
            reading.faults.add(missing(position), "pos is missing")
            return pc.multiply(position, SECOND_US)
        return pa.array((np.arange(reading.rows, dtype=np.int64) + first_row) * SECOND_US)

    def _refuse_repeated(self, reading: Reading, name: str, ids: pa.Array) -> None:
        """The first row without a fault stays, however many files and batches lie between."""
        if ids.null_count == len(ids):
            return
        seen = self._seen.setdefault(name, set())
        repeated = np.zeros(reading.rows, bool)
        fine = reading.faults.kept
        for row, name_of_row in enumerate(ids.to_pylist()):
            if name_of_row is None or not fine[row]:
                continue
            if name_of_row in seen:
                repeated[row] = True
            seen.add(name_of_row)
        reading.faults.add(repeated, f"{name} is repeated", ids)

    def _check_known(self, reading: Reading, kind: str, ids: pa.Array, known: pa.Array | None) -> None:
        if known is None or self._checks.unknown == "keep":
            return
        absent = ~columns.mask(pc.is_in(ids, value_set=known)) & ~missing(ids)
        dropped = "dropped: " if self._checks.unknown == "drop" else ""
        reading.faults.add(absent, f"{dropped}{kind}_id is not known", ids)


def read_standard(
    kind: str, path: Path, checks: Checks | None = None, rows: int = 50_000
) -> Iterator[ImportBatch]:
    """A file in the standard columns as checked batches.

    Args:
        kind: items, users, events, queries or campaigns.
        path: a file :func:`bowerbird.datasets.tables.read_table` reads.
        checks: what rows are checked against.
        rows: the most rows in a batch.

    Raises:
        InputError: the file cannot be read or lacks a required column.
        NotFoundError: there is no such file.
    """
    return standardised(sources(kind, path, rows), checks)


def sources(
    kind: str, path: Path, rows: int = 50_000, given: Mapping[str, str] | None = None
) -> Iterator[SourceTable]:
    """A file's batches under the standard names, marked with the file's name and a digest of its bytes.

    Args:
        kind: items, users, events, queries or campaigns.
        path: the file.
        rows: the most rows in a batch.
        given: what ``--columns`` says, see :func:`~bowerbird.datasets.column_names.given_names`.
    """
    source_id = ""
    for table in named_tables(kind, path, given, rows):
        source_id = source_id or digest(path)
        yield SourceTable(kind, table, path.name, source_id)


def standardised(tables: Iterable[SourceTable], checks: Checks | None = None) -> Iterator[ImportBatch]:
    """Raw tables, of a file or of an importer, as checked batches of one import."""
    standard = StandardImport(checks)
    for table in tables:
        yield standard.read(table)


def _event_ids(source: SourceTable, first_row: int) -> pa.Array:
    numbers = pa.array(np.arange(first_row, first_row + source.table.num_rows)).cast(pa.string())
    return pc.binary_join_element_wise(source.source_id or source.file, numbers, "-")


def _known(vocabulary: Vocabulary | None) -> pa.Array | None:
    return None if vocabulary is None else pa.array(vocabulary.ids, pa.string())


def _image_column(reading: Reading) -> pa.Array:
    """Paths or URLs of the ``image`` column; null where it holds the picture itself."""
    if not reading.has("image"):
        return pa.nulls(reading.rows, pa.string())
    kind = reading.type("image")
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        reading.take("image")
        return pa.nulls(reading.rows, pa.string())
    if pa.types.is_struct(kind):  # the {bytes, path} form of Hugging Face
        image = reading.take("image")
        names = [field.name for field in kind]
        if image is not None and "path" in names:
            return columns.texts(image.field(names.index("path")))
        return pa.nulls(reading.rows, pa.string())
    return reading.text("image")
