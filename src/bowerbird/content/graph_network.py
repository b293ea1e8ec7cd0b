"""What lies around each item in the graph of who keeps what, pooled into tokens for the trained graph network.

Three tokens tell a network what an item is: its own content, that of its neighbours by random walks, pooled by
importance, and that of the collections (or people) that keep it, each the mean of what it holds. The network is the item
tower over these tokens (:class:`~bowerbird.content.unified.UnifiedTower`: one transformer layer, plain NumPy). An item nobody
keeps yet borrows neighbours and collections from the items it resembles, so it gets a vector in the same space.

Source: PinSage (Ying et al., KDD 2018) for walks and importance pooling; OmniSage (arXiv:2504.17811) for tokens by type
under a transformer; borrowing for new items is ours.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float32, Int, Int32, Int64
from scipy import sparse

from bowerbird.arrays import group_offsets, normalise
from bowerbird.content.graph import WalkNeighbours, WalkSettings, propagated, resembled, walk_neighbours
from bowerbird.content.item_parts import Block, ItemParts
from bowerbird.content.unified import TowerInput, UnifiedTower
from bowerbird.randomness import generator
from bowerbird.records.signal import Space, Vectors

__all__ = ["TOKENS", "Neighbourhoods", "graph_space", "neighbourhoods", "network_vectors", "token_inputs"]

TOKENS = ("self", "neighbours", "owners")
"""What a network reads of an item."""
OWNERS = 20
"""Collections read of each item; a random sample where more keep it."""
NEAR = 10
"""Known items a new item borrows from."""


@dataclass(frozen=True)
class Neighbourhoods:
    """What lies around each item.

    Args:
        content: unit vectors of all items; zero rows for items without content.
        items: neighbours of all items, see :func:`~bowerbird.content.graph.walk_neighbours`.
        owners: rows of collections that keep each item; -1 where there are fewer.
        owner_content: unit vectors of collections: the mean content of what each holds.
    """

    content: Float32[np.ndarray, "item dim"]
    items: WalkNeighbours
    owners: Int32[np.ndarray, "item place"]
    owner_content: Float32[np.ndarray, "owner dim"]

    def borrowed(
        self, rows: Int64[np.ndarray, " row"], known: Int64[np.ndarray, " known"]
    ) -> tuple[WalkNeighbours, Int32[np.ndarray, "row place"]]:
        """Neighbours and collections some items would have if nobody kept them: those of the items they resemble.

        Args:
            rows: items.
            known: items that are kept, of which they borrow; never from themselves.
        """
        near, weights = resembled(self.content, rows, known, NEAR)
        each = max(1, OWNERS // max(near.shape[1], 1))
        owners = np.full((rows.size, OWNERS), -1, dtype=np.int32)
        lent = np.where((weights > 0)[:, :, None], self.owners[near][:, :, :each], -1).reshape(rows.size, -1)
        owners[:, : lent.shape[1]] = lent[:, :OWNERS]
        return propagated(near, weights, self.items, self.items.rows.shape[1]), owners

    def parts(self) -> ItemParts:
        """The tokens of all items."""
        items, places = self.owners.shape
        held = self.owners >= 0
        starts = np.broadcast_to(np.arange(items)[:, None], (items, places))[held]
        kept = sparse.coo_array(
            (np.ones(starts.size, np.float32), (starts, self.owners[held])),
            shape=(items, len(self.owner_content)),
        ).tocsr()
        pooled = (
            self.content,
            normalise(np.asarray(self.items.matrix() @ self.content, dtype=np.float32)),
            normalise(np.asarray(kept @ self.owner_content, dtype=np.float32)),
        )
        return ItemParts(
            {name: Block(one, np.abs(one).sum(axis=1) > 0) for name, one in zip(TOKENS, pooled, strict=True)}
        )


def neighbourhoods(
    owners: Int[np.ndarray, " edge"],
    items: Int[np.ndarray, " edge"],
    content: Float32[np.ndarray, "item dim"],
    *,
    seed: int,
    settings: WalkSettings | None = None,
) -> Neighbourhoods:
    """Walk the graph, and let items nobody keeps borrow.

    Args:
        owners: the other side of each edge, a row of a collection or a person, from 0.
        items: item row of each edge.
        content: unit vectors of all items; zero rows for items without content.
        seed: decides walks and samples.
        settings: of the walks; defaults when None.

    Raises:
        InputError: an item row is outside the catalogue.
    """
    total = len(content)
    walked = walk_neighbours(owners, items, items_total=total, seed=seed, settings=settings)
    owners_total = int(owners.max()) + 1 if owners.size else 0
    holds = sparse.coo_array((np.ones(items.size, np.float32), (owners, items)), shape=(owners_total, total))
    own = _sampled(owners, items, total, seed)
    mean = normalise(np.asarray(holds.tocsr() @ content, dtype=np.float32))
    found = Neighbourhoods(content, walked, own, mean)
    kept, described = np.bincount(items, minlength=total) > 0, content.any(axis=1)
    known, fresh = np.flatnonzero(kept & described), np.flatnonzero(~kept & described)
    if not (fresh.size and known.size):
        return found
    rows, weights = walked.rows.copy(), walked.weights.copy()
    lent, lent_owners = found.borrowed(fresh, known)
    rows[fresh], weights[fresh], own[fresh] = lent.rows, lent.weights, lent_owners
    return replace(found, items=WalkNeighbours(rows, weights), owners=own)


def _sampled(
    owners: Int[np.ndarray, " edge"], items: Int[np.ndarray, " edge"], total: int, seed: int
) -> Int32[np.ndarray, "item place"]:
    """At most :data:`OWNERS` collections of each item, drawn at random."""
    order = np.lexsort((generator(seed, "owners").random(items.size), items))
    place = np.arange(order.size) - group_offsets(items[order], total)[items[order]]
    found = np.full((total, OWNERS), -1, dtype=np.int32)
    kept = order[place < OWNERS]
    found[items[kept], place[place < OWNERS]] = owners[kept]
    return found


def token_inputs(dim: int) -> tuple[TowerInput, ...]:
    """The tokens as a tower's inputs, each with a projection of its own."""
    return tuple(TowerInput(name, name, Space(f"graph_{name}", "1", dim)) for name in TOKENS)


def graph_space(tower: UnifiedTower) -> Space:
    """Where a network's vectors live."""
    return Space("graph", tower.space.version, tower.dim)


def network_vectors(tower: UnifiedTower, around: Neighbourhoods) -> Vectors:
    """Vectors of all items by a trained network.

    Args:
        tower: the network, see :func:`bowerbird.training.graph_network.train_graph_network`.
        around: what lies around each item.
    """
    found = tower.project(around.parts())
    return Vectors(graph_space(tower), found.matrix, found.present)
