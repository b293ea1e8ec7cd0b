"""Neighbours of items by random walks with restart over who keeps what: collections, or people.

Two items are close when a short walk item -> collection -> item often leads from one to the other. Hubs are
pruned on both sides: of a collection that holds everything only a sample counts, and an item that everybody
keeps is damped by its popularity. An item nobody keeps has no neighbours here; :func:`propagated` gives
it those of the items it resembles.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int, Int32, Int64
from pydantic import Field
from scipy import sparse

from bowerbird.arrays import group_offsets, top_k_rows
from bowerbird.config import Settings
from bowerbird.errors import InputError
from bowerbird.randomness import generator

__all__ = ["WalkNeighbours", "WalkSettings", "propagated", "resembled", "walk_neighbours"]

BLOCK_ROWS = 1024
"""Items compared with all known ones at a time."""
BLOCK_STEPS = 4_000_000
"""Walk positions counted at once: about 100 MB."""


class WalkSettings(Settings):
    """How far walks go, and how hubs are pruned. Defaults were chosen on held-out saves of one set."""

    walks: int = Field(default=200, ge=1, le=100_000)
    """Walks from each item."""
    steps: int = Field(default=6, ge=1, le=100)
    """Item-to-item steps of a walk, a restart included."""
    restart: float = Field(default=0.5, ge=0.0, le=1.0)
    """Probability that a step begins at the start again; 1 looks only at items kept together."""
    hub_items: int = Field(default=200, ge=2)
    """A collection of more items counts as a random sample of so many."""
    popularity_damping: float = Field(default=0.25, ge=0.0, le=1.0)
    """Visits of an item kept ``c`` times are divided by ``c**popularity_damping``; 0 favours popular items."""
    neighbours: int = Field(default=50, ge=1, le=10_000)
    """Neighbours kept of each item."""


@dataclass(frozen=True)
class WalkNeighbours:
    """The nearest items of each item, best first."""

    rows: Int32[np.ndarray, "item place"]
    """Item rows; -1 where an item has fewer neighbours."""
    weights: Float32[np.ndarray, "item place"]
    """Importance: shares of the item's damped visits, adding up to 1; 0 beside a row of -1."""

    def matrix(self) -> sparse.csr_array:
        """The same as a table, item by item."""
        items, places = self.rows.shape
        held = self.rows >= 0
        starts = np.broadcast_to(np.arange(items)[:, None], (items, places))[held]
        return sparse.coo_array((self.weights[held], (starts, self.rows[held])), shape=(items, items)).tocsr()


def walk_neighbours(
    owners: Int[np.ndarray, " edge"],
    items: Int[np.ndarray, " edge"],
    *,
    items_total: int,
    seed: int,
    settings: WalkSettings | None = None,
) -> WalkNeighbours:
    """The items most visited by short random walks from each item.

    Args:
        owners: the other side of each edge, a row of a collection or a person, from 0.
        items: item row of each edge; an item kept twice is twice as likely a step.
        items_total: size of the catalogue.
        seed: decides the walks.
        settings: the dials; defaults when None.

    Raises:
        InputError: an item row is outside the catalogue.

    Cost: ``items * walks * steps`` random steps, about 10 million a second.

    Source: Pixie (Eksombatchai et al., WWW 2018) for walks with restart and pruned hubs; importance by
    visit counts is PinSage's (Ying et al., KDD 2018, section 3.1). The damping by popularity is ours.
    """
    dials = settings or WalkSettings()
    if items.size and not 0 <= int(items.min()) <= int(items.max()) < items_total:
        raise InputError(
            f"walk_neighbours: item rows {int(items.min())}..{int(items.max())}; expected rows in 0..{items_total - 1}"
        )
    random = generator(seed, "walks")
    kept = _without_hubs(owners, dials.hub_items, random)
    graph = _Graph.of(owners[kept], items[kept], items_total)
    degree = np.maximum(np.diff(graph.item_starts), 1).astype(np.float32)
    rows = np.full((items_total, dials.neighbours), -1, dtype=np.int32)
    weights = np.zeros((items_total, dials.neighbours), dtype=np.float32)
    block = max(1, BLOCK_STEPS // (dials.walks * dials.steps))
    for first in range(0, items_total, block):
        part = slice(first, min(first + block, items_total))
        starts = np.repeat(np.arange(part.start, part.stop, dtype=np.int64), dials.walks)
        visits = graph.visits(starts, dials, random, part)
        visits.data = visits.data / degree[visits.indices] ** dials.popularity_damping
        rows[part], weights[part] = _nearest(visits, dials.neighbours)
    return WalkNeighbours(rows, weights)


def propagated(
    near: Int[np.ndarray, "item place"],
    similarity: Float32[np.ndarray, "item place"],
    neighbours: WalkNeighbours,
    n: int,
) -> WalkNeighbours:
    """Neighbours for items nobody keeps yet: the items they resemble, and those items' neighbours.

    ``weight(x, j) = sum_i similarity(x, i) (1[i = j] + weight(i, j))``, the ``n`` largest, adding up to 1.

    Args:
        near: for each new item, the rows of known items that resemble it; -1 where there are fewer.
        similarity: how much, 0 or more.
        neighbours: of the known items.
        n: how many to keep.
    """
    items = neighbours.rows.shape[0]
    held = near >= 0
    lines = np.broadcast_to(np.arange(near.shape[0])[:, None], near.shape)[held]
    alike = sparse.coo_array((similarity[held], (lines, near[held])), shape=(near.shape[0], items)).tocsr()
    return WalkNeighbours(*_nearest(sparse.csr_array(alike + alike @ neighbours.matrix()), n))


def resembled(
    content: Float32[np.ndarray, "item dim"],
    asked: Int[np.ndarray, " new"],
    known: Int[np.ndarray, " known"],
    near: int,
) -> tuple[Int64[np.ndarray, "new place"], Float32[np.ndarray, "new place"]]:
    """The known items some items resemble most, never themselves, and how much: the fourth power of the cosine.

    Args:
        content: unit vectors of all items.
        asked: rows of the items asked about.
        known: rows that may be resembled.
        near: how many; fewer come back where fewer are known.

    Returns:
        Rows and weights; an item that is known itself has one place less, with weight 0.

    Cost: a product of all asked with all known items.
    """
    count = min(near, known.size)
    rows = np.empty((asked.size, count), dtype=np.int64)
    weights = np.empty((asked.size, count), dtype=np.float32)
    for first in range(0, asked.size if count else 0, BLOCK_ROWS):
        part = slice(first, min(first + BLOCK_ROWS, asked.size))
        alike = content[asked[part]] @ content[known].T
        alike[asked[part][:, None] == known[None, :]] = 0.0
        best = top_k_rows(alike, count)
        rows[part] = known[best]
        # the nearest count most
        weights[part] = np.maximum(np.take_along_axis(alike, best, axis=1), 0.0) ** 4
    return rows, weights


@dataclass(frozen=True)
class _Graph:
    """Both directions of the edges, as ragged rows."""

    item_starts: Int64[np.ndarray, " item_bound"]
    owners_of_item: Int64[np.ndarray, " edge"]
    owner_starts: Int64[np.ndarray, " owner_bound"]
    items_of_owner: Int64[np.ndarray, " edge"]

    @classmethod
    def of(
        cls, owners: Int[np.ndarray, " edge"], items: Int[np.ndarray, " edge"], items_total: int
    ) -> _Graph:
        by_item, by_owner = np.argsort(items, kind="stable"), np.argsort(owners, kind="stable")
        owners_total = int(owners.max()) + 1 if owners.size else 0
        return cls(
            group_offsets(items[by_item], items_total),
            owners[by_item].astype(np.int64),
            group_offsets(owners[by_owner], owners_total),
            items[by_owner].astype(np.int64),
        )

    def visits(
        self,
        starts: Int64[np.ndarray, " walk"],
        dials: WalkSettings,
        random: np.random.Generator,
        part: slice,
    ) -> sparse.csr_array:
        """Visits from each item of a part of the catalogue; the start itself is no visit."""
        starts = starts[np.diff(self.item_starts)[starts] > 0]
        at = starts.copy()
        reached = np.empty((dials.steps, starts.size), dtype=np.int64)
        for step in range(dials.steps):
            if step:
                at = np.where(random.random(at.size) < dials.restart, starts, at)
            owner = _random_of(self.owners_of_item, self.item_starts, at, random)
            at = _random_of(self.items_of_owner, self.owner_starts, owner, random)
            reached[step] = at
        lines = np.broadcast_to(starts - part.start, reached.shape)
        away = reached != starts
        shape = (part.stop - part.start, self.item_starts.size - 1)
        ones = np.ones(int(away.sum()), dtype=np.float32)
        return sparse.coo_array((ones, (lines[away], reached[away])), shape=shape).tocsr()


def _random_of(
    values: Int64[np.ndarray, " edge"],
    bounds: Int64[np.ndarray, " bound"],
    groups: Int64[np.ndarray, " walk"],
    random: np.random.Generator,
) -> Int64[np.ndarray, " walk"]:
    size = bounds[groups + 1] - bounds[groups]
    return values[bounds[groups] + (random.random(groups.size) * size).astype(np.int64)]


def _without_hubs(
    owners: Int[np.ndarray, " edge"], most: int, random: np.random.Generator
) -> Int64[np.ndarray, " kept"]:
    """Edges that stay: of each owner at most so many, drawn at random."""
    order = np.lexsort((random.random(owners.size), owners))
    starts = group_offsets(owners[order], int(owners.max()) + 1 if owners.size else 0)
    place = np.arange(owners.size) - starts[owners[order]]
    return np.sort(order[place < most])


def _nearest(
    table: sparse.csr_array, n: int
) -> tuple[Int32[np.ndarray, "item place"], Float32[np.ndarray, "item place"]]:
    """The ``n`` largest entries of each sparse row, scaled to add up to 1."""
    order = np.lexsort(
        (table.indices, -table.data, np.repeat(np.arange(table.shape[0]), np.diff(table.indptr)))
    )
    place = np.arange(order.size) - np.repeat(table.indptr[:-1], np.diff(table.indptr))
    kept = place < n
    lines = np.repeat(np.arange(table.shape[0]), np.diff(table.indptr))[kept]
    rows = np.full((table.shape[0], n), -1, dtype=np.int32)
    weights = np.zeros((table.shape[0], n), dtype=np.float32)
    rows[lines, place[kept]] = table.indices[order[kept]]
    weights[lines, place[kept]] = table.data[order[kept]]
    total = weights.sum(axis=1, keepdims=True)
    return rows, weights / np.where(total > 0, total, 1.0)
