"""SASRec, trained as well as one knows how: sampled softmax or full cross-entropy, every position a target."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bowerbird.recommenders.sequence_model import Recipe, SequenceRecommender, SequenceSettings

if TYPE_CHECKING:
    from torch import nn

    from bowerbird.nn.dropout import MaskStream

__all__ = ["full", "sampled"]


def _blocks(settings: SequenceSettings, rate: float, reach: int, masks: MaskStream) -> list[nn.Module]:
    from bowerbird.nn.causal_blocks import AttentionBlock

    return [AttentionBlock(settings.dim, settings.heads, rate, masks) for _ in range(settings.blocks)]


def sampled() -> SequenceRecommender:
    """The plugin ``sasrec``: self-attention over the latest items, sampled softmax with logQ.

    Source: Kang & McAuley, ICDM 2018; the loss as in eSASRec, RecSys 2025.
    """
    recipe = Recipe(SequenceSettings(), _blocks, positions=True)
    return SequenceRecommender(
        "sasrec", "SASRec: self-attention over the latest items; 512 negatives", recipe
    )


def full() -> SequenceRecommender:
    """The plugin ``sasrec-ce``: the same with full cross-entropy.

    Source: Klenitskiy & Vasilev, RecSys 2023.
    """
    recipe = Recipe(SequenceSettings(negatives=0), _blocks, positions=True)
    return SequenceRecommender("sasrec-ce", "SASRec with full cross-entropy over the catalogue", recipe)
