"""Slates: what is shown, in order, each entry with the terms its score is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bowerbird.records.candidates import Drop


@dataclass(frozen=True)
class Attribution:
    """One reason an item was considered: a source, its score and the item that led there."""

    source: str
    score: float
    because_of: str | None = None
    """Item id of the evidence, e.g. a past save; None when there is none."""


@dataclass(frozen=True)
class SlateEntry:
    """One item of a slate. ``sum(terms.values()) == score`` within 1e-6."""

    position: int
    """0 is the top."""
    item_id: str
    score: float
    terms: Mapping[str, float]
    """What the score is made of, e.g. ``save``: weight times probability; ``diversity``."""
    probabilities: Mapping[str, float] = field(default_factory=dict)
    """Calibrated probability per action, where a ranker gave them."""
    because: tuple[Attribution, ...] = ()
    propensity: float | None = None
    """Probability of being shown here, where the policy is randomised."""
    price: float | None = None
    """Ads only: what the click would cost, second price."""
    campaign_id: str | None = None


@dataclass(frozen=True)
class StageTrace:
    """What one stage did."""

    stage: str
    candidates_in: int
    candidates_out: int
    ms: float
    note: str = ""


@dataclass(frozen=True)
class Slate:
    """The answer to a request."""

    request_id: str
    surface: str
    as_of: int
    entries: tuple[SlateEntry, ...]
    trace: tuple[StageTrace, ...] = ()
    dropped: tuple[Drop, ...] = ()
    notes: tuple[str, ...] = ()
    """What the answer lacks and why: a degraded answer says so here."""
    weights: Mapping[str, float] = field(default_factory=dict)
    """What each term's column weighs: a term is its weight times the probability (or the retrieval score)."""

    @property
    def item_ids(self) -> tuple[str, ...]:
        """The items, top first."""
        return tuple(entry.item_id for entry in self.entries)


@dataclass(frozen=True)
class Notification:
    """One message growth would send: to whom, with which items, and why now."""

    user_id: str
    item_ids: tuple[str, ...]
    state: str
    """new, core, casual, marginal or dormant."""
    p_return: float
    """Probability of being active in the next 7 days without a message."""
    p_response: float
    """Probability of acting on the message."""
    gain: float
    """What the budget is spent by: the expected gain of sending."""
    because: str


@dataclass(frozen=True)
class NotificationPlan:
    """Growth's answer: at most ``budget`` notifications for one day."""

    request_id: str
    as_of: int
    budget: int
    notifications: tuple[Notification, ...]
    considered: int
    """People looked at."""
    held_back: Mapping[str, int] = field(default_factory=dict)
    """Reason to number of people who get none."""
    notes: tuple[str, ...] = ()
