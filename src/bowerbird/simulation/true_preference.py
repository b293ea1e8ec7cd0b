"""The planted truth as a function: who would open what, when."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int, Int32

from bowerbird.simulation.choice import preference
from bowerbird.simulation.people import Interests, interest_weights
from bowerbird.simulation.seasons import season_strength
from bowerbird.simulation.settings import ChoiceSettings

__all__ = ["TruePreference"]


@dataclass(frozen=True)
class TruePreference:
    """All parameters of the planted preference, by user row and item row.

    The utility of item ``i`` for person ``u`` at time ``t``, in logits, is

    ``base + interest * w[u, c(i)](t) + neighbourhood * (sum of w[u, c'](t), c' beside c(i) in its group)
    + taste * <taste[u], look[i]> + quality[i] + season[i] . strength(t) + openness[u] + advertising * is_ad[i]``

    and the preference is its sigmoid.
    """

    settings: ChoiceSettings
    interests: Interests
    taste: Float32[np.ndarray, "user dim"]
    openness: Float32[np.ndarray, "user"]
    topic: Int32[np.ndarray, "item"]
    topic_group: Int32[np.ndarray, "topic"]
    look: Float32[np.ndarray, "item dim"]
    quality: Float32[np.ndarray, "item"]
    season: Float32[np.ndarray, "item season"]
    is_ad: Bool[np.ndarray, "item"]

    def weights(self, at: int) -> Float32[np.ndarray, "user topic"]:
        """Interest weights of everybody at a time."""
        return interest_weights(self.interests, at, self.openness.shape[0], self.topic_group.shape[0])

    def utility(
        self,
        users: Int[np.ndarray, "*#n"],
        items: Int[np.ndarray, "*#n"],
        at: int,
        weights: Float32[np.ndarray, "user topic"],
    ) -> Float32[np.ndarray, "*n"]:
        """Utility in logits of pairs; the two row arrays broadcast.

        Args:
            users: user rows.
            items: item rows.
            at: microseconds UTC, for the season.
            weights: :meth:`weights` at that time, so a caller with many batches computes it once.
        """
        model = self.settings
        topic = self.topic[items]
        own = weights[users, topic]
        # a person's interest in the whole group, their own category taken out
        by_group = np.zeros((weights.shape[0], int(self.topic_group.max()) + 1), dtype=np.float32)
        np.add.at(by_group.T, self.topic_group, weights.T)
        beside = by_group[users, self.topic_group[topic]] - own
        agreement = np.einsum("...d,...d->...", self.taste[users], self.look[items])
        value = (
            model.base
            + model.interest * own
            + model.neighbourhood * beside
            + model.taste * agreement
            + self.quality[items]
            + (self.season @ season_strength(at))[items]
            + self.openness[users]
            + model.advertising * self.is_ad[items]
        )
        return value.astype(np.float32)

    def preference(
        self, users: Int[np.ndarray, "*#n"], items: Int[np.ndarray, "*#n"], at: int
    ) -> Float32[np.ndarray, "*n"]:
        """Probability of opening at position 0 when fresh, for pairs; the two row arrays broadcast."""
        return preference(self.utility(users, items, at, self.weights(at)))
