"""A sequence encoder of one's own in thirty lines: a recurrent block; batches, loss and training are Bowerbird's."""

from __future__ import annotations

from torch import Tensor, nn

from bowerbird.nn.causal_blocks import Places
from bowerbird.nn.dropout import Dropout, MaskStream
from bowerbird.recommenders.sequence_model import Recipe, SequenceRecommender, SequenceSettings


class GruBlock(nn.Module):
    """A recurrent network reads forwards only, so it is causal by construction."""

    def __init__(self, dim: int, rate: float, masks: MaskStream) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.recurrent = nn.GRU(dim, dim, batch_first=True)
        self.drop = Dropout(rate, masks)

    def forward(self, x: Tensor, places: Places) -> Tensor:
        """Hidden vectors, batch x position x dim, of the same."""
        return x + self.drop(self.recurrent(self.norm(x))[0])


def blocks(settings: SequenceSettings, rate: float, reach: int, masks: MaskStream) -> list[nn.Module]:
    """As many blocks as the settings say."""
    return [GruBlock(settings.dim, rate, masks) for _ in range(settings.blocks)]


def plugin() -> SequenceRecommender:
    """The entry point: ``bowerbird bench next-item --models gru``."""
    recipe = Recipe(SequenceSettings(blocks=1), blocks)
    return SequenceRecommender("gru", "GRU: a recurrent network over the latest items", recipe)
