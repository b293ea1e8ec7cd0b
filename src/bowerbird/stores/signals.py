"""Signals on the local disk: one Lance dataset per signal, one version per build."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pyarrow as pa

from bowerbird.errors import InputError, NotReadyError, SpaceMismatchError
from bowerbird.records import SignalCard, Space, Vectors, Vocabulary
from bowerbird.stores.layout import Layout
from bowerbird.stores.registry import Entry, Registry, checked_name
from bowerbird.stores.vector_columns import column_of, matrix_of


class LocalSignals:
    """Every signal of a workspace with its card: what it is, who made it, in which space.

    Builds write a new version and then flip the registry to it, so readers never see half a signal
    and a killed build leaves the version before live. The last three versions are kept.

    Args:
        layout: the workspace; its folders exist.
        draft: write versions that are not live until the registry's draft is promoted.
    """

    def __init__(self, layout: Layout, *, draft: bool = False) -> None:
        self._folder = layout.signals
        self._registry = Registry(layout, draft=draft)

    def put_vectors(self, card: SignalCard, ids: Vocabulary, vectors: Vectors) -> None:
        """Write a vector signal and make it live.

        Args:
            card: what it is; its space must be that of the vectors.
            ids: which entity each row belongs to.
            vectors: one row per id; absent rows are not kept.

        Raises:
            InputError: the ids and rows do not fit.
            SpaceMismatchError: the card names another space than the vectors have.
            StorageError: the system refused; the version before stays live.
        """
        self._put(card, vector_table(card, ids, vectors))

    def vectors(self, name: str, ids: Vocabulary, space: Space | None = None) -> Vectors:
        """The live vectors of a signal, one row per id of a vocabulary; absent where there is none.

        Args:
            name: the signal.
            ids: whose vectors, in which order.
            space: what the caller can compare with; None for any.

        Raises:
            NotReadyError: the signal is not built, or holds no vectors.
            SpaceMismatchError: the signal lives in another space.
        """
        entry = self._registry.live("signals", name)
        stored_space = required_space(entry.card, space)
        return aligned_vectors(self._read(entry), stored_space, ids)

    def put_table(self, card: SignalCard, table: pa.Table) -> None:
        """Write a signal that is a table and make it live.

        Raises:
            InputError: the table has no columns.
            StorageError: the system refused; the version before stays live.
        """
        self._put(card, checked_table(card, table))

    def table(self, name: str) -> pa.Table:
        """The live table of a signal; a vector signal gives columns ``id`` and ``vector``.

        Raises:
            NotReadyError: the signal is not built.
        """
        return self._read(self._registry.live("signals", name))

    def card(self, name: str) -> SignalCard | None:
        """The live card of a signal; None when it is not built."""
        entries = self._registry.versions("signals", name)
        return entries[-1].card if entries else None

    def cards(self) -> list[SignalCard]:
        """The live card of every signal, by name."""
        return self._registry.live_cards("signals")

    def history(self, name: str) -> list[SignalCard]:
        """The cards of older versions still kept, newest first."""
        return [entry.card for entry in self._registry.versions("signals", name)[-2::-1]]

    def rollback(self, name: str) -> SignalCard:
        """Switch to the version before; returns its card.

        Raises:
            NotReadyError: the signal is not built.
            NotFoundError: there is no older version.
        """
        return self._registry.rollback("signals", name)

    def replace(self, name: str, table: pa.Table) -> None:
        """Put another table in the place of the live one, and give up every version before: none leads back.

        For what must be forgotten; the card stays, but for its number of rows.

        Raises:
            NotReadyError: the signal is not built.
            StorageError: the system refused.
        """
        card = dataclasses.replace(self._registry.live("signals", name).card, rows=len(table))
        self._put(card, table)
        self.keep_live(name)

    def keep_live(self, name: str) -> None:
        """Give up every version but the live one.

        Raises:
            NotReadyError: the signal is not built.
        """
        from bowerbird.stores.lance_table import drop_versions

        kept = self._registry.keep_live("signals", name)
        drop_versions(self._path(name), {int(entry.place) for entry in kept})

    def impact(self, name: str) -> list[str]:
        """Every signal and model made from this one, directly or through others."""
        return self._registry.impact(name)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.lance"

    def _read(self, entry: Entry) -> pa.Table:
        from bowerbird.stores.lance_table import read_version

        return read_version(self._path(entry.card.name), int(entry.place))

    def _put(self, card: SignalCard, table: pa.Table) -> None:
        from bowerbird.stores.lance_table import drop_versions, write_version

        path = self._path(checked_name(card.name))
        version = write_version(path, table)
        kept = self._registry.publish("signals", Entry(card, str(version)))
        drop_versions(path, {int(entry.place) for entry in kept})


def checked_table(card: SignalCard, table: pa.Table) -> pa.Table:
    """The table, if it can be kept as a signal.

    Raises:
        InputError: the table has no columns.
    """
    if not table.num_columns:
        raise InputError(f"signal {card.name!r}: the table has no columns; give it at least an id column")
    return table


def vector_table(card: SignalCard, ids: Vocabulary, vectors: Vectors) -> pa.Table:
    """The rows of a vector signal that are present, with their ids.

    Raises:
        InputError: there is not one row per id.
        SpaceMismatchError: the card names another space than the vectors have.
    """
    if card.space != vectors.space:
        named = card.space.key if card.space is not None else "none"
        raise SpaceMismatchError(
            f"signal {card.name!r}: its card names space {named!r}, its vectors have {vectors.space.key!r}; "
            "write the vectors' space into the card"
        )
    if len(ids) != len(vectors):
        raise InputError(
            f"signal {card.name!r}: {len(vectors)} vectors for {len(ids)} ids; expected one row per id"
        )
    rows = np.flatnonzero(vectors.present)
    return pa.table(
        {"id": pa.array(ids.names(rows.tolist()), pa.string()), "vector": column_of(vectors.matrix[rows])}
    )


def required_space(card: SignalCard, space: Space | None) -> Space:
    """The space of a vector signal, which must be the expected one if any is.

    Raises:
        NotReadyError: the signal holds no vectors.
        SpaceMismatchError: the signal lives in another space.
    """
    if card.space is None:
        raise NotReadyError(f"signal {card.name!r} is a {card.kind}, not vectors; read it with table()")
    if space is not None:
        space.require(card.space, f"signal {card.name!r}")
    return card.space


def aligned_vectors(table: pa.Table, space: Space, ids: Vocabulary) -> Vectors:
    """The vectors of a stored table in a vocabulary's order; absent where the table has no row."""
    stored = matrix_of(table.column("vector"))
    rows = ids.rows(table.column("id").to_pylist())
    known = rows >= 0
    matrix = np.zeros((len(ids), space.dim), dtype=np.float32)
    present = np.zeros(len(ids), dtype=bool)
    matrix[rows[known]] = stored[known]
    present[rows[known]] = True
    return Vectors(space, matrix, present)
