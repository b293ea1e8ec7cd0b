"""The item tower: whatever is known of an item, or of a query, becomes one unit vector.

Each modality that is present gives one token. A learnt question reads the tokens by attention, and
their scaled sum stands beside what it read, so that a single token passes through unmixed::

    t_m = W_g(m) (x_m - mean_m) / scale_m + b_m      for each modality m that is there
    s   = sum_m t_m / sqrt(number of tokens)
    a   = attention(question, tokens)                 heads of width 64 over normed tokens
    h   = s + W_o a
    h   = h + W_2 gelu(W_1 norm(h))
    v   = h / |h|

Modalities of one space share their projection ``W_g`` (all texts do), so words mean the same in a title,
a category or a query. It is the first layer of a transformer of which only the leading token is
read: the other tokens need no questions of their own, which makes it several times cheaper.

Source: ItemSage (Baltescu et al. 2022, arXiv:2205.11728, one transformer layer over modality tokens and a
leading token); the sum beside it is ours: catalogues of a few thousand items learn it much sooner.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

HEAD_DIM = 64


@dataclass(frozen=True)
class Modality:
    """One input of the tower."""

    name: str
    group: str
    """Modalities of one group share a projection."""
    dim: int


@dataclass(frozen=True)
class WordBags:
    """The words of a batch: row ``i`` has ``rows[offsets[i]:offsets[i + 1]]`` with their weights."""

    rows: Tensor
    offsets: Tensor
    weights: Tensor


class ItemTower(nn.Module):
    """Fuses the tokens of modalities into unit vectors.

    Args:
        modalities: the inputs, in order; ``words`` is not among them.
        words: size of the vocabulary; 0 for none.
        dim: width of tokens and of the result; a multiple of 64.
        dropout: share of the inputs left out while training.
    """

    def __init__(self, modalities: tuple[Modality, ...], words: int, dim: int, dropout: float) -> None:
        super().__init__()
        self.modalities = modalities
        groups = {one.group: one.dim for one in modalities}
        self.projections = nn.ModuleDict(
            {group: nn.Linear(width, dim, bias=False) for group, width in groups.items()}
        )
        names = [one.name for one in modalities] + (["words"] if words else [])
        self.kinds = nn.ParameterDict({name: nn.Parameter(torch.zeros(dim)) for name in names})
        self.bag = nn.EmbeddingBag(words, dim, mode="sum", include_last_offset=True) if words else None
        if self.bag is not None:
            nn.init.normal_(self.bag.weight, std=0.02)
        self.dropout = nn.Dropout(dropout)
        self.token_norm = nn.LayerNorm(dim)
        self.question = nn.Parameter(torch.randn(dim) * 0.02)
        self.key_value = nn.Linear(dim, 2 * dim)
        self.attended = nn.Linear(dim, dim)
        self.norm = nn.LayerNorm(dim)
        self.wide = nn.Linear(dim, 2 * dim)
        self.narrow = nn.Linear(2 * dim, dim)
        for last in (self.attended, self.narrow):  # the tower starts as the plain sum of its tokens
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    def keep_plain(self) -> None:
        """Leave it the plain sum of its tokens for ever: attention and hidden layer stay zero."""
        for layer in (self.attended, self.narrow, self.wide, self.key_value):
            layer.requires_grad_(False)

    def forward(
        self,
        blocks: Mapping[str, Float[Tensor, "item width"]],
        bags: WordBags | None,
        present: Bool[Tensor, "item modality"],
    ) -> Float[Tensor, "item dim"]:
        """Unit vectors; zero for an item with no modality.

        Args:
            blocks: standardised inputs by modality; a modality that no item of the batch has may be left out.
            bags: their words; None where no item has any.
            present: which item has which modality, in the order of the modalities, ``words`` last.
        """
        columns, shown = [], []
        for place, one in enumerate(self.modalities):
            if one.name in blocks:
                columns.append(
                    self.projections[one.group](self.dropout(blocks[one.name])) + self.kinds[one.name]
                )
                shown.append(present[:, place])
        if self.bag is not None and bags is not None:
            columns.append(self.bag(bags.rows, bags.offsets, bags.weights) + self.kinds["words"])
            shown.append(present[:, -1])
        return self.fused(torch.stack(columns, dim=1), torch.stack(shown, dim=1))

    def fused(
        self, tokens: Float[Tensor, "item token dim"], shown: Bool[Tensor, "item token"]
    ) -> Float[Tensor, "item dim"]:
        """The unit vector of each item's tokens; their order does not matter."""
        kept = shown[:, :, None]
        counts = shown.sum(dim=1, keepdim=True).clamp(min=1)
        total = (tokens * kept).sum(dim=1) / counts.sqrt()
        hidden = total + self.attended(self._read(tokens, shown))
        hidden = hidden + self.narrow(functional.gelu(self.wide(self.norm(hidden))))
        return functional.normalize(hidden.float(), dim=1) * shown.any(dim=1, keepdim=True)

    def _read(
        self, tokens: Float[Tensor, "item token dim"], shown: Bool[Tensor, "item token"]
    ) -> Float[Tensor, "item dim"]:
        items, count, dim = tokens.shape
        keys, values = self.key_value(self.token_norm(tokens)).chunk(2, dim=2)
        shape = (items, count, dim // HEAD_DIM, HEAD_DIM)
        question = self.question.view(dim // HEAD_DIM, HEAD_DIM)
        scores = torch.einsum("nthe,he->nth", keys.reshape(shape), question) / HEAD_DIM**0.5
        # a large negative number and not minus infinity: an item without tokens stays finite
        weights = scores.masked_fill(~shown[:, :, None], -1e9).softmax(dim=1)
        return torch.einsum("nth,nthe->nhe", weights, values.reshape(shape)).reshape(items, dim)
