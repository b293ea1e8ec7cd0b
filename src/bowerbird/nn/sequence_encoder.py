"""Networks that read a sequence of items: vectors of items, blocks over positions, a vector to ask with."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from bowerbird.nn.causal_blocks import Places
from bowerbird.nn.dropout import Dropout, MaskStream

__all__ = ["ItemVectors", "SequenceEncoder"]


class ItemVectors(nn.Module):
    """``W_i = id_i + P c_i``: a learnt part and a part of the item's content, used to read and to score.

    While training, the learnt part of a share of the items is left out, so that content alone has to do for
    them; then an item that nobody met yet has a vector that means something.

    Args:
        items_total: size of the catalogue.
        dim: width.
        content: items x width, of mean squared length 1, zero rows where an item has none; None: no content.
        id_dropout: share of items that go by content alone in a training step.
        masks: the model's dropout stream.
    """

    def __init__(
        self,
        items_total: int,
        dim: int,
        masks: MaskStream,
        content: Tensor | None = None,
        id_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.ids = nn.Parameter(torch.randn(items_total, dim) * 0.02)
        self.content: Tensor | None
        # as long as the encoder's hidden vectors, so that content counts from the first step on
        scaled = None if content is None else content * math.sqrt(dim)
        self.register_buffer("content", scaled, persistent=False)
        self.project = None
        if content is not None:
            self.project = nn.Linear(content.shape[1], dim, bias=False)
            nn.init.normal_(self.project.weight, std=0.02)
        self._id_dropout, self._masks = id_dropout, masks

    def forward(self) -> Tensor:
        """The vectors of the whole catalogue, items x dim."""
        return self._joined(self.ids, self.content)

    def rows(self, items: Tensor) -> Tensor:
        """The vectors of some items."""
        content = None if self.content is None else functional.embedding(items, self.content)
        return self._joined(functional.embedding(items, self.ids), content)

    def candidates(self, items: Tensor, ids: Tensor, kept: Tensor) -> Tensor:
        """The vectors of items that are scored, with learnt parts that are another's or none.

        Args:
            items: whose content.
            ids: whose learnt part, one for each; the item itself as a rule.
            kept: True where there is a learnt part at all.
        """
        learnt = functional.embedding(ids, self.ids) * kept[:, None].to(self.ids.dtype)
        if self.project is None or self.content is None:
            return learnt
        return learnt + self.project(functional.embedding(items, self.content))

    def _joined(self, ids: Tensor, content: Tensor | None) -> Tensor:
        if self.project is None or content is None:
            return ids
        if self.training and self._id_dropout > 0:
            drawn = torch.frombuffer(bytearray(self._masks.bytes(ids.shape[0])), dtype=torch.uint8)
            kept = (drawn.to(ids.device) >= round(self._id_dropout * 256)).to(ids.dtype)
            ids = ids * kept[:, None]
        return ids + self.project(content)


class SequenceEncoder(nn.Module):
    """Blocks over a sequence; the vector at a position is compared with item vectors by dot product.

    Args:
        dim: width of vectors.
        blocks: causal blocks, see :mod:`bowerbird.nn.causal_blocks`.
        rate: dropout rate of the input.
        masks: the model's dropout stream.
        positions: learnt vectors for this many positions; 0: the blocks know distances themselves.
        gaps: number of buckets of time gaps; 0: the data has no times.
        calendar: which values of the calendar are read, see :func:`bowerbird.users.calendar.known_values`; None: none.
        topics: topics that can be asked about; 0: only what comes next at all.

    Source of topics: conditional retrieval, Pinterest, arXiv 2506.23060 (a topic beside the history gives a vector of
    its own); that a topic scales and shifts the state is ours, after FiLM (Perez et al., AAAI 2018).
    """

    def __init__(
        self,
        dim: int,
        blocks: Sequence[nn.Module],
        rate: float,
        masks: MaskStream,
        *,
        positions: int = 0,
        gaps: int = 0,
        calendar: Tensor | None = None,
        topics: int = 0,
    ) -> None:
        super().__init__()
        self.masks = masks
        self._scale = math.sqrt(dim)
        self.blocks = nn.ModuleList(blocks)
        self.norm = nn.LayerNorm(dim)
        self.drop = Dropout(rate, masks)
        self.positions = nn.Parameter(torch.randn(positions, dim) * 0.02) if positions else None
        self.gaps = nn.Parameter(torch.zeros(gaps, dim)) if gaps else None
        self.waits = nn.Parameter(torch.zeros(gaps, dim)) if gaps else None
        self.calendar = nn.Parameter(torch.zeros(calendar.shape[0], dim)) if calendar is not None else None
        self.calendar_known: Tensor | None
        self.register_buffer("calendar_known", calendar, persistent=False)
        self.topic_scale = nn.Parameter(torch.zeros(topics + 1, dim)) if topics else None
        self.topic_shift = nn.Parameter(torch.zeros(topics + 1, dim)) if topics else None

    def forward(
        self,
        vectors: Tensor,
        gaps: Tensor | None = None,
        waits: Tensor | None = None,
        calendar: Tensor | None = None,
        topics: Tensor | None = None,
    ) -> Tensor:
        """What to ask with at each position.

        Args:
            vectors: item vectors, batch x position x dim, padded on the right.
            gaps: bucket of the time since the event before, batch x position; with times only.
            waits: bucket of the time from each position's event to the question, batch x position.
            calendar: hour, weekday and month of the question, batch x position x part.
            topics: what each position is asked about, from 1 on, batch x position; 0: what comes next at all.

        Returns:
            batch x position x dim.
        """
        return self.asked(self.states(vectors, gaps, waits, calendar), topics)

    def states(
        self,
        vectors: Tensor,
        gaps: Tensor | None = None,
        waits: Tensor | None = None,
        calendar: Tensor | None = None,
    ) -> Tensor:
        """What the blocks made of each position, before a topic is asked about."""
        x = vectors * self._scale
        if self.positions is not None:
            x = x + self.positions[: x.shape[1]] * self._scale
        if self.gaps is not None and gaps is not None:
            x = x + functional.embedding(gaps, self.gaps)
        x = self.drop(x)
        places = Places(x.shape[1], x.device)
        for block in self.blocks:
            x = block(x, places)
        if self.waits is not None and waits is not None:
            x = x + functional.embedding(waits, self.waits)
        if self.calendar is not None and self.calendar_known is not None and calendar is not None:
            # values that are not known say nothing, and no gradient reaches them
            table = self.calendar * self.calendar_known[:, None].to(self.calendar.dtype)
            x = x + functional.embedding(calendar, table).sum(dim=-2)
        return x

    def asked(self, states: Tensor, topics: Tensor | None = None) -> Tensor:
        """What to ask with, of states: ``N(x * (1 + scale_t) + shift_t)``; every topic has a vector of its own.

        Args:
            states: see :meth:`states`; any shape that ends in dim.
            topics: one for each state, from 1 on; 0 and None: what comes next at all.
        """
        if self.topic_scale is not None and self.topic_shift is not None:
            if topics is None:
                topics = torch.zeros(states.shape[:-1], dtype=torch.long, device=states.device)
            scale = functional.embedding(topics, self.topic_scale)
            states = states * (1.0 + scale) + functional.embedding(topics, self.topic_shift)
        return self.norm(states)
