"""SASRec, trained as well as one knows how: sampled softmax or full cross-entropy, every position a target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bowerbird.recommenders.guidance import Guidance
from bowerbird.recommenders.interactions import Interactions
from bowerbird.recommenders.sequence_model import FittedSequence, Recipe, SequenceSettings, fit_sequence

if TYPE_CHECKING:
    from torch import nn

    from bowerbird.nn.dropout import MaskStream

__all__ = ["SasRec", "full", "sampled"]


def _blocks(settings: SequenceSettings, rate: float, reach: int, masks: MaskStream) -> list[nn.Module]:
    from bowerbird.nn.causal_blocks import AttentionBlock

    return [AttentionBlock(settings.dim, settings.heads, rate, masks) for _ in range(settings.blocks)]


class SasRec:
    """Self-attention over the latest items; the next item by dot product with its own vectors.

    Source: Kang & McAuley, ICDM 2018; the losses after Klenitskiy & Vasilev, RecSys 2023 (full
    cross-entropy) and the sampled softmax of eSASRec (RecSys 2025) with logQ.
    """

    uses_seed = True

    def __init__(self, settings: SequenceSettings | None = None) -> None:
        self.settings = settings or SequenceSettings()

    @property
    def summary(self) -> str:
        """One line for ``--models list``."""
        negatives = self.settings.negatives
        loss = f"sampled softmax, {negatives} negatives" if negatives else "full cross-entropy"
        return f"SASRec: self-attention over the latest items, {self.settings.blocks} blocks; {loss}"

    def variants(self) -> Sequence[SasRec]:
        """Three dropout rates."""
        return [SasRec(self.settings.model_copy(update={"dropout": rate})) for rate in (0.2, 0.35, 0.5)]

    def fit(self, train: Interactions, seed: int) -> FittedSequence:
        """Trained with a tenth of the users' last events held back to choose the epoch."""
        return self.fit_guided(train, seed, Guidance())

    def fit_guided(self, train: Interactions, seed: int, guidance: Guidance) -> FittedSequence:
        """Trained on train, the epoch chosen on validation."""
        return fit_sequence(train, seed, guidance, Recipe(self.settings, _blocks, positions=True), "sasrec")[
            0
        ]


def sampled() -> SasRec:
    """The plugin ``sasrec``."""
    return SasRec()


def full() -> SasRec:
    """The plugin ``sasrec-ce``."""
    return SasRec(SequenceSettings(negatives=0))
