"""Item interests: which categories an item is about.

An item with a category path, or several, is about those nodes and all above them, with score 1. An item without one asks the items
that look and read like it. With items to learn from (``known``) the score of a node is the calibrated probability
that the item is about it; without them it is the share of its neighbours' similarity that falls under the node.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Float32, Int32, Int64
from pydantic import Field
from scipy import sparse

from bowerbird.arrays import group_offsets, normalise
from bowerbird.config import Settings
from bowerbird.content.interest_ranking import (
    AskedItems,
    InterestRanker,
    Neighbours,
    Voters,
    fitted_ranker,
    node_features,
)
from bowerbird.content.taxonomy import Taxonomy
from bowerbird.errors import InputError
from bowerbird.records.signal import Vectors

_PROOFS = 3
_BLOCK = 1024
"""Items without category compared at a time: bounds the similarity matrix in memory."""


class ItemInterestSettings(Settings):
    """How items without category get their labels."""

    neighbours: int = Field(default=10, ge=1, le=1000)
    """Items with category that vote."""
    least_share: float = Field(default=0.3, ge=0.0, le=1.0)
    """Share of the votes, or probability, a node needs."""
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
    evidence: Int32[np.ndarray, "label proof"] | None = None
    """Rows of the items each inferred label rests on, nearest first; -1 for none."""
    similarity: Float32[np.ndarray, "label proof"] | None = None

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

    def to_table(self, ids: Sequence[str] | None = None) -> pa.Table:
        """The labels as an Arrow table ``item_row, path, score, inferred``; the taxonomy travels in its metadata.

        Args:
            ids: names of the items; with them also ``evidence``, the items a label rests on, and ``similarity``.
        """
        table = pa.table(
            {
                "item_row": self.rows,
                "path": pa.array([self.taxonomy.paths[node] for node in self.nodes.tolist()], pa.string()),
                "score": self.scores,
                "inferred": pa.array(self.inferred),
            }
        )
        if ids is not None and self.evidence is not None and self.similarity is not None:
            kept = self.evidence >= 0
            proofs = [[ids[row] for row in line[own]] for line, own in zip(self.evidence, kept, strict=True)]
            near = [line[own].tolist() for line, own in zip(self.similarity, kept, strict=True)]
            table = table.append_column("evidence", pa.array(proofs, pa.list_(pa.string())))
            table = table.append_column("similarity", pa.array(near, pa.list_(pa.float32())))
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
    categories: Sequence[str | tuple[str, ...] | None],
    taxonomy: Taxonomy | None = None,
    vectors: Vectors | None = None,
    settings: ItemInterestSettings | None = None,
    words: NodeWords | None = None,
    known: AskedItems | None = None,
) -> ItemInterests:
    """The interest labels of a catalogue.

    Args:
        categories: category path per item row, or all of them; None or empty where not known.
        taxonomy: the tree to use; made of the categories when absent.
        vectors: item vectors for items without category; without them these items stay without label.
        settings: the defaults when absent.
        words: vectors of items' words and of nodes' names, so that a node no neighbour has comes into question.
        known: items with a category, asked as if they had none: what probabilities are learnt from.

    Returns:
        Labels; :attr:`ItemInterests.coverage` tells how many items have one.

    Raises:
        InputError: vectors and categories are not of the same catalogue.

    Cost: O(unlabelled * (labelled * dim + nodes)) for the vote, in blocks.
    """
    paths = [(one,) if isinstance(one, str) else one or () for one in categories]
    taxonomy = Taxonomy.from_paths(chain.from_iterable(paths)) if taxonomy is None else taxonomy
    settings = ItemInterestSettings() if settings is None else settings
    if vectors is not None and len(vectors) != len(categories):
        raise InputError(
            f"item interests: {len(vectors)} vectors for {len(categories)} items; encode the catalogue again"
        )
    own = _about(paths, taxonomy)
    labelled = np.diff(own.indptr) > 0
    parts = [_Labels.certain(own)]
    if vectors is not None and len(taxonomy):
        parts += _inferred(own, labelled, vectors, settings, taxonomy, words, known)
    rows, nodes, scores, proofs, near = (
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("rows", "nodes", "scores", "proofs", "near")
    )
    order = np.lexsort((nodes, rows))
    return ItemInterests(
        taxonomy,
        len(categories),
        rows[order],
        nodes[order],
        scores[order],
        ~labelled[rows[order]],
        proofs[order],
        near[order],
    )


@dataclass(frozen=True)
class NodeWords:
    """What words say: vectors of items' words, a row each, and of the nodes' names, a row each."""

    items: Vectors
    nodes: Vectors


@dataclass(frozen=True)
class _Labels:
    """Labels of some items, with the items each rests on."""

    rows: Int32[np.ndarray, "label"]
    nodes: Int32[np.ndarray, "label"]
    scores: Float32[np.ndarray, "label"]
    proofs: Int32[np.ndarray, "label proof"]
    near: Float32[np.ndarray, "label proof"]

    @staticmethod
    def certain(own: sparse.csr_array) -> _Labels:
        """What items' own categories say."""
        rows, nodes = (one.astype(np.int32) for one in own.nonzero())
        none = np.full((len(rows), _PROOFS), -1, dtype=np.int32)
        return _Labels(rows, nodes, np.ones(len(rows), np.float32), none, np.zeros(none.shape, np.float32))


def _about(paths: Sequence[tuple[str, ...]], taxonomy: Taxonomy) -> sparse.csr_array:
    """One row per item with 1 at each of its categories and at all above them; sorted, nothing twice."""
    counts = np.array([len(own) for own in paths], dtype=np.int64)
    leaves = taxonomy.rows(chain.from_iterable(paths))
    items, nodes = np.repeat(np.arange(len(paths)), counts)[leaves >= 0], leaves[leaves >= 0]
    pairs = np.empty(0, np.int64)
    while len(nodes):
        pairs = np.union1d(pairs, items * max(len(taxonomy), 1) + nodes)
        above = taxonomy.parents[nodes]
        items, nodes = items[above >= 0], above[above >= 0]
    rows, columns = np.divmod(pairs, max(len(taxonomy), 1))
    shape = (len(paths), len(taxonomy))
    return sparse.csr_array(
        (np.ones(len(pairs), np.float32), columns, group_offsets(rows, len(paths))), shape=shape
    )


def _inferred(
    own: sparse.csr_array,
    labelled: Bool[np.ndarray, "item"],
    vectors: Vectors,
    settings: ItemInterestSettings,
    taxonomy: Taxonomy,
    words: NodeWords | None,
    known: AskedItems | None,
) -> list[_Labels]:
    """Labels of items without category, in blocks; none where nobody can vote."""
    rows, asking = np.flatnonzero(labelled & vectors.present), np.flatnonzero(~labelled & vectors.present)
    if rows.size == 0 or asking.size == 0:
        return []
    chains = sparse.csr_array(own[rows])
    frequency = np.asarray(chains.sum(axis=0), dtype=np.float64).ravel() / rows.size
    voters = Voters(
        rows, normalise(vectors.matrix[rows]), chains, words.nodes if words is not None else None, frequency
    )
    ranker = _learnt(own, voters, known, settings) if known is not None and len(known.rows) else None
    found = []
    for start in range(0, asking.size, _BLOCK):
        block = asking[start : start + _BLOCK]
        texts = words.items.take(block) if words is not None else None
        asked = AskedItems(block, vectors.take(block), texts)
        neighbours = Neighbours.of(asked, voters, settings.neighbours, settings.sharpness)
        shares = neighbours.shares(chains)
        scores = shares if ranker is None else _ranked(asked, voters, shares, ranker, taxonomy)
        places, nodes = np.nonzero(scores >= max(settings.least_share, 1e-6))
        proofs, near = _proofs(places, nodes, neighbours, voters)
        found.append(
            _Labels(
                block[places].astype(np.int32),
                nodes.astype(np.int32),
                np.minimum(scores[places, nodes], 1).astype(np.float32),
                proofs,
                near,
            )
        )
    return found


def _learnt(
    own: sparse.csr_array, voters: Voters, known: AskedItems, settings: ItemInterestSettings
) -> InterestRanker:
    """The ranker of items whose category is known, asked as if it were not."""
    neighbours = Neighbours.of(known, voters, settings.neighbours, settings.sharpness)
    places, nodes, features = node_features(known, voters, neighbours.shares(voters.chains))
    true = np.asarray(own[known.rows].toarray()[places, nodes] > 0)
    return fitted_ranker(features, true)


def _ranked(
    asked: AskedItems,
    voters: Voters,
    shares: Float32[np.ndarray, "asked node"],
    ranker: InterestRanker,
    taxonomy: Taxonomy,
) -> Float32[np.ndarray, "asked node"]:
    """Probabilities of candidates, 0 for others; a parent is at least as likely as its child."""
    places, nodes, features = node_features(asked, voters, shares)
    scores = np.zeros_like(shares)
    scores[places, nodes] = ranker.probabilities(features)
    for node in range(len(taxonomy) - 1, -1, -1):  # children come after their parents
        parent = int(taxonomy.parents[node])
        if parent >= 0:
            np.maximum(scores[:, parent], scores[:, node], out=scores[:, parent])
    return scores


def _proofs(
    places: Int64[np.ndarray, "label"],
    nodes: Int64[np.ndarray, "label"],
    neighbours: Neighbours,
    voters: Voters,
) -> tuple[Int32[np.ndarray, "label proof"], Float32[np.ndarray, "label proof"]]:
    """The nearest voters under each label's node."""
    width = int(voters.chains.shape[1])
    voted, about = (one.astype(np.int64) for one in voters.chains.nonzero())
    theirs, asked = np.sort(voted * width + about), neighbours.voters[places] * width + nodes[:, None]
    at = np.minimum(np.searchsorted(theirs, asked), max(theirs.size - 1, 0))
    under = (theirs[at] == asked) & (neighbours.weights[places] > 0)
    first = np.argsort(~under, axis=1, kind="stable")[:, :_PROOFS]
    kept = np.take_along_axis(under, first, axis=1)
    proofs = np.full((len(places), _PROOFS), -1, dtype=np.int32)
    near = np.zeros((len(places), _PROOFS), dtype=np.float32)
    found = voters.rows[np.take_along_axis(neighbours.voters[places], first, axis=1)]
    proofs[:, : first.shape[1]] = np.where(kept, found, -1)
    likeness = np.take_along_axis(neighbours.similarity[places], first, axis=1)
    near[:, : first.shape[1]] = np.where(kept, likeness, np.float32(0))
    return proofs, near
