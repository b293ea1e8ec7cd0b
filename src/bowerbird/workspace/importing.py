"""Taking in data: files in the standard columns, named public sets, pictures.

Rows in = rows stored + rows rejected; every rejected row is in a report file with its reason.
Events are stored batch by batch under ids made from the file's bytes and the row, so an import that
was killed is simply run again.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from bowerbird.datasets.event_files import named_tables
from bowerbird.datasets.images import (
    ImageFolder,
    bytes_column,
    folder_pictures,
    shard_pictures,
    table_pictures,
)
from bowerbird.datasets.import_batch import REJECTION_SCHEMA, ImportBatch, Picture, SourceTable, load_importer
from bowerbird.datasets.standard import Checks, StandardImport, sources
from bowerbird.errors import InputError, did_you_mean
from bowerbird.records.event import Events
from bowerbird.records.item import ITEM_SCHEMA, Items
from bowerbird.records.user import Users
from bowerbird.records.vocabulary import Vocabulary
from bowerbird.stores.atomic import storage_errors, write_atomically
from bowerbird.workspace.workbench import Workbench

PICTURES_AT_ONCE = 256
"""Pictures held in memory while they are stored."""
KINDS = ("items", "users", "campaigns", "events")
UNKNOWN = ("reject", "drop", "create")
MADE_OF_EVENTS = "items-made-of-events"
"""State file that says the catalogue holds only what events named, so that the next events may add to it."""


@dataclass(frozen=True)
class ImportOptions:
    """How files are taken in.

    Args:
        images: a folder, or a parquet file, with the items' pictures.
        unknown: what becomes of events about items that are not in the catalogue: ``reject`` or ``drop``
            them (both are reported), or ``create`` items that have only an id. Where no items were ever
            imported, events create them whatever is said here.
        as_of: rows of a later time are rejected; microseconds UTC; None does not check.
        action: the action of events in a file without an ``action`` column.
        columns: what the files call the standard columns, where that is not well known; see
            :func:`~bowerbird.datasets.column_names.given_names`.

    Raises:
        InputError: ``unknown`` is none of these words.
    """

    images: Path | None = None
    unknown: str = "reject"
    as_of: int | None = None
    action: str = "click"
    columns: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.unknown not in UNKNOWN:
            raise InputError(f"unknown = {self.unknown!r}; {did_you_mean(self.unknown, UNKNOWN)}")


@dataclass(frozen=True)
class ImportReport:
    """What came in and what became of it.

    Args:
        rows: rows read, per kind.
        stored: rows stored (new, changed or already there), per kind.
        rejected: rows rejected, per kind.
        reasons: how many rows per reason, per kind.
        pictures: pictures stored.
        without_picture: items without a stored picture, by reason.
        created: items made from the ids of events.
        report: the file of rejected rows; None when there are none.
    """

    rows: dict[str, int] = field(default_factory=dict)
    stored: dict[str, int] = field(default_factory=dict)
    rejected: dict[str, int] = field(default_factory=dict)
    reasons: dict[str, dict[str, int]] = field(default_factory=dict)
    pictures: int = 0
    without_picture: dict[str, int] = field(default_factory=dict)
    created: int = 0
    report: Path | None = None


def import_files(bench: Workbench, kind: str, files: Sequence[Path], options: ImportOptions) -> ImportReport:
    """Take in files of one kind.

    Raises:
        InputError: the kind is not known, no file is named, or one cannot be read or lacks a required column.
        NotFoundError: a file does not exist.
    """
    if kind not in KINDS:
        raise InputError(f"import {kind}: a workspace keeps no {kind}; {did_you_mean(kind, KINDS)}")
    if not files and not (kind == "items" and options.images):
        raise InputError(f"import {kind}: no file was named; give one or more, e.g. {kind}.parquet")
    intake = _Intake(bench, options)
    tables = [path for path in files if not path.is_dir()]
    for path in tables:
        bench.progress.start(f"import {path.name}", None)
        intake.take(sources(kind, path, given=options.columns))
        bench.progress.finish()
    if kind == "items":
        for folder in (path for path in files if path.is_dir()):
            intake.take(_items_of_folder(folder))
            intake.picture(folder_pictures(ImageFolder(folder)))
        if options.images is not None or any(_names_pictures(path, options) for path in tables):
            for path in tables:
                intake.picture(_pictures(path, options))
    return intake.report()


def import_dataset(bench: Workbench, name: str, path: Path, options: ImportOptions) -> ImportReport:
    """Take in a named public data set from the folder it lies in.

    Raises:
        NotFoundError: no importer has that name, or the folder does not exist.
        InputError: the folder does not hold the set.
    """
    importer = load_importer(name)
    intake = _Intake(bench, replace(options, unknown="create"))
    bench.progress.start(f"import {name}", None)
    intake.take(importer.batches(path))
    bench.progress.finish()
    intake.picture(importer.pictures(path))
    return intake.report()


class _Intake:
    """One import under way: stores batches, counts them, and writes the report of rejected rows."""

    def __init__(self, bench: Workbench, options: ImportOptions) -> None:
        self._bench = bench
        self._options = options
        self._counts: dict[str, Counter[str]] = {
            "rows": Counter(),
            "stored": Counter(),
            "rejected": Counter(),
        }
        self._reasons: dict[str, Counter[str]] = {}
        self._without: Counter[str] = Counter()
        self._pictures = 0
        self._created = 0
        self._known = set(bench.catalogue.items().vocabulary.ids)
        self._items: list[pa.Table] = []
        numbers = [int(path.stem.split("-")[1]) for path in bench.layout.reports.glob("rejected-[0-9]*.csv")]
        number = max(numbers, default=0) + 1  # not their count: a report that was removed leaves a gap
        self._made_of_events = bench.layout.state / MADE_OF_EVENTS
        self._path = bench.layout.reports / f"rejected-{number:03d}.csv"

    def take(self, tables: Iterable[SourceTable]) -> None:
        """Check and store tables; items come before the events that name them."""
        known = None if self._options.unknown == "create" else self._known_items()
        standard = StandardImport(self._checks(known))
        for table in tables:
            if table.kind == "events" and self._items:
                self._store_items()
                if known is not None:
                    standard = StandardImport(self._checks(self._known_items()))
            batch = standard.read(table)
            if batch.kind == "events":
                self._agree_on_time(table.file, batch.logical_time)
            self._count(batch)
            self._store(batch)
            self._bench.progress.advance(batch.rows)
        self._store_items()

    def _agree_on_time(self, file: str, logical: bool) -> None:
        """Events with times and events with only an order cannot be put in one sequence."""
        log = self._bench.log
        if log.count() and log.logical_time != logical:
            here, there = ("only an order", "times") if logical else ("times", "only an order")
            raise InputError(
                f"{file}: its events have {here}, those imported before have {there}; give all files an `at` "
                "column, or import this one into a workspace of its own"
            )
        if log.logical_time != logical:
            log.logical_time = logical

    def _known_items(self) -> Vocabulary:
        return self._bench.catalogue.items().vocabulary

    def _checks(self, known: Vocabulary | None) -> Checks:
        empty = known is not None and (len(known) == 0 or self._made_of_events.exists())
        unknown = "reject"
        if self._options.unknown == "create" or empty:
            unknown = "keep"
        elif self._options.unknown == "drop":
            unknown = "drop"
        items = None if unknown == "keep" else known
        return Checks(as_of=self._options.as_of, unknown=unknown, items=items, action=self._options.action)

    def _store(self, batch: ImportBatch) -> None:
        if len(batch.table) == 0:
            return
        if batch.kind == "items":
            self._items.append(batch.table)
        elif batch.kind == "users":
            self._bench.catalogue.upsert_users(Users(batch.table))
        elif batch.kind == "campaigns":
            self._bench.catalogue.upsert_campaigns(batch.table)
        elif batch.kind == "events":
            self._create_missing(batch.table)
            self._bench.log.append(Events(batch.table))

    def _store_items(self) -> None:
        if not self._items:
            return
        table = pa.concat_tables(self._items)
        self._items = []
        self._bench.catalogue.upsert_items(Items(self._with_known_pictures(table)))
        self._made_of_events.unlink(missing_ok=True)
        self._known.update(table.column("item_id").to_pylist())

    def _with_known_pictures(self, table: pa.Table) -> pa.Table:
        """Items as stored keep their picture when a file is taken in again; a path is not a picture."""
        old = self._bench.catalogue.items()
        pictures = dict(zip(old.vocabulary.ids, old.column("image"), strict=True))
        images = [pictures.get(item_id) for item_id in table.column("item_id").to_pylist()]
        place = table.schema.get_field_index("image")
        return table.set_column(place, ITEM_SCHEMA.field("image"), pa.array(images, pa.string()))

    def _create_missing(self, events: pa.Table) -> None:
        ids = pc.unique(events.column("item_id").drop_null()).to_pylist()
        new = [item_id for item_id in ids if item_id not in self._known]
        if new:
            if not self._known:  # marked first: a killed import must find the mark when it is run again
                write_atomically(self._made_of_events, b"")
            self._bench.catalogue.upsert_items(Items(pa.table({"item_id": new})))
            self._known.update(new)
            self._created += len(new)

    def picture(self, pictures: Iterable[Picture]) -> None:
        """Store pictures and tie them to their items."""
        self._bench.progress.start("pictures", None, "pictures")
        hash_of: dict[str, str] = {}
        for batch in _chunks(iter(pictures), PICTURES_AT_ONCE):
            held = [one for one in batch if one.data is not None and one.item_id in self._known]
            for one in batch:
                if one.data is None:
                    self._without[one.reason or "no picture"] += 1
                elif one.item_id not in self._known:
                    self._without["its item is not in the catalogue"] += 1
            names = self._bench.media.put_many(one.data for one in held if one.data is not None)
            hash_of.update((one.item_id, name) for one, name in zip(held, names, strict=True))
            self._bench.progress.advance(len(batch))
        self._bench.progress.finish()
        if not hash_of:
            return
        table = self._bench.catalogue.items().table
        ids, old = table.column("item_id").to_pylist(), table.column("image").to_pylist()
        images = [hash_of.get(item_id, image) for item_id, image in zip(ids, old, strict=True)]
        place = table.schema.get_field_index("image")
        self._bench.catalogue.upsert_items(
            Items(table.set_column(place, ITEM_SCHEMA.field("image"), pa.array(images, pa.string())))
        )
        self._pictures += len(hash_of)

    def _count(self, batch: ImportBatch) -> None:
        self._counts["rows"][batch.kind] += batch.rows
        self._counts["stored"][batch.kind] += len(batch.table)
        self._counts["rejected"][batch.kind] += len(batch.rejections)
        if len(batch.rejections) == 0:
            return
        self._reasons.setdefault(batch.kind, Counter()).update(batch.rejections.column("reason").to_pylist())
        new = not self._path.exists()
        with storage_errors(self._path, "write"), self._path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            if new:
                writer.writerow(["kind", *REJECTION_SCHEMA.names])
            writer.writerows([batch.kind, *row.values()] for row in batch.rejections.to_pylist())

    def report(self) -> ImportReport:
        """What came in, also kept as a line of ``reports/imports.jsonl``."""
        report = ImportReport(
            rows=dict(self._counts["rows"]),
            stored=dict(self._counts["stored"]),
            rejected=dict(self._counts["rejected"]),
            reasons={kind: dict(counts) for kind, counts in self._reasons.items()},
            pictures=self._pictures,
            without_picture=dict(self._without),
            created=self._created,
            report=self._path if self._path.exists() else None,
        )
        line = {**report.__dict__, "report": str(report.report) if report.report else None}
        kept = self._bench.layout.reports / "imports.jsonl"
        with storage_errors(kept, "write"), kept.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
        return report


def _chunks(values: Iterator[Picture], size: int) -> Iterator[list[Picture]]:
    while batch := list(islice(values, size)):
        yield batch


def _names_pictures(path: Path, options: ImportOptions) -> bool:
    """Whether a table of items holds or names pictures."""
    schema = _schema(path, options)
    return bytes_column(schema) is not None or "image" in schema.names


def _schema(path: Path, options: ImportOptions) -> pa.Schema:
    return next(named_tables("items", path, options.columns, rows=1)).schema


def _pictures(path: Path, options: ImportOptions) -> Iterator[Picture]:
    """Pictures of a table's items: in the table, in parquet shards, or in a folder."""
    images = options.images
    if images is not None and images.is_file():
        return shard_pictures([images])
    if images is not None and "image" not in _schema(path, options).names:
        return folder_pictures(ImageFolder(images))
    return table_pictures(path, images, given=options.columns)


def _items_of_folder(folder: Path) -> Iterator[SourceTable]:
    """A folder of pictures as items: the file's stem is the id and the title, its folders the category."""
    names = [Path(name) for name in ImageFolder(folder).files()]
    yield SourceTable(
        "items",
        pa.table(
            {
                "item_id": [path.stem for path in names],
                "title": [path.stem.replace("_", " ").replace("-", " ") for path in names],
                "category": pa.array(
                    [path.parent.as_posix() if path.parent != Path() else None for path in names], pa.string()
                ),
            }
        ),
        folder.name,
    )
