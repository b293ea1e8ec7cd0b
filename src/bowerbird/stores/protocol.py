"""What each store promises, whatever keeps it: local disk, memory, or somebody's server.

:mod:`bowerbird.testing.contracts` holds these promises as tests; a store of your own passes them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Float32

from bowerbird.records import Campaign, Events, Items, SignalCard, Space, Users, Vectors, Vocabulary


@runtime_checkable
class Catalogue(Protocol):
    """Items, users and campaigns by id. Known ids keep their row for ever; new ones are appended."""

    def upsert_items(self, items: Items) -> int:
        """Add or change items; returns how many are new or differ from before."""
        ...

    def items(self) -> Items:
        """The live items, in row order."""
        ...

    def upsert_users(self, users: Users) -> int:
        """Add or change users; returns how many are new or differ from before."""
        ...

    def users(self) -> Users:
        """The live users, in row order."""
        ...

    def upsert_campaigns(self, table: pa.Table) -> int:
        """Add or change campaigns; returns how many are new or differ from before."""
        ...

    def campaigns(self) -> list[Campaign]:
        """The live campaigns, in row order."""
        ...

    def fingerprint(self) -> str:
        """A hash of all content, whatever order it came in."""
        ...


@runtime_checkable
class EventLog(Protocol):
    """Everything that happened, each event once, however often it is sent."""

    @property
    def logical_time(self) -> bool:
        """Whether times are only an order (the data had none), not moments of a calendar."""
        ...

    @logical_time.setter
    def logical_time(self, value: bool) -> None:
        """Remember it."""
        ...

    def append(self, events: Events) -> int:
        """Add events whose id is new, all or none; returns how many. They are safe on return."""
        ...

    def read(self, as_of: int | None = None) -> Events:
        """The events strictly before a time, by time and then arrival."""
        ...

    def read_since(self, sequence: int) -> tuple[Events, int]:
        """The events that arrived after a point (0: all), and the point to pass next."""
        ...

    def count(self) -> int:
        """How many events there are."""
        ...

    def fingerprint(self, as_of: int | None = None) -> str:
        """A hash of the events strictly before a time, whatever order they came in. Cheap."""
        ...

    def forget(self, *, user_id: str | None = None, item_id: str | None = None) -> int:
        """Remove a person's events, or an item's, wherever they are kept; returns how many are gone."""
        ...

    def forgotten(self, ids: pa.ChunkedArray) -> Bool[np.ndarray, "row"]:
        """Which event ids are of events that were forgotten: a copy that turns up elsewhere must not return."""
        ...

    def seal(self, keep_days: int = 2) -> int:
        """Move complete old days to where they are kept for long; reads stay the same."""
        ...


@runtime_checkable
class MediaStore(Protocol):
    """Bytes by content hash, each content once."""

    def put(self, data: bytes) -> str:
        """Keep bytes; returns their hash."""
        ...

    def put_many(self, blobs: Iterable[bytes]) -> list[str]:
        """Keep many blobs; returns their hashes, in order."""
        ...

    def get(self, name: str) -> bytes:
        """The bytes of a hash; NotFoundError when unknown."""
        ...

    def has(self, name: str) -> bool:
        """Whether the store has the bytes of a hash."""
        ...

    def __len__(self) -> int: ...


@runtime_checkable
class VectorCache(Protocol):
    """Vectors of one space by content hash, so that nothing is encoded twice."""

    @property
    def space(self) -> Space:
        """Where the vectors live."""
        ...

    def missing(self, hashes: Sequence[str]) -> list[str]:
        """The hashes that have no vector yet, each once, in order."""
        ...

    def append(self, hashes: Sequence[str], matrix: Float32[np.ndarray, "row dim"]) -> None:
        """Keep vectors, one row per hash; cached ones stay. They are safe on return."""
        ...

    def get(self, hashes: Sequence[str]) -> Vectors:
        """One row per hash; absent where nothing is cached."""
        ...

    def __len__(self) -> int: ...


@runtime_checkable
class SignalStore(Protocol):
    """Signals by name, with cards, versions and rollback."""

    def put_vectors(self, card: SignalCard, ids: Vocabulary, vectors: Vectors) -> None:
        """Write a vector signal and make it live."""
        ...

    def vectors(self, name: str, ids: Vocabulary, space: Space | None = None) -> Vectors:
        """The live vectors in a vocabulary's order; SpaceMismatchError when not in the space asked for."""
        ...

    def put_table(self, card: SignalCard, table: pa.Table) -> None:
        """Write a signal that is a table and make it live."""
        ...

    def table(self, name: str) -> pa.Table:
        """The live table; NotReadyError when it is not built."""
        ...

    def card(self, name: str) -> SignalCard | None:
        """The live card; None when it is not built."""
        ...

    def cards(self) -> list[SignalCard]:
        """The live card of every signal, by name."""
        ...

    def history(self, name: str) -> list[SignalCard]:
        """The cards of older versions still kept, newest first."""
        ...

    def rollback(self, name: str) -> SignalCard:
        """Switch to the version before; NotFoundError when there is none."""
        ...

    def impact(self, name: str) -> list[str]:
        """Every signal and model made from this one, directly or through others, sorted."""
        ...


@runtime_checkable
class ModelStore(Protocol):
    """Trained models: a folder of files per version."""

    def writing(self, card: SignalCard) -> AbstractContextManager[Path]:
        """An empty folder whose content becomes the live version when the block ends well."""
        ...

    def directory(self, name: str) -> Path:
        """The folder of the live version; NotReadyError when it is not built."""
        ...

    def card(self, name: str) -> SignalCard | None:
        """The live card; None when it is not built."""
        ...

    def cards(self) -> list[SignalCard]:
        """The live card of every model, by name."""
        ...

    def rollback(self, name: str) -> SignalCard:
        """Switch to the version before; NotFoundError when there is none."""
        ...
