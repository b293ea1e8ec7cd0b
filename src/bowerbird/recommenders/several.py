"""The model ``several``: one encoder, asked about each of a person's topics, gives several vectors per person.

One vector has to stand between the interests of a person. Told a topic, the same encoder points into it. Each vector
searches for itself, as serving does it, and gets places of the answer in proportion to its share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from jaxtyping import Float32, Int32, Int64

from bowerbird.arrays import top_k_rows
from bowerbird.recommenders.guidance import Guidance
from bowerbird.recommenders.interactions import Interactions
from bowerbird.recommenders.ours import gated_blocks
from bowerbird.recommenders.recommender import Histories
from bowerbird.recommenders.sequence_model import FittedSequence, Recipe, SequenceSettings, fit_sequence
from bowerbird.users.behaviour import Behaviour
from bowerbird.users.item_topics import engaged_topics, item_topics

__all__ = ["FittedSeveral", "Several", "one", "plugin", "topics_of"]

TOPICS = 5
"""Topics of a person that are asked about, beside what comes next at all."""
PLAIN_SHARE = 0.5
"""Share of the places for the vector that is told no topic."""
BUDGET = 200
"""Places that are shared out; an item that no vector has among its own is behind all others."""


def topics_of(train: Interactions, seed: int) -> Int32[np.ndarray, " item"]:
    """The topic of each item, found in who met what and in content; see :func:`bowerbird.users.item_topics.item_topics`."""
    shape = (train.users_total, train.items_total)
    at = np.arange(len(train)) if train.at is None else train.at
    return item_topics(Behaviour.of(train.users, train.items, at, shape), train.content, seed)


@dataclass(frozen=True)
class FittedSeveral:
    """A trained encoder, the topics it can be asked about, and how its answers are put together."""

    encoder: FittedSequence
    topics: Int32[np.ndarray, " item"]
    seen_out: bool = True
    """Whether items of the history take no places: people here do not meet an item twice."""
    chosen: dict[str, Any] = field(default_factory=dict)

    @property
    def earlier_cpu_s(self) -> float:
        """CPU-seconds of training before it went on from a checkpoint."""
        return self.encoder.earlier_cpu_s

    def questions(
        self, histories: Histories
    ) -> tuple[Int64[np.ndarray, "user question"], Float32[np.ndarray, "user question"]]:
        """What each history is asked about, 0 first (no topic), and the share of each question; 0 for no question."""
        bounds = np.searchsorted(histories.users, np.arange(histories.users_total + 1))
        asked = np.zeros((histories.users_total, 1 + TOPICS), dtype=np.int64)
        shares = np.zeros(asked.shape, dtype=np.float32)
        for user in range(histories.users_total):
            items = histories.items[bounds[user] : bounds[user + 1]]
            found, weight = engaged_topics(self.topics[items], TOPICS)
            asked[user, 1 : 1 + found.size] = found
            shares[user, 1 : 1 + found.size] = weight * (1.0 - PLAIN_SHARE)
        shares[:, 0] = 1.0 - shares.sum(axis=1)
        return asked, shares

    def scores(self, histories: Histories) -> Float32[np.ndarray, "user item"]:
        """``-min over questions of place / share``: the first items are those that every question got its places for."""
        asked, shares = self.questions(histories)
        vectors = self.encoder.topic_queries(histories, asked)
        items = self.encoder.item_vectors()
        budget = min(BUDGET, histories.items_total)
        place = np.arange(1, budget + 1, dtype=np.float32)
        merged = np.full((histories.users_total, histories.items_total), -np.inf, dtype=np.float32)
        rows = np.arange(histories.users_total)[:, None]
        for question in range(asked.shape[1]):
            logits = vectors[:, question] @ items.T
            if self.seen_out:
                logits[histories.users, histories.items] = -np.inf
            best = top_k_rows(logits, budget)
            share = shares[:, question, None]
            worth = np.where(share > 0, -place / np.maximum(share, 1e-9), -np.inf)
            merged[rows, best] = np.maximum(merged[rows, best], worth)
        nobody = np.bincount(histories.users, minlength=histories.users_total) == 0
        merged[nobody] = 0.0  # nothing to ask with: no item is better than another
        return np.where(np.isfinite(merged), merged, np.float32(-1e9))


class Several:
    """The encoder of ``ours`` with topics, trained like it; half of the training positions are told their target's topic.

    Args:
        settings: the encoder's shape and how it is trained.
        topics: whether it is asked about topics; without, it is the same encoder with its one vector.
    """

    uses_seed = True

    def __init__(self, settings: SequenceSettings | None = None, *, topics: bool = True) -> None:
        self.settings = settings or SequenceSettings()
        self._topics = topics

    @property
    def summary(self) -> str:
        """One line for ``--models list``."""
        if not self._topics:
            return "the encoder of ours alone: one vector per person, no neighbours"
        return "several vectors per person: the encoder of ours, asked about each of the person's topics"

    def variants(self) -> Sequence[Several]:
        """With the calendar and without, see :class:`SequenceSettings`."""
        return [self, Several(self.settings.model_copy(update={"calendar": True}), topics=self._topics)]

    def fit(self, train: Interactions, seed: int) -> FittedSeveral | FittedSequence:
        """Trained with some users' last events held back to choose the epoch."""
        return self.fit_guided(train, seed, Guidance())

    def fit_guided(
        self, train: Interactions, seed: int, guidance: Guidance
    ) -> FittedSeveral | FittedSequence:
        """Trained on train, the epoch chosen on validation by the vector that is told no topic."""
        recipe = Recipe(self.settings, gated_blocks, times=True, content=train.content)
        if not self._topics:
            return fit_sequence(train, seed, guidance, recipe, "gated")
        topics = topics_of(train, seed)
        encoder = fit_sequence(train, seed, guidance, replace(recipe, topics=topics), "several")
        chosen = {**encoder.chosen, "topics": int(topics.max(initial=0))}
        return FittedSeveral(encoder, topics, train.repeats == 0, chosen)


def plugin() -> Several:
    """The plugin ``several``."""
    return Several()


def one() -> Several:
    """The plugin ``gated``: what ``several`` is worth beside."""
    return Several(topics=False)
