"""Training of the graph network: two items of one collection find each other among all of a batch.

Each pair is drawn from an edge, so that pairs come as often as they do in the data, and is hidden from its own input: the
partner is taken out of the neighbours, the shared collection out of the collections; more are left out at random. A share
of the items plays new: they see what they would borrow if nobody kept them.

Source: PinSage (KDD 2018) for pairs over pooled neighbourhoods; OmniSage (arXiv:2504.17811) for in-batch softmax with
logQ beside feature reconstruction. Playing new is in the spirit of DropoutNet (NeurIPS 2017).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Int, Int32, Int64
from pydantic import Field
from torch import Tensor

from bowerbird.arrays import group_offsets
from bowerbird.config import Settings
from bowerbird.content.graph import WalkNeighbours
from bowerbird.content.graph_network import TOKENS, Neighbourhoods, token_inputs
from bowerbird.content.item_parts import WordVocabulary
from bowerbird.content.unified import UnifiedTower
from bowerbird.errors import NotReadyError
from bowerbird.nn.graph_network import GraphNetwork, pooled
from bowerbird.nn.seeded_draws import seeded_draws
from bowerbird.randomness import generator
from bowerbird.telemetry import SILENT, Progress
from bowerbird.training.contrastive import info_nce
from bowerbird.training.loop import LoopSettings, Trained, train
from bowerbird.training.tower_batches import Batch, Standard, exported, new_tower

__all__ = ["GraphNetworkSettings", "train_graph_network"]

LEAST_PAIRS = 200
"""Edges of items that share a collection with others, from which a network is trained."""
MOST_PLAY_NEW = 20_000
"""Items whose borrowed neighbourhoods are worked out; it takes a product with all known items."""
HELD_OUT = 0.02
"""Share of the collections whose pairs only choose the epoch."""
MOST_HELD = 2000


class GraphNetworkSettings(Settings):
    """The dials of the training. Chosen on memberships and items hidden inside train of one set."""

    dim: int = Field(default=128, ge=64, le=1024, multiple_of=64)
    """Width of the vectors."""
    batch: int = Field(default=1024, ge=16, le=65536)
    """Pairs in a step; all of a batch are each other's negatives."""
    steps: int = Field(default=25, ge=1)
    """Steps of an epoch: the weights are compared after each."""
    dropout: float = Field(default=0.2, ge=0, lt=1)
    """Share of each token left out."""
    left_out: float = Field(default=0.6, ge=0, lt=1)
    """Up to this share of an item's neighbours and collections is left out, another share each time."""
    play_new: float = Field(default=0.2, ge=0, le=1)
    """Share of items that are shown as if nobody kept them."""
    log_q: float = Field(default=1.0, ge=0, le=1)
    """How far popularity is corrected: with 1 a popular item is not pushed away for being drawn often."""
    reconstruction: float = Field(default=0.3, ge=0)
    """Weight of the feature-reconstruction loss."""
    loop: LoopSettings = LoopSettings(
        epochs=12, learning_rate=2e-3, weight_decay=0.01, warmup_steps=30, average=0.97, patience=5
    )
    """How long and how fast."""


def train_graph_network(
    owners: Int[np.ndarray, " edge"],
    items: Int[np.ndarray, " edge"],
    around: Neighbourhoods,
    settings: GraphNetworkSettings | None = None,
    seed: int = 0,
    *,
    checkpoint: Path | None = None,
    progress: Progress = SILENT,
) -> tuple[UnifiedTower, Trained]:
    """A network whose vectors bring together what is kept together, free of torch, and how its training went.

    Args:
        owners: the other side of each edge, a row of a collection or a person, from 0.
        items: item row of each edge.
        around: what lies around each item, by the same edges.
        settings: the dials; defaults when None.
        seed: of weights, pairs and what is left out.
        checkpoint: where to keep the state; None keeps nothing.
        progress: shows epochs.

    Raises:
        NotReadyError: too few edges join items with content.

    Cost: some 0.2 CPU-seconds a step.
    """
    dials = settings or GraphNetworkSettings()
    task = _Task(owners, items, around, dials, seed)
    digest = hashlib.blake2b(f"{dials.fingerprint()}/{seed}".encode(), digest_size=16)
    for part in (owners, items, around.content, around.items.rows, around.items.weights, around.owners):
        digest.update(np.ascontiguousarray(part).tobytes())
    trained = train(
        task,
        dials.loop,
        name="train the graph network",
        fingerprint=digest.hexdigest(),
        checkpoint=checkpoint,
        progress=progress,
    )
    tower = exported(task.model.tower, task.inputs, task.standard, WordVocabulary(()))
    return tower, trained


@dataclass(frozen=True)
class _Pairs:
    """A batch: two items of one collection each."""

    left: Int64[np.ndarray, " pair"]
    right: Int64[np.ndarray, " pair"]
    owners: Int64[np.ndarray, " pair"]


class _Task:
    """What the loop trains; see :class:`~bowerbird.training.loop.Task`."""

    def __init__(
        self,
        owners: Int[np.ndarray, " edge"],
        items: Int[np.ndarray, " edge"],
        around: Neighbourhoods,
        dials: GraphNetworkSettings,
        seed: int,
    ) -> None:
        self._around, self._dials, self._seed = around, dials, seed
        self._described = np.abs(around.content).sum(axis=1) > 0
        order = np.argsort(owners, kind="stable")
        self._owners, self._items = owners[order].astype(np.int64), items[order].astype(np.int64)
        total = int(owners.max()) + 1 if owners.size else 0
        self._starts = group_offsets(self._owners, total)
        size = np.diff(self._starts)[self._owners]
        usable = (size > 1) & self._described[self._items]
        held = generator(seed, "graph network", "held out").random(total) < HELD_OUT
        self._edges = np.flatnonzero(usable & ~held[self._owners])
        self._held_edges = np.flatnonzero(usable & held[self._owners])
        if self._edges.size < LEAST_PAIRS:
            raise NotReadyError(
                f"graph network: {self._edges.size} edges join an item with content to others; it needs {LEAST_PAIRS}; "
                "the closed form does with less"
            )
        self.inputs = token_inputs(around.content.shape[1])
        self.standard = Standard(self.inputs, [around.parts()])
        with seeded_draws(int(generator(seed, "graph network", "weights").integers(2**62))):
            tower = new_tower(self.inputs, 0, dials.dim, dials.dropout)
            self._network = GraphNetwork(tower, around.content.shape[1], dials.dim)
        # one more row of zeros stands for nobody, whom a place of -1 names
        self._content, self._owner_content = (
            torch.from_numpy(np.concatenate([one, np.zeros_like(one[:1])]))
            for one in (around.content, around.owner_content)
        )
        counts = np.bincount(self._items, minlength=len(around.content))
        self._known = np.flatnonzero((counts > 0) & self._described)
        self._log_share = torch.from_numpy(np.log(np.maximum(counts, 1) / counts.sum()).astype(np.float32))

    @property
    def model(self) -> GraphNetwork:
        """What is learnt."""
        return self._network

    def batches(self, epoch: int) -> Sequence[int]:
        """Numbers of steps: what a batch holds is drawn by the step."""
        return range(self._dials.steps)

    def loss(self, batch: int, step: int) -> Tensor:
        """The pair loss and the reconstruction of what was left in sight and what was not."""
        draw = generator(self._seed, "graph network", "step", step)
        pairs = self._drawn(self._edges, self._dials.batch, draw)
        with seeded_draws(int(draw.integers(2**62))):
            left = self._vectors(pairs.left, pairs.right, pairs.owners, draw)
            right = self._vectors(pairs.right, pairs.left, pairs.owners, draw)
        same = (pairs.right[:, None] == pairs.right) | (pairs.left[:, None] == pairs.right)
        loss = info_nce(
            left,
            right,
            self.model.scale.exp(),
            same=torch.from_numpy(same),
            log_popularity=self._dials.log_q * self._log_share[torch.from_numpy(pairs.right)],
        )
        if self._dials.reconstruction:
            whole = self._whole[torch.from_numpy(pairs.left)]
            loss = loss + self._dials.reconstruction * self.model.reconstruction(left, whole)
        return loss

    @cached_property
    def _whole(self) -> Tensor:
        """Content and neighbours of each item together: what its vector should still tell."""
        blocks = self._around.parts().blocks
        return torch.from_numpy(blocks[TOKENS[0]].values + blocks[TOKENS[1]].values)

    @torch.no_grad()
    def validation(self) -> float | None:
        """Mean reciprocal rank of partners in held-out collections, among the partners of all."""
        if self._held_edges.size < LEAST_PAIRS:
            return None
        draw = generator(self._seed, "graph network", "validation")
        pairs = self._drawn(self._held_edges, MOST_HELD, draw)
        left = self._vectors(pairs.left, pairs.right, pairs.owners)
        right = self._vectors(pairs.right, pairs.left, pairs.owners)
        scores = (left @ right.T).numpy()
        scores[(pairs.right[:, None] == pairs.right) & ~np.eye(len(scores), dtype=bool)] = -np.inf
        ranks = 1 + (scores > np.diagonal(scores)[:, None]).sum(axis=1)
        return float((1 / ranks).mean())

    def _drawn(self, edges: Int64[np.ndarray, " edge"], count: int, draw: np.random.Generator) -> _Pairs:
        """Pairs as they come: an edge, and another item of its collection."""
        chosen = edges[draw.integers(0, edges.size, count)]
        owners, left = self._owners[chosen], self._items[chosen]
        size = self._starts[owners + 1] - self._starts[owners]
        right = self._items[self._starts[owners] + (draw.random(count) * size).astype(np.int64)]
        kept = (left != right) & self._described[right]
        return _Pairs(left[kept], right[kept], owners[kept])

    def _vectors(
        self,
        rows: Int64[np.ndarray, " row"],
        partners: Int64[np.ndarray, " row"],
        shared: Int64[np.ndarray, " row"],
        draw: np.random.Generator | None = None,
    ) -> Tensor:
        """Vectors of one side of the pairs, the other side and what they share out of sight; more is with a draw."""
        around = self._around
        near, weights, owners = around.items.rows[rows], around.items.weights[rows], around.owners[rows]
        if draw is not None:
            new = np.flatnonzero((draw.random(rows.size) < self._dials.play_new) & (self._place[rows] >= 0))
            place = self._place[rows[new]]
            lent, lent_owners = self._lent
            near, weights, owners = near.copy(), weights.copy(), owners.copy()
            near[new], weights[new], owners[new] = lent.rows[place], lent.weights[place], lent_owners[place]
        in_sight = (near >= 0) & (near != partners[:, None])
        owned = (owners >= 0) & (owners != shared[:, None])
        if draw is not None:
            in_sight &= self._kept(in_sight.shape, draw)
            owned &= self._kept(owned.shape, draw)
        return self.model.tower(*self._batch(rows, (near, weights * in_sight), (owners, owned)))

    def _kept(self, shape: tuple[int, ...], draw: np.random.Generator) -> Bool[np.ndarray, "row place"]:
        return draw.random(shape) >= self._dials.left_out * draw.random((shape[0], 1))

    def _batch(
        self,
        rows: Int64[np.ndarray, " row"],
        near: tuple[np.ndarray, np.ndarray],
        owners: tuple[np.ndarray, np.ndarray],
    ) -> Batch:
        tables = (self._content, self._owner_content)
        tokens = [self._content[torch.from_numpy(rows)]]
        for table, (places, weights) in zip(tables, (near, owners), strict=True):
            named = np.where(places < 0, len(table) - 1, places).astype(np.int64)
            tokens.append(
                pooled(table, torch.from_numpy(named), torch.from_numpy(weights.astype(np.float32)))
            )
        there = [one.abs().sum(dim=1) > 0 for one in tokens]
        blocks = {name: self.standard.live(name, one) for name, one in zip(TOKENS, tokens, strict=True)}
        return blocks, None, torch.stack([*there, torch.zeros_like(there[0])], dim=1)

    @cached_property
    def _play_new(self) -> Int64[np.ndarray, " item"]:
        """Items that may play new."""
        if self._known.size <= MOST_PLAY_NEW:
            return self._known
        draw = generator(self._seed, "graph network", "play new")
        return np.sort(draw.choice(self._known, MOST_PLAY_NEW, replace=False))

    @cached_property
    def _place(self) -> Int64[np.ndarray, " item"]:
        """Place of each item among those; -1 where it never plays new."""
        place = np.full(len(self._around.content), -1, dtype=np.int64)
        place[self._play_new] = np.arange(self._play_new.size)
        return place

    @cached_property
    def _lent(self) -> tuple[WalkNeighbours, Int32[np.ndarray, "item place"]]:
        return self._around.borrowed(self._play_new, self._known)
