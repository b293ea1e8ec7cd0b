"""The graph network while it is trained: neighbourhoods pooled by importance, then one transformer layer over the tokens.

``v_i = tower(x_i, unit(sum_j w_ij x_j), unit(sum_o y_o))`` over neighbours ``j`` and collections ``o`` of item ``i``; the tower
is :class:`~bowerbird.nn.item_tower.ItemTower`. A linear head reads the tokens back off the vector, which is what the
feature-reconstruction loss holds on to.

Source: OmniSage (arXiv:2504.17811): tokens by type under a transformer, reconstruction beside the pair loss.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional

from bowerbird.nn.item_tower import ItemTower

__all__ = ["GraphNetwork", "pooled"]


def pooled(
    table: Float[Tensor, "row dim"], rows: Int64[Tensor, "item place"], weights: Float[Tensor, "item place"]
) -> Float[Tensor, "item dim"]:
    """The direction of each item's weighted sum of table rows; zero where all weights are."""
    summed = functional.embedding_bag(rows, table, mode="sum", per_sample_weights=weights)
    return functional.normalize(summed, dim=1)


class GraphNetwork(nn.Module):
    """A tower over tokens of a neighbourhood, and the head that reads them back.

    Args:
        tower: fuses the tokens.
        width: numbers of one token.
        dim: width of the vectors.
    """

    def __init__(self, tower: ItemTower, width: int, dim: int) -> None:
        super().__init__()
        self.tower = tower
        self.read_back = nn.Linear(dim, width)
        self.scale = nn.Parameter(torch.tensor(20.0).log())  # inverse temperature on a logarithmic scale

    def reconstruction(
        self, vectors: Float[Tensor, "item dim"], content: Float[Tensor, "item width"]
    ) -> Float[Tensor, ""]:
        """Mean of one minus the cosine between what is read back and the content it should be."""
        return (1 - functional.cosine_similarity(self.read_back(vectors), content, dim=1)).mean()
