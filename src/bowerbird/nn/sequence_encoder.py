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

    def forward(self, vectors: Tensor, gaps: Tensor | None = None, waits: Tensor | None = None) -> Tensor:
        """What to ask with at each position.

        Args:
            vectors: item vectors, batch x position x dim, padded on the right.
            gaps: bucket of the time since the event before, batch x position; with times only.
            waits: bucket of the time from each position's event to the question, batch x position.

        Returns:
            batch x position x dim.
        """
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
        return self.norm(x)
