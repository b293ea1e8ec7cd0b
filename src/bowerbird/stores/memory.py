"""Every store in memory: the slow obvious twins, for tests and for worlds that need no disk."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Float32

from bowerbird.errors import NotFoundError, NotReadyError
from bowerbird.records import (
    CAMPAIGN_SCHEMA,
    EVENT_SCHEMA,
    Campaign,
    Events,
    Items,
    SignalCard,
    Space,
    Users,
    Vectors,
    Vocabulary,
)
from bowerbird.records.tables import conformed
from bowerbird.stores.catalogue import TABLES, campaigns_of, content_hash, joined_hash, upserted
from bowerbird.stores.event_rows import canonical
from bowerbird.stores.media import checked_content_name, content_name
from bowerbird.stores.registry import VERSIONS_KEPT, checked_name, impacted
from bowerbird.stores.row_hash import digest
from bowerbird.stores.segments import STORED_SCHEMA, in_order, lane_sums, stored
from bowerbird.stores.signals import aligned_vectors, checked_table, required_space, vector_table
from bowerbird.stores.vector_cache import checked_vectors


class MemoryCatalogue:
    """A catalogue that is gone when its process ends."""

    def __init__(self) -> None:
        self._tables = {kind: schema.empty_table() for kind, (schema, _) in TABLES.items()}

    def upsert_items(self, items: Items) -> int:
        """Add or change items; returns how many are new or differ from before."""
        return self._upsert("items", items.table)

    def items(self) -> Items:
        """The live items, in row order."""
        return Items(self._tables["items"])

    def upsert_users(self, users: Users) -> int:
        """Add or change users; returns how many are new or differ from before."""
        return self._upsert("users", users.table)

    def users(self) -> Users:
        """The live users, in row order."""
        return Users(self._tables["users"])

    def upsert_campaigns(self, table: pa.Table) -> int:
        """Add or change campaigns; returns how many are new or differ from before."""
        return self._upsert("campaigns", conformed(table, CAMPAIGN_SCHEMA, "campaigns"))

    def campaigns(self) -> list[Campaign]:
        """The live campaigns, in row order."""
        return campaigns_of(self._tables["campaigns"])

    def fingerprint(self) -> str:
        """A hash of all content, whatever order it came in."""
        return joined_hash({kind: content_hash(table) for kind, table in self._tables.items() if len(table)})

    def _upsert(self, kind: str, new: pa.Table) -> int:
        self._tables[kind], changed = upserted(self._tables[kind], new, TABLES[kind][1])
        return changed


class MemoryEventLog:
    """An event log that is gone when its process ends; sealing changes nothing here."""

    def __init__(self) -> None:
        self._rows = STORED_SCHEMA.empty_table()
        self._ids: set[str] = set()
        self._forgotten: set[str] = set()
        self._arrived = 0
        self.logical_time = False

    def append(self, events: Events) -> int:
        """Add events whose id is new; returns how many."""
        table = canonical(events.table)
        ids = table.column("event_id").to_pylist()
        new = table.filter(pa.array([name not in self._ids for name in ids], pa.bool_()))
        self._ids.update(ids)
        self._rows = pa.concat_tables([self._rows, stored(new, self._arrived + 1)])
        self._arrived += len(new)
        return len(new)

    def forget(self, *, user_id: str | None = None, item_id: str | None = None) -> int:
        """Remove a person's events, or an item's; their ids stay known. Returns how many are gone."""
        rows = self._rows.select(["user_id", "item_id"]).to_pylist()
        stays = [
            (user_id is None or row["user_id"] != user_id) and (item_id is None or row["item_id"] != item_id)
            for row in rows
        ]
        ids = self._rows.column("event_id").to_pylist()
        self._forgotten.update(name for name, kept in zip(ids, stays, strict=True) if not kept)
        self._rows = self._rows.filter(pa.array(stays, pa.bool_()))
        return stays.count(False)

    def forgotten(self, ids: pa.ChunkedArray) -> Bool[np.ndarray, "row"]:
        """Which event ids are of events that were forgotten."""
        return np.array([name in self._forgotten for name in ids.to_pylist()], dtype=bool)

    def read(self, as_of: int | None = None) -> Events:
        """The events strictly before a time, by time and then arrival."""
        return _events(self._before(as_of))

    def read_since(self, sequence: int) -> tuple[Events, int]:
        """The events that arrived after a point (0: all), and the point to pass next."""
        later = pa.array(self._rows.column("sequence").to_numpy() > sequence)
        return _events(self._rows.filter(later)), self._arrived

    def count(self) -> int:
        """How many events there are."""
        return len(self._rows)

    def fingerprint(self, as_of: int | None = None) -> str:
        """A hash of the events strictly before a time, whatever order they came in."""
        rows = self._before(as_of)
        return digest(len(rows), lane_sums(rows))

    def seal(self, keep_days: int = 2) -> int:
        """Nothing moves in memory; returns 0."""
        return 0 * keep_days

    def _before(self, as_of: int | None) -> pa.Table:
        if as_of is None:
            return self._rows
        return self._rows.filter(pa.array(self._rows.column("at").to_numpy() < as_of))


class MemoryMedia:
    """A media store that is gone when its process ends."""

    def __init__(self) -> None:
        self._blobs: dict[str, bytes] = {}

    def put(self, data: bytes) -> str:
        """Keep bytes; returns their hash."""
        name = content_name(data)
        self._blobs[name] = data
        return name

    def put_many(self, blobs: Iterable[bytes]) -> list[str]:
        """Keep many blobs; returns their hashes, in order."""
        return [self.put(data) for data in blobs]

    def get(self, name: str) -> bytes:
        """The bytes of a hash.

        Raises:
            NotFoundError: the hash is not in the store.
        """
        if not self.has(name):
            raise NotFoundError(f"media {name!r} is not in memory; import the picture again")
        return self._blobs[name]

    def has(self, name: str) -> bool:
        """Whether the store has the bytes of a hash."""
        return checked_content_name(name) in self._blobs

    def __len__(self) -> int:
        return len(self._blobs)


class MemoryVectorCache:
    """A vector cache that is gone when its process ends."""

    def __init__(self, space: Space) -> None:
        self.space = space
        self._rows: dict[str, Float32[np.ndarray, "dim"]] = {}

    def missing(self, hashes: Sequence[str]) -> list[str]:
        """The hashes that have no vector yet, each once, in order."""
        return [name for name in dict.fromkeys(hashes) if name not in self._rows]

    def append(self, hashes: Sequence[str], matrix: Float32[np.ndarray, "row dim"]) -> None:
        """Keep vectors, one row per hash; cached ones stay.

        Raises:
            InputError: the shapes disagree, or a value is not finite.
        """
        checked_vectors(self.space, hashes, matrix)
        for name, row in zip(hashes, matrix, strict=True):
            self._rows.setdefault(name, row.copy())

    def get(self, hashes: Sequence[str]) -> Vectors:
        """One row per hash; absent where nothing is cached."""
        zero = np.zeros(self.space.dim, dtype=np.float32)
        rows = [self._rows.get(name, zero) for name in hashes]
        present = np.array([name in self._rows for name in hashes], dtype=bool)
        return Vectors(
            self.space, np.array(rows, dtype=np.float32).reshape(len(hashes), self.space.dim), present
        )

    def __len__(self) -> int:
        return len(self._rows)


class MemorySignals:
    """Signals that are gone when their process ends."""

    def __init__(self) -> None:
        self._versions: dict[str, list[tuple[SignalCard, pa.Table]]] = {}

    def put_vectors(self, card: SignalCard, ids: Vocabulary, vectors: Vectors) -> None:
        """Write a vector signal and make it live."""
        self._put(card, vector_table(card, ids, vectors))

    def vectors(self, name: str, ids: Vocabulary, space: Space | None = None) -> Vectors:
        """The live vectors in a vocabulary's order; absent where there is none."""
        card, table = self._live(name)
        return aligned_vectors(table, required_space(card, space), ids)

    def put_table(self, card: SignalCard, table: pa.Table) -> None:
        """Write a signal that is a table and make it live."""
        self._put(card, checked_table(card, table))

    def table(self, name: str) -> pa.Table:
        """The live table."""
        return self._live(name)[1]

    def card(self, name: str) -> SignalCard | None:
        """The live card; None when it is not built."""
        return self._versions[name][-1][0] if name in self._versions else None

    def cards(self) -> list[SignalCard]:
        """The live card of every signal, by name."""
        return [versions[-1][0] for _, versions in sorted(self._versions.items())]

    def history(self, name: str) -> list[SignalCard]:
        """The cards of older versions still kept, newest first."""
        return [card for card, _ in self._versions.get(name, [])[-2::-1]]

    def rollback(self, name: str) -> SignalCard:
        """Switch to the version before.

        Raises:
            NotReadyError: the signal is not built.
            NotFoundError: there is no older version.
        """
        return _rolled_back(self._live(name)[0], self._versions[name])

    def impact(self, name: str) -> list[str]:
        """Every signal made from this one, directly or through others, sorted."""
        return impacted(name, self.cards())

    def _put(self, card: SignalCard, table: pa.Table) -> None:
        versions = self._versions.get(checked_name(card.name), [])
        self._versions[card.name] = [*versions, (card, table)][-VERSIONS_KEPT:]

    def _live(self, name: str) -> tuple[SignalCard, pa.Table]:
        if name not in self._versions:
            raise NotReadyError(f"signal {name!r} is not built; run `bowerbird build`")
        return self._versions[name][-1]


class MemoryModels:
    """Models in a folder of the caller's, which needs no workspace.

    Args:
        folder: where files may be put, e.g. a test's temporary folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._written = 0
        self._versions: dict[str, list[tuple[SignalCard, Path]]] = {}

    @contextmanager
    def writing(self, card: SignalCard) -> Iterator[Path]:
        """An empty folder whose content becomes the live version when the block ends well."""
        self._written += 1
        place = self._folder / f"{checked_name(card.name)}-{self._written}"
        place.mkdir(parents=True)
        try:
            yield place
        except BaseException:  # interrupted or failed alike, the half-made model goes
            shutil.rmtree(place)
            raise
        self._versions[card.name] = [*self._versions.get(card.name, []), (card, place)][-VERSIONS_KEPT:]

    def directory(self, name: str) -> Path:
        """The folder of the live version."""
        return self._live(name)[1]

    def card(self, name: str) -> SignalCard | None:
        """The live card; None when it is not built."""
        return self._versions[name][-1][0] if name in self._versions else None

    def cards(self) -> list[SignalCard]:
        """The live card of every model, by name."""
        return [versions[-1][0] for _, versions in sorted(self._versions.items())]

    def rollback(self, name: str) -> SignalCard:
        """Switch to the version before.

        Raises:
            NotReadyError: the model is not built.
            NotFoundError: there is no older version.
        """
        return _rolled_back(self._live(name)[0], self._versions[name])

    def _live(self, name: str) -> tuple[SignalCard, Path]:
        if name not in self._versions:
            raise NotReadyError(f"model {name!r} is not built; run `bowerbird build`")
        return self._versions[name][-1]


def _rolled_back(live: SignalCard, versions: list) -> SignalCard:
    if len(versions) < 2:
        raise NotFoundError(f"{live.name!r}: there is no version before {live.version!r}")
    versions.pop()
    return versions[-1][0]


def _events(rows: pa.Table) -> Events:
    return Events(in_order(rows).select(EVENT_SCHEMA.names).combine_chunks())
