"""A blend of linear models whose settings and weights are chosen on events held back from train.

No single closed-form model wins everywhere: EASE on dense data, factorisation on sparse data, filters on
the graph in between. Their mistakes differ, so a weighted sum of their scores beats each. Everything is
chosen inside train: the caller's validation and test are never looked at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
from jaxtyping import Float32
from pydantic import Field

from bowerbird.arrays import standardised
from bowerbird.config import Settings
from bowerbird.errors import InputError
from bowerbird.randomness import generator
from bowerbird.recommenders.blend_weights import JudgedUsers, best_weights
from bowerbird.recommenders.ease import Ease, EaseSettings
from bowerbird.recommenders.graph_filter import GraphFilter
from bowerbird.recommenders.ials import Ials
from bowerbird.recommenders.interactions import Interactions
from bowerbird.recommenders.item_knn import ItemKnn, ItemKnnSettings
from bowerbird.recommenders.random_walk import RandomWalk, RandomWalkSettings
from bowerbird.recommenders.recommender import FittedRecommender, Histories, Recommender
from bowerbird.users.interaction_factors import IalsSettings

__all__ = ["Blend", "BlendSettings", "FittedBlend", "plugin"]

EASE_ITEMS = 30_000
"""EASE is left out above this many items: its inverse costs items^3, ten minutes of a core at this size."""
LEAST_JUDGED = 20
"""With fewer people to judge by, nothing is chosen: default settings, equal weights."""


class BlendSettings(Settings):
    """How the choice is made; what is chosen is in the row's settings."""

    held_back: float = Field(default=0.1, gt=0.0, lt=0.5)
    """Share of train's events that settings and weights are chosen on. Small, so that what is chosen
    suits nearly as much data as the final fit has."""
    judged_scores: int = Field(default=20_000_000, ge=1)
    """People judged times items; bounds memory (80 MB of float32 for each part)."""


@dataclass(frozen=True)
class FittedBlend:
    """The parts fitted on all of train, and their weights."""

    parts: Mapping[str, FittedRecommender]
    weights: Mapping[str, float]
    chosen: Mapping[str, Any] = field(default_factory=dict)
    """Weight and settings of each part, and the parts left out with the reason."""

    def scores(self, histories: Histories) -> Float32[np.ndarray, "user item"]:
        """``score = sum_m w_m z_m`` with ``z_m`` the part's scores in standard units of each history."""
        total = np.zeros((histories.users_total, histories.items_total), dtype=np.float32)
        for name, part in self.parts.items():
            total += np.float32(self.weights[name]) * standardised(part.scores(histories))
        return total


class Blend:
    """EASE, GF-CF, iALS, RP3beta and ItemKNN, each with its best settings, added with learnt weights.

    A share of train's events is held back; every part is fitted on the rest with each setting of a small
    grid and keeps the best; weights are then found by coordinate search on NDCG@20 of the held-back
    events; at last everything is fitted again on all of train. EASE's penalty grows with the
    data it is fitted on, as the Gram matrix it is added to does.

    Source: linear stacking (Breiman, Machine Learning 1996) of the models named, on their own scores.
    """

    summary = "ours: EASE, GF-CF, iALS, RP3beta and ItemKNN; settings and weights chosen inside train"
    uses_seed = True

    def __init__(self, settings: BlendSettings | None = None) -> None:
        self.settings = settings or BlendSettings()

    def variants(self) -> Sequence[Blend]:
        """Only itself: it chooses inside train."""
        return [self]

    def fit(self, train: Interactions, seed: int) -> FittedBlend:
        """Choose on held-back events, then fit on all of train."""
        users = max(LEAST_JUDGED, self.settings.judged_scores // max(1, train.items_total))
        kept = generator(seed, "blend").random(len(train)) >= self.settings.held_back
        judged = JudgedUsers.of(train.where(kept), train.where(~kept), users, seed)
        judging = len(judged) >= LEAST_JUDGED
        left_out: dict[str, str] = {}
        models: dict[str, Recommender] = {}
        scores: dict[str, Float32[np.ndarray, "user item"]] = {}
        for name, variants in _grid(train.items_total, left_out).items():
            models[name] = variants[0]
            if not judging:
                continue
            try:
                models[name], scores[name] = _best_variant(variants, judged, seed)
            except InputError as error:  # it does not fit into memory
                left_out[name] = str(error)
        weights = best_weights(scores, judged) if judging else dict.fromkeys(models, 1.0 / len(models))
        share = 1.0 - self.settings.held_back
        models = {name: _for_more_data(models[name], share) for name, weight in weights.items() if weight > 0}
        chosen: dict[str, Any] = {
            name: {"weight": round(weights[name], 4), **model.settings.model_dump()}
            for name, model in models.items()
        }
        if left_out:
            chosen["left_out"] = left_out
        return FittedBlend({name: model.fit(train, seed) for name, model in models.items()}, weights, chosen)


def _grid(items_total: int, left_out: dict[str, str]) -> dict[str, Sequence[Recommender]]:
    grid: dict[str, Sequence[Recommender]] = {
        "ease": [Ease(EaseSettings(regularisation=value)) for value in (100.0, 300.0, 900.0)],
        "gfcf": [GraphFilter()],
        "ials": [
            Ials(IalsSettings(dim=dim, unobserved_weight=weight))
            for dim, weight in product((64, 128), (0.05, 0.1, 0.2))
        ],
        "rp3beta": [RandomWalk(RandomWalkSettings(beta=value)) for value in (0.2, 0.4, 0.6, 0.8)],
        "itemknn": [ItemKnn(ItemKnnSettings(shrink=value)) for value in (0.0, 30.0)],
    }
    if items_total > EASE_ITEMS:
        del grid["ease"]
        left_out["ease"] = f"{items_total:,} items; its inverse is made up to {EASE_ITEMS:,}"
    return grid


def _best_variant(
    variants: Sequence[Recommender], judged: JudgedUsers, seed: int
) -> tuple[Recommender, Float32[np.ndarray, "user item"]]:
    best, best_scores, best_value = variants[0], np.empty((0, 0), dtype=np.float32), -np.inf
    for variant in variants:
        scores = standardised(variant.fit(judged.train, seed).scores(judged.histories))
        value = judged.ndcg(scores)
        if value > best_value:
            best, best_scores, best_value = variant, scores, value
    return best, best_scores


def _for_more_data(model: Recommender, share: float) -> Recommender:
    """The model for all of train: a penalty chosen on ``share`` of it is for less data."""
    if isinstance(model, Ease):
        penalty = model.settings.regularisation / share
        return Ease(model.settings.model_copy(update={"regularisation": penalty}))
    return model


def plugin() -> Blend:
    """The plugin ``blend``."""
    return Blend()
