"""Reading every live item signal of one item, whatever signals there are.

A signal is read by the shape of its table, so one that is new today needs no code here:

=============  ==========================================================================================
column         read as
=============  ==========================================================================================
item           ``item_id``, ``id`` or ``item_row``
value          ``value``, ``path``, ``label`` or ``canonical``: each row is one fact; without one of them
               each further column is a fact
name           ``attribute`` or ``name``: what the value is of
confidence     ``confidence``, ``probability`` or ``score``
abstained      true: a guess the signal does not stand by
evidence       ``evidence``: ids of the items it rests on; ``similarity`` beside it: how near they are
others         details of the fact
=============  ==========================================================================================

Vectors are shown by what is nearest to them in their own space.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bowerbird.arrays import top_k
from bowerbird.pipeline.release import Release
from bowerbird.records.event import ACTIONS
from bowerbird.records.portrait import Evidence, ItemPortrait, ItemSignal, SignalFact
from bowerbird.records.signal import SignalCard, Vectors
from bowerbird.stores.signals import aligned_vectors
from bowerbird.workspace.workbench import Workbench

__all__ = ["Portraits"]

NEIGHBOURS = 8
"""Items shown as the surroundings of a vector."""
SHOWN_MEMBERS = 24
SHOWN_COLLECTIONS = 20

_IDS = ("item_id", "id")
_VALUES = ("value", "path", "label", "canonical")
_NAMES = ("attribute", "name")
_CONFIDENCES = ("confidence", "probability", "score")


class Portraits:
    """All that a live build knows of its items. Tables are read once.

    Args:
        bench: the workspace's stores.
        release: what was loaded from them; its vectors are not read again.
    """

    def __init__(self, bench: Workbench, release: Release) -> None:
        self._bench = bench
        self._release = release
        self._cards = [card for card in bench.signals.cards() if card.entity == "item"]
        self._tables: dict[str, pa.Table] = {}

    def of(self, item_id: str, as_of: int | None = None) -> ItemPortrait:
        """Everything known of an item.

        Args:
            item_id: which.
            as_of: events at or after it are not counted; the build's time when None.

        Raises:
            NotFoundError: the catalogue has no such item.
        """
        row, release = self._release.item_row(item_id), self._release
        here, until = np.array([row], dtype=np.int32), release.as_of if as_of is None else as_of
        counts = {name: int(release.counts.counts(here, (name,), 0, until)[0]) for name in ACTIONS}
        return ItemPortrait(
            item_id,
            row,
            {name: count for name, count in counts.items() if count},
            self._collections(item_id),
            tuple(self._signal(card, item_id, row) for card in self._cards),
        )

    def _signal(self, card: SignalCard, item_id: str, row: int) -> ItemSignal:
        if card.kind == "vector":
            facts = self._vector_facts(card, row)
        else:
            facts = self._table_facts(card.name, item_id, row)
        space = card.space.key if card.space is not None else None
        return ItemSignal(card.name, card.kind, card.version, card.producer, card.as_of, space, facts)

    def _vector_facts(self, card: SignalCard, row: int) -> tuple[SignalFact, ...]:
        held = (one for one in self._release.vectors.values() if one.space == card.space)
        vectors = next(held, None)
        if vectors is None and card.space is not None:
            vectors = aligned_vectors(self._table(card.name), card.space, self._release.items.vocabulary)
        if vectors is None or not vectors.present[row]:
            return ()
        return (SignalFact(f"{vectors.space.dim} numbers", evidence=self._nearest(vectors, row)),)

    def _nearest(self, vectors: Vectors, row: int) -> tuple[Evidence, ...]:
        similarity = vectors.matrix @ vectors.matrix[row]
        similarity[~vectors.present] = -np.inf
        similarity[row] = -np.inf
        ids = self._release.items.vocabulary.ids
        return tuple(Evidence(ids[at], float(similarity[at])) for at in top_k(similarity, NEIGHBOURS))

    def _table_facts(self, name: str, item_id: str, row: int) -> tuple[SignalFact, ...]:
        table = self._table(name)
        column = next((one for one in _IDS if one in table.column_names), None)
        if column is not None:
            mine = table.filter(pc.equal(table.column(column), item_id))
        elif "item_row" in table.column_names:
            column = "item_row"
            mine = table.filter(pc.equal(table.column(column), row))
        else:
            return ()
        rest = [one for one in table.column_names if one not in (*_IDS, "item_row")]
        value = next((one for one in _VALUES if one in rest), None)
        lines = mine.select(rest).to_pylist()
        if value is None:
            return tuple(fact for line in lines for fact in _one_fact_a_column(line))
        facts = tuple(_one_fact(line, value) for line in lines)
        return self._with_members(facts, table, column) if value == "canonical" else facts

    def _with_members(
        self, facts: tuple[SignalFact, ...], table: pa.Table, column: str
    ) -> tuple[SignalFact, ...]:
        """Facts of a group with the group's items as their evidence."""
        found = []
        for fact in facts:
            members = table.filter(pc.equal(table.column("canonical"), fact.value)).column(column)
            ids = [one for one in members.to_pylist() if one is not None][:SHOWN_MEMBERS]
            found.append(SignalFact(fact.value, "canonical", evidence=tuple(Evidence(one) for one in ids)))
        return tuple(found)

    def _collections(self, item_id: str) -> tuple[str, ...]:
        table = self._bench.events.table
        if "collection_id" not in table.column_names:
            return ()
        kept = table.filter(
            pc.and_(pc.equal(table.column("item_id"), item_id), pc.is_valid(table.column("collection_id")))
        )
        often = Counter(kept.column("collection_id").to_pylist())
        return tuple(name for name, _ in often.most_common(SHOWN_COLLECTIONS))

    def _table(self, name: str) -> pa.Table:
        if name not in self._tables:
            self._tables[name] = self._bench.signals.table(name)
        return self._tables[name]


def _one_fact(line: Mapping[str, Any], value: str) -> SignalFact:
    """A row of a long table: one value with its name, confidence and evidence."""
    name = next((one for one in _NAMES if one in line and one != value), None)
    sure = next((one for one in _CONFIDENCES if line.get(one) is not None), None)
    known = {value, name, sure, "abstained", "evidence", "similarity"}
    return SignalFact(
        _text(line[value]),
        _text(line[name]) if name else "",
        float(line[sure]) if sure else None,
        bool(line.get("abstained")),
        {key: _text(cell) for key, cell in line.items() if key not in known and cell is not None},
        _evidence(line.get("evidence"), line.get("similarity")),
    )


def _one_fact_a_column(line: Mapping[str, Any]) -> list[SignalFact]:
    """A row of a wide table: every column is a fact of its own; a share in [0, 1] is not taken for a confidence."""
    evidence = _evidence(line.get("evidence"), line.get("similarity"))
    skipped = ("evidence", "similarity")
    return [
        SignalFact(_text(cell), name, evidence=evidence)
        for name, cell in line.items()
        if name not in skipped and cell is not None
    ]


def _evidence(ids: object, similarity: object) -> tuple[Evidence, ...]:
    if not isinstance(ids, list):
        return ()
    near = similarity if isinstance(similarity, list) else [None] * len(ids)
    return tuple(
        Evidence(str(one), None if far is None else float(far)) for one, far in zip(ids, near, strict=False)
    )


def _text(cell: object) -> str:
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, float):
        return f"{cell:.4g}"
    if isinstance(cell, list):
        return ", ".join(_text(one) for one in cell)
    if isinstance(cell, dict):
        return ", ".join(f"{key} {_text(one)}" for key, one in cell.items())
    return str(cell)
