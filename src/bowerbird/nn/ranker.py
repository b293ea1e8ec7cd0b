"""The neural ranker as it is trained: the twin in torch of :class:`bowerbird.ranking.network.RankerNetwork`.

Weights have the names and the layout (inputs first) that serving reads, so an export is a copy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from bowerbird.nn.dropout import Dropout, MaskStream

__all__ = ["RankerBatch", "RankerModule", "RankerSizes"]

_EPSILON = 1e-6


@dataclass(frozen=True)
class RankerSizes:
    """The widths of a ranker."""

    features: int
    """Numeric features."""
    bin_rows: int
    """Rows of a feature's table; the last is for missing, the others stand between bins."""
    item_dim: int
    """Width of item vectors."""
    id_rows: int
    """Rows of a hashed table."""
    actions: int
    """Rows of a table by action of the history."""
    ages: int
    """Rows of a table by age."""
    positions: int
    """Buckets of positions."""
    nearest: int
    """Nearest actions a candidate keeps."""
    heads: int
    """What is predicted."""
    token: int = 48
    """Width of tokens."""
    layers: int = 2
    """Blocks over the history."""
    attention_heads: int = 4
    """Heads of attention."""
    bin_width: int = 4
    """Numbers a bin becomes."""
    pool: int = 16
    """Numbers the nearest actions become."""
    crosses: int = 2
    """Cross layers."""
    rank: int = 64
    """Rank of a cross."""
    deep: tuple[int, int] = (128, 64)
    """Widths of the dense layers."""

    @property
    def read(self) -> int:
        """Numbers that crosses begin with."""
        binned = self.features * (1 + self.bin_width)
        return binned + 3 * self.token + self.pool + self.nearest


@dataclass(frozen=True)
class RankerBatch:
    """Some requests with their candidates; candidates are rows, requests are padded on the right.

    Args:
        items: vectors of the distinct items of the batch, item x dim.
        ids: hashed rows of their ids, item x hash.
        kinds: hashed rows of their categories, item x hash.
        keep_id: 0 where an item's id is hidden from the network, item.
        steps: place among the distinct items, request x step.
        actions: of each step, request x step.
        ages: bucket of each step, request x step.
        lengths: steps of each request.
        persons: long-term vectors, request x dim.
        owners: request of each candidate.
        seats: place of each candidate within its request.
        candidates: place of each candidate among the distinct items.
        places: of features between bins, candidate x feature.
        bins: the bin below each place, candidate x feature.
        nearest_actions: candidate x k; the last row of the table where there is none.
        nearest_ages: candidate x k.
        nearest_similarity: candidate x k.
        positions: buckets, candidate.
        labels: what followed, candidate x head.
        weights: of each label in the loss, candidate x head.
    """

    items: Tensor
    ids: Tensor
    kinds: Tensor
    keep_id: Tensor
    steps: Tensor
    actions: Tensor
    ages: Tensor
    lengths: Tensor
    persons: Tensor
    owners: Tensor
    seats: Tensor
    candidates: Tensor
    places: Tensor
    bins: Tensor
    nearest_actions: Tensor
    nearest_ages: Tensor
    nearest_similarity: Tensor
    positions: Tensor
    labels: Tensor
    weights: Tensor


def _matrix(rows: int, columns: int, scale: float = 1.0) -> nn.Parameter:
    return nn.Parameter(torch.randn(rows, columns) * (scale / math.sqrt(rows)))


def _table(*sizes: int) -> nn.Parameter:
    return nn.Parameter(torch.randn(*sizes) * 0.05)


class _Block(nn.Module):
    """See :class:`bowerbird.ranking.shared_history.Block`."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self._heads = heads
        self.query, self.key_value, self.out = (
            _matrix(dim, dim),
            _matrix(dim, 2 * dim),
            _matrix(dim, dim, 0.5),
        )
        self.widen, self.narrow = _matrix(dim, 2 * dim), _matrix(2 * dim, dim, 0.5)

    def projected(self, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries (scaled), keys and values: request x head x place x part."""
        read = _normed(state)
        query = (read @ self.query) / math.sqrt(state.shape[-1] // self._heads)
        key, value = (read @ self.key_value).chunk(2, -1)
        return self._split(query), self._split(key), self._split(value)

    def _split(self, rows: Tensor) -> Tensor:
        requests, places, dim = rows.shape
        return rows.view(requests, places, self._heads, dim // self._heads).transpose(1, 2)

    def after(self, state: Tensor, mixed: Tensor, drop: Dropout) -> Tensor:
        """The state after attention and the feed-forward part."""
        state = state + drop(mixed.transpose(1, 2).reshape(state.shape) @ self.out)
        return state + drop(functional.relu(_normed(state) @ self.widen) @ self.narrow)


def _normed(state: Tensor) -> Tensor:
    return state * torch.rsqrt(state.square().mean(-1, keepdim=True) + _EPSILON)


class RankerModule(nn.Module):
    """One logit per candidate and head.

    Args:
        sizes: widths.
        rate: dropout rate.
        masks: the model's dropout stream.
    """

    def __init__(self, sizes: RankerSizes, rate: float, masks: MaskStream) -> None:
        super().__init__()
        self.sizes, dim = sizes, sizes.token
        self.item_project, self.person_project = _matrix(sizes.item_dim, dim), _matrix(sizes.item_dim, dim)
        self.id_table, self.kind_table = _table(sizes.id_rows, dim), _table(sizes.id_rows, dim)
        self.action_table, self.age_table = _table(sizes.actions, dim), _table(sizes.ages, dim)
        self.candidate = nn.Parameter(torch.zeros(dim))
        blocks = [_Block(dim, sizes.attention_heads) for _ in range(sizes.layers)]
        self.blocks, self._stack = nn.ModuleList(blocks), tuple(blocks)
        self.head = nn.Parameter(torch.zeros(dim, sizes.heads))
        self.bin_table = _table(sizes.features, sizes.bin_rows, sizes.bin_width)
        self.nearest_actions, self.nearest_ages = (
            _table(sizes.actions, sizes.pool),
            _table(sizes.ages, sizes.pool),
        )
        self.nearest_focus = nn.Parameter(torch.tensor([4.0]))
        self.cross = nn.ModuleList([_Cross(sizes.read, sizes.rank) for _ in range(sizes.crosses)])
        wide, narrow = sizes.deep
        self.deep = nn.ModuleList([_Dense(sizes.read, wide), _Dense(wide, narrow)])
        self.out = _Dense(narrow, sizes.heads)
        self.position_table = nn.Parameter(torch.zeros(sizes.positions, sizes.heads))
        self.drop = Dropout(rate, masks)

    def forward(self, batch: RankerBatch) -> Tensor:
        """Logits, candidate x head."""
        known = functional.embedding(batch.ids, self.id_table).sum(1) * batch.keep_id[:, None]
        tokens = (
            batch.items @ self.item_project
            + known
            + functional.embedding(batch.kinds, self.kind_table).sum(1)
        )
        own = tokens[batch.candidates]
        states = self._states(batch, tokens, own)
        read = self._read(batch, own, states)
        state = read
        for cross in self.cross:
            state = cross(read, state)
        for dense in self.deep:
            state = self.drop(functional.relu(dense(state)))
        return (
            self.out(state) + states @ self.head + functional.embedding(batch.positions, self.position_table)
        )

    def _states(self, batch: RankerBatch, tokens: Tensor, own: Tensor) -> Tensor:
        """What each candidate becomes by reading its request's history, which is encoded once."""
        requests, steps = batch.steps.shape
        history = tokens[batch.steps]
        history = history + functional.embedding(batch.actions, self.action_table)
        history = history + functional.embedding(batch.ages, self.age_table)
        places = torch.arange(steps, device=own.device)
        future = torch.zeros(steps, steps, device=own.device).masked_fill_(
            places[None, :] > places[:, None], float("-inf")
        )
        absent = torch.zeros(requests, 1, 1, steps, device=own.device).masked_fill_(
            (places >= batch.lengths[:, None])[:, None, None, :], float("-inf")
        )
        seats = int(batch.seats.max()) + 1 if len(batch.seats) else 0
        state = own.new_zeros(requests, seats, own.shape[1])
        state = state.index_put((batch.owners, batch.seats), own + self.candidate)
        for block in self._stack:
            query, key, value = block.projected(history)
            if steps:  # of people without any, the batch has no steps at all
                mixed = (query @ key.transpose(2, 3) + future).softmax(-1) @ value
                history = block.after(history, mixed, self.drop)
            ask, itself, own_value = block.projected(state)
            logits = torch.cat([ask @ key.transpose(2, 3) + absent, (ask * itself).sum(-1, keepdim=True)], -1)
            shares = logits.softmax(-1)
            state = block.after(state, shares[..., :-1] @ value + shares[..., -1:] * own_value, self.drop)
        return _normed(state[batch.owners, batch.seats])

    def _read(self, batch: RankerBatch, own: Tensor, states: Tensor) -> Tensor:
        """See :meth:`bowerbird.ranking.network.RankerNetwork._read`."""
        missing = self.sizes.bin_rows - 1
        known, each = batch.bins < missing, torch.arange(batch.bins.shape[1], device=own.device)
        share = torch.where(known, batch.places - batch.bins, 0.0)
        table = self.bin_table.flatten(0, 1)
        first = each * self.sizes.bin_rows
        below = functional.embedding(batch.bins + first, table)
        above = functional.embedding(torch.where(known, batch.bins + 1, missing) + first, table)
        binned = torch.lerp(below, above, share[..., None]).flatten(1)
        dense = batch.places * (2 / (missing - 1)) - 1
        there = batch.nearest_actions < self.sizes.actions - 1
        focus = (batch.nearest_similarity * self.nearest_focus).masked_fill(~there, -1e9).softmax(-1) * there
        said = functional.embedding(batch.nearest_actions, self.nearest_actions)
        said = said + functional.embedding(batch.nearest_ages, self.nearest_ages)
        pooled = (focus[..., None] * said).sum(1)
        taste = (batch.persons @ self.person_project)[batch.owners]
        return torch.cat([dense, binned, own, states, taste, pooled, batch.nearest_similarity], 1)


class _Cross(nn.Module):
    """``x_0 * (U V x + b) + x``: a layer of DCN-v2 of low rank."""

    def __init__(self, dim: int, rank: int) -> None:
        super().__init__()
        self.down, self.up = _matrix(dim, rank), _matrix(rank, dim, 0.3)
        self.bias = nn.Parameter(torch.zeros(dim))

    def forward(self, read: Tensor, state: Tensor) -> Tensor:
        return read * ((state @ self.down) @ self.up + self.bias) + state


class _Dense(nn.Module):
    def __init__(self, dim_in: int, dim_out: int) -> None:
        super().__init__()
        self.weight = _matrix(dim_in, dim_out, math.sqrt(2.0))
        self.bias = nn.Parameter(torch.zeros(dim_out))

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.weight + self.bias
