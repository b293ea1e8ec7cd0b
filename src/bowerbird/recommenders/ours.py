"""The model ``ours``: a gated encoder of what people did in order, blended with counts of neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float32

from bowerbird.errors import InputError, TooLargeError
from bowerbird.recommenders import ease, item_knn, popularity, seq_knn
from bowerbird.recommenders.guidance import Guidance, held_out
from bowerbird.recommenders.interactions import Interactions
from bowerbird.recommenders.mixture import Mixture, fitted_mixture
from bowerbird.recommenders.recommender import FittedRecommender, Histories, Recommender
from bowerbird.recommenders.sequence_model import Recipe, SequenceSettings, fit_sequence, too_small

if TYPE_CHECKING:
    from torch import nn

    from bowerbird.nn.dropout import MaskStream

__all__ = ["FittedOurs", "FittedRepeats", "Ours", "gated_blocks", "neighbours", "plugin"]

REPEAT_SHARE = 0.02
"""From this share of repeated events on, what a person took before is a term of the blend."""

MOST_EASE_ITEMS = 20_000
"""EASE takes items^3 operations: minutes up to here."""


def gated_blocks(settings: SequenceSettings, rate: float, reach: int, masks: MaskStream) -> list[nn.Module]:
    """The blocks of our encoder."""
    from bowerbird.nn.causal_blocks import GatedBlock

    return [GatedBlock(settings.dim, settings.heads, rate, reach, masks) for _ in range(settings.blocks)]


@dataclass(frozen=True)
class FittedRepeats:
    """What a person took before, the latest and the most often first."""

    decay: float

    def scores(self, histories: Histories) -> Float32[np.ndarray, "user item"]:
        """``score_j = sum over events of j of decay**age``."""
        return np.asarray(histories.weights(self.decay).toarray(), dtype=np.float32)


@dataclass(frozen=True)
class FittedOurs:
    """The blend, and what was decided by the data."""

    mixture: Mixture
    chosen: dict[str, Any] = field(default_factory=dict)
    earlier_cpu_s: float = 0.0
    """CPU-seconds of training before it went on from a checkpoint."""

    def scores(self, histories: Histories) -> Float32[np.ndarray, "user item"]:
        """The blended scores."""
        return self.mixture.scores(histories)


class Ours:
    """Encoder, SeqKNN, EASE, ItemKNN, popularity and repeats, with weights chosen on validation.

    The encoder reads and scores with learnt vectors plus the items' content, knows time gaps where the
    data has times, and is left out where the data is too small to train one, or on demand: then the
    rest is a baseline that is asked with the same knowledge (when, and after how long a history).

    Args:
        settings: the encoder's shape and how it is trained.
        encoder: whether there is an encoder.
    """

    uses_seed = True

    def __init__(self, settings: SequenceSettings | None = None, *, encoder: bool = True) -> None:
        self.settings = settings or SequenceSettings()
        self._encoder = encoder

    @property
    def summary(self) -> str:
        """One line for ``--models list``."""
        if not self._encoder:
            return "the blend of ours without its encoder: SeqKNN, EASE, ItemKNN, popularity, repeats"
        return "ours: gated sequence encoder (ids, content, time gaps) blended with SeqKNN, EASE and ItemKNN"

    def variants(self) -> Sequence[Ours]:
        """With the calendar and without; what else differs between sets is learnt on validation anyway."""
        if not self._encoder:
            return [self]
        return [self, Ours(self.settings.model_copy(update={"calendar": True}))]

    def fit(self, train: Interactions, seed: int) -> FittedOurs:
        """Fitted with a tenth of the users' last events held back."""
        return self.fit_guided(train, seed, Guidance())

    def fit_guided(self, train: Interactions, seed: int, guidance: Guidance) -> FittedOurs:
        """Fitted on train; epochs and weights chosen on validation."""
        chosen: dict[str, Any] = {}
        models: dict[str, FittedRecommender] = {}
        learnt, cases = held_out(train, guidance, seed)
        earlier_cpu_s = 0.0
        reason = f"left out: {why}" if (why := too_small(learnt)) else None
        if not self._encoder:
            reason = "not asked for"
        if reason is None:
            recipe = Recipe(self.settings, gated_blocks, times=True, content=learnt.content)
            encoder = fit_sequence(train, seed, guidance, recipe, "ours: encoder")
            models["encoder"], chosen["encoder"] = encoder, encoder.chosen
            earlier_cpu_s = encoder.earlier_cpu_s
        else:
            chosen["encoder"] = f"{reason}; neighbours only"
        models |= _neighbours(learnt, seed, chosen)
        if cases is None:
            chosen["weights"] = "equal, since nobody has three events to choose them by"
            weights = np.ones((3, len(models)))
            return FittedOurs(Mixture(models, frozenset({"encoder"}), weights), chosen, earlier_cpu_s)
        guidance.progress.start("ours: weights of the blend", None, "cases")
        mixture = fitted_mixture(models, frozenset({"encoder"}), cases)
        guidance.progress.finish()
        chosen["weights"] = mixture.described()
        return FittedOurs(mixture, chosen, earlier_cpu_s)


def _with_ease(
    found: dict[str, FittedRecommender], train: Interactions, seed: int, chosen: dict[str, Any]
) -> None:
    """EASE, where its items x items table takes minutes rather than hours; the report says when it does not."""
    if train.items_total > MOST_EASE_ITEMS:
        chosen["ease"] = f"left out: {train.items_total:,} items, more than {MOST_EASE_ITEMS:,}"
        return
    try:
        table = ease.bag().fit(train, seed)
    except InputError as error:  # memory
        chosen["ease"] = f"left out: {error}"
        return
    found |= {"ease": table, "ease-recency": ease.FittedEase(table.weights, 0.8)}


def _neighbours(train: Interactions, seed: int, chosen: dict[str, Any]) -> dict[str, FittedRecommender]:
    """The counting models; one that would not fit into memory is left out, and the report says so."""
    models: dict[str, Recommender] = {
        "seqknn": seq_knn.plugin(),
        "itemknn-recency": item_knn.recency(),
        "pop": popularity.all_time(),
    }
    if train.at is not None:
        models["pop-30d"] = popularity.last_30_days()
    found: dict[str, FittedRecommender] = {}
    for name, model in models.items():
        try:
            found[name] = model.fit(train, seed)
        except TooLargeError as error:
            chosen[name] = f"left out: {error}"
    _with_ease(found, train, seed, chosen)
    if train.repeats > REPEAT_SHARE * len(train):
        found |= {"repeats": FittedRepeats(0.99), "latest repeats": FittedRepeats(0.8)}
    return found


def plugin() -> Ours:
    """The plugin ``ours``."""
    return Ours()


def neighbours() -> Ours:
    """The plugin ``neighbours``: what ``ours`` is worth without its encoder."""
    return Ours(encoder=False)
