"""The planted truth as a function: who would open what, when."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int, Int32

from bowerbird.simulation.choice import preference
from bowerbird.simulation.people import Interests, interest_weights
from bowerbird.simulation.seasons import season_strength
from bowerbird.simulation.settings import ChoiceSettings

__all__ = ["Moment", "TruePreference"]


@dataclass(frozen=True)
class Moment:
    """The truth at one time.

    Attributes:
        at: microseconds UTC.
        weights: interest of each person in each category.
        group_weights: the same summed over the categories of a group.
        season: logits the season adds to each item.
    """

    at: int
    weights: Float32[np.ndarray, "user topic"]
    group_weights: Float32[np.ndarray, "user group"]
    season: Float32[np.ndarray, "item"]


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

    def moment(self, at: int) -> Moment:
        """What of the truth depends on time only, computed once for many pairs."""
        weights = interest_weights(self.interests, at, self.openness.shape[0], self.topic_group.shape[0])
        groups = np.eye(int(self.topic_group.max()) + 1, dtype=np.float32)[self.topic_group]
        return Moment(
            at=at,
            weights=weights,
            group_weights=weights @ groups,
            season=(self.season @ season_strength(at)).astype(np.float32),
        )

    def utility(
        self, users: Int[np.ndarray, "*#n"], items: Int[np.ndarray, "*#n"], moment: Moment
    ) -> Float32[np.ndarray, "*n"]:
        """Utility in logits of pairs; the two row arrays broadcast.

        Args:
            users: user rows.
            items: item rows.
            moment: :meth:`moment` of the time asked about.
        """
        model = self.settings
        topic = self.topic[items]
        own = moment.weights[users, topic]
        # a person's interest in the whole group, their own category taken out
        beside = moment.group_weights[users, self.topic_group[topic]] - own
        agreement = np.einsum("...d,...d->...", self.taste[users], self.look[items])
        value = (
            model.base
            + model.interest * own
            + model.neighbourhood * beside
            + model.taste * agreement
            + self.quality[items]
            + moment.season[items]
            + self.openness[users]
            + model.advertising * self.is_ad[items]
        )
        return value.astype(np.float32)

    def preference(
        self, users: Int[np.ndarray, "*#n"], items: Int[np.ndarray, "*#n"], moment: Moment
    ) -> Float32[np.ndarray, "*n"]:
        """Probability of opening at position 0 when fresh, for pairs; the two row arrays broadcast."""
        return preference(self.utility(users, items, moment))
