"""Item interests, version 1: which categories an item is about.

An item with a category path is about that node and all above it, with score 1. An item without one asks the items
that look and read like it: the score of a node is the share of its neighbours' similarity that falls under the node.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Float32, Int32, Int64
from pydantic import Field
from scipy import sparse

from bowerbird.arrays import group_offsets, normalise, top_k_rows
from bowerbird.config import Settings
from bowerbird.content.taxonomy import Taxonomy
from bowerbird.errors import InputError
from bowerbird.records.signal import Vectors

_BLOCK = 1024
"""Items without category compared at a time: bounds the similarity matrix in memory."""


class ItemInterestSettings(Settings):
    """How items without category get their labels."""

    neighbours: int = Field(default=10, ge=1, le=1000)
    """Items with category that vote."""
    least_share: float = Field(default=0.3, ge=0.0, le=1.0)
    """Share of the votes a node needs."""
    sharpness: float = Field(default=4.0, gt=0)
    """Power of the similarity in a vote: larger trusts the nearest more."""


@dataclass(frozen=True)
class ItemInterests:
    """Interest labels of a catalogue: one entry per (item, node), sorted by item row, then node.

    Args:
        taxonomy: what the nodes mean.
        items: number of items of the catalogue, labelled or not.
        rows: item row of each label.
        nodes: taxonomy row of each label.
        scores: in (0, 1]; a parent's is at least its child's.
        inferred: whether the label came from neighbours, not from the item's own category.

    Raises:
        InputError: the arrays disagree in length, are not sorted, or point outside items or taxonomy.
    """

    taxonomy: Taxonomy
    items: int
    rows: Int32[np.ndarray, "label"]
    nodes: Int32[np.ndarray, "label"]
    scores: Float32[np.ndarray, "label"]
    inferred: Bool[np.ndarray, "label"]

    def __post_init__(self) -> None:
        n = self.rows.shape[0]
        if not n == self.nodes.shape[0] == self.scores.shape[0] == self.inferred.shape[0]:
            raise InputError(
                f"item interests: {n} rows, {self.nodes.shape[0]} nodes, {self.scores.shape[0]} scores"
            )
        keys = self.rows.astype(np.int64) * max(len(self.taxonomy), 1) + self.nodes
        if n and (keys[1:] <= keys[:-1]).any():
            raise InputError("item interests: labels are not sorted by item and node, or one occurs twice")
        if n and (self.rows[0] < 0 or self.rows[-1] >= self.items):
            raise InputError(
                f"item interests: item rows {self.rows[0]}..{self.rows[-1]}, expected 0..{self.items - 1}"
            )
        if n and (self.nodes.min() < 0 or self.nodes.max() >= len(self.taxonomy)):
            raise InputError(f"item interests: node {self.nodes.max()}, expected 0..{len(self.taxonomy) - 1}")

    @property
    def offsets(self) -> Int64[np.ndarray, "bound"]:
        """Item ``i`` owns labels ``offsets[i]:offsets[i + 1]``."""
        return self._offsets

    @cached_property
    def _offsets(self) -> Int64[np.ndarray, "bound"]:
        return group_offsets(self.rows, self.items)

    @property
    def node_paths(self) -> tuple[str, ...]:
        """The taxonomy's paths, by node."""
        return self.taxonomy.paths

    @property
    def node_parents(self) -> Int32[np.ndarray, "node"]:
        """The taxonomy's parents, by node."""
        return self.taxonomy.parents

    @property
    def coverage(self) -> float:
        """Share of items with at least one label, in [0, 1]."""
        return float(np.unique(self.rows).shape[0] / self.items) if self.items else 0.0

    @property
    def inferred_share(self) -> float:
        """Share of items whose labels came from neighbours, in [0, 1]."""
        return float(np.unique(self.rows[self.inferred]).shape[0] / self.items) if self.items else 0.0

    def matrix(self) -> sparse.csr_array:
        """Scores as an item by node matrix, float32."""
        shape = (self.items, len(self.taxonomy))
        return sparse.csr_array((self.scores, self.nodes, self.offsets), shape=shape)

    def of_item(self, row: int) -> tuple[tuple[str, float], ...]:
        """Paths and scores of one item, deepest and strongest first: what a person reads."""
        own = range(int(self.offsets[row]), int(self.offsets[row + 1]))
        depths = self.taxonomy.depths
        order = sorted(own, key=lambda at: (-int(depths[self.nodes[at]]), -float(self.scores[at])))
        return tuple((self.taxonomy.paths[self.nodes[at]], float(self.scores[at])) for at in order)

    def to_table(self) -> pa.Table:
        """The labels as an Arrow table ``item_row, path, score, inferred``; the taxonomy travels in its metadata."""
        table = pa.table(
            {
                "item_row": self.rows,
                "path": pa.array([self.taxonomy.paths[node] for node in self.nodes.tolist()], pa.string()),
                "score": self.scores,
                "inferred": pa.array(self.inferred),
            }
        )
        return table.replace_schema_metadata(
            {"taxonomy": "\n".join(self.taxonomy.paths), "items": str(self.items)}
        )

    @staticmethod
    def from_table(table: pa.Table) -> ItemInterests:
        """The labels of a table made by :meth:`to_table`.

        Raises:
            InputError: the table's metadata does not hold a taxonomy.
        """
        metadata = table.schema.metadata or {}
        if b"taxonomy" not in metadata or b"items" not in metadata:
            raise InputError(
                "item interests table: metadata 'taxonomy' and 'items' are missing; write it with ItemInterests.to_table"
            )
        taxonomy = Taxonomy(tuple(line for line in metadata[b"taxonomy"].decode().split("\n") if line))
        return ItemInterests(
            taxonomy,
            int(metadata[b"items"]),
            table.column("item_row").to_numpy().astype(np.int32),
            taxonomy.rows(table.column("path").to_pylist()),
            table.column("score").to_numpy().astype(np.float32),
            table.column("inferred").to_numpy().astype(bool),
        )


def item_interests(
    categories: Sequence[str | None],
    taxonomy: Taxonomy | None = None,
    vectors: Vectors | None = None,
    settings: ItemInterestSettings | None = None,
) -> ItemInterests:
    """The interest labels of a catalogue.

    Args:
        categories: category path per item row; None or empty where not known.
        taxonomy: the tree to use; made of the categories when absent.
        vectors: item vectors for items without category; without them these items stay without label.
        settings: the defaults when absent.

    Returns:
        Labels; :attr:`ItemInterests.coverage` tells how many items have one.

    Raises:
        InputError: vectors and categories are not of the same catalogue.

    Cost: O(unlabelled * labelled * dim) for the vote, in blocks.
    """
    taxonomy = Taxonomy.from_paths(categories) if taxonomy is None else taxonomy
    settings = ItemInterestSettings() if settings is None else settings
    if vectors is not None and len(vectors) != len(categories):
        raise InputError(
            f"item interests: {len(vectors)} vectors for {len(categories)} items; encode the catalogue again"
        )
    leaves = taxonomy.rows(categories)
    chains = _chains(taxonomy)
    own = sparse.csr_array(chains[np.where(leaves >= 0, leaves, len(taxonomy))])
    voted = _voted(own, leaves >= 0, vectors, settings)
    labels = sparse.coo_array(own if voted is None else own + voted)
    rows, nodes = labels.coords
    order = np.lexsort((nodes, rows))
    rows = rows[order].astype(np.int32)
    return ItemInterests(
        taxonomy,
        len(categories),
        rows,
        nodes[order].astype(np.int32),
        np.minimum(labels.data[order], 1).astype(np.float32),
        leaves[rows] < 0,
    )


def _chains(taxonomy: Taxonomy) -> sparse.csr_array:
    """One row per node with 1 at the node and all above it, and an empty row at the end for no node."""
    rows, columns = [], []
    for node in range(len(taxonomy)):
        chain = [node, *taxonomy.ancestors(node).tolist()]
        rows += [node] * len(chain)
        columns += chain
    shape = (len(taxonomy) + 1, len(taxonomy))
    places = (np.array(rows, dtype=np.int64), np.array(columns, dtype=np.int64))
    return sparse.csr_array((np.ones(len(rows), np.float32), places), shape=shape)


def _voted(
    own: sparse.csr_array,
    labelled: Bool[np.ndarray, "item"],
    vectors: Vectors | None,
    settings: ItemInterestSettings,
) -> sparse.csr_array | None:
    """Shares of the neighbours' votes per node, for items without category; None where nobody can vote."""
    if vectors is None:
        return None
    voters = np.flatnonzero(labelled & vectors.present)
    asking = np.flatnonzero(~labelled & vectors.present)
    if voters.size == 0 or asking.size == 0:
        return None
    known = normalise(vectors.matrix[voters])
    k = min(settings.neighbours, voters.size)
    shares = []
    for start in range(0, asking.size, _BLOCK):
        block = asking[start : start + _BLOCK]
        similarity = normalise(vectors.matrix[block]) @ known.T
        nearest = top_k_rows(similarity, k)
        weight = np.maximum(np.take_along_axis(similarity, nearest, axis=1), 0) ** np.float32(
            settings.sharpness
        )
        total = weight.sum(axis=1, keepdims=True)
        weight = weight / np.where(total > 0, total, 1)
        bounds = np.arange(0, block.size * k + 1, k)
        votes = sparse.csr_array(
            (weight.ravel(), voters[nearest].ravel(), bounds), shape=(block.size, labelled.shape[0])
        )
        shares.append(votes @ own)
    share = sparse.csr_array(sparse.vstack(shares))
    share.data[share.data < settings.least_share] = 0
    share.eliminate_zeros()
    places = (np.ones(asking.size, np.float32), (asking, np.arange(asking.size)))
    return sparse.csr_array(places, shape=(labelled.shape[0], asking.size)) @ share
