"""The dials of the simulated world: how many people, for how long, and how they behave."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from bowerbird.config import Settings

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[float, Field(gt=0.0)]


class ChoiceSettings(Settings):
    """How a person responds to an item in front of them (:mod:`bowerbird.simulation.choice`)."""

    base: float = -4.4
    """Utility of an item that touches no interest, in logits."""
    interest: float = 4.0
    """Logits a full interest (weight 1) in the item's category adds."""
    neighbourhood: float = 0.4
    """Logits a full interest in another category of the same group adds."""
    taste: float = 0.7
    """Logits per unit of agreement between a person's taste and an item's look."""
    quality: float = 0.45
    """Standard deviation of item quality, in logits."""
    advertising: float = -0.5
    """Logits an advertisement adds."""
    examination: Positive = 0.5
    """Position bias: position k (from 0) is looked at with probability (k + 1) ** -examination."""
    fatigue: Positive = 0.3
    """Each earlier exposure to the same picture multiplies the response by exp(-fatigue)."""
    fatigue_half_life_days: Positive = 14.0
    """Days after which half of an exposure is forgotten."""
    click: Share = 0.62
    """Probability of a click on an opened item."""
    save: Share = 0.18
    """Probability of a save of an opened item that touches no interest."""
    save_interest: Share = 0.28
    """How much a full interest adds to the probability of a save."""
    purchase: Share = 0.10
    """Probability that an opened product is bought at the median price."""
    hide: Share = 0.022
    """Probability that a looked-at, not opened item with preference 0 is hidden."""


class LoggingSettings(Settings):
    """The policy that chose the slates of the log: a stated mixture, so propensities are exact."""

    slate: int = Field(default=12, ge=1, le=100)
    """Items of a slate."""
    uniform: float = Field(default=0.15, ge=0.10, le=1.0)
    """Share of uniform exploration."""
    popular: Share = 0.30
    """Share of recent popularity; the rest is decayed personal affinity."""
    half_life_days: Positive = 14.0
    """Days after which an opening counts half in popularity and affinity."""
    noise: float = Field(default=0.8, ge=0.0)
    """Standard deviation of the log-normal noise on a person's affinity to a category."""
    search: Share = 0.22
    """Share of slates that answer a search."""
    related: Share = 0.16
    """Share of slates that follow an opened item."""
    shopping: Share = 0.06
    """Share of slates made of products only."""
    ads: Share = 0.45
    """Share of homefeed slates that also carry two advertisements."""


class WorldSettings(Settings):
    """A simulated world; the same settings and catalogue give the same bytes."""

    people: int = Field(default=2000, ge=1)
    """Number of people."""
    days: int = Field(default=90, ge=2)
    """Length of the event log."""
    seed: int = 7
    """Everything random derives from it."""
    start: str = "2025-11-03"
    """First day (ISO date); 90 days later is 2026-02-01, so the last event falls on 2026-01-31."""
    arriving_share: Share = 0.25
    """Share of items, and of people, that arrive during the log."""
    duplicates_share: Share = 0.06
    """Planted near-duplicates as a share of the catalogue."""
    products_share: Share = 0.7
    """Share of items in sellable categories that are products with a price."""
    ads_share: Share = 0.03
    """Share of the catalogue that is advertising."""
    campaigns: int = Field(default=20, ge=1)
    """Number of advertising campaigns."""
    interest_min_items: int = Field(default=5, ge=1)
    """A category needs this many items before anybody is interested in it."""
    swap_share: Share = 0.35
    """Share of people who drop one interest for another during the log."""
    taste_dim: int = Field(default=8, ge=1)
    """Width of the hidden taste vectors."""
    activity: Positive = 1.0
    """Multiplies the probability that a person comes on a day."""
    choice: ChoiceSettings = ChoiceSettings()
    """The user model."""
    logging: LoggingSettings = LoggingSettings()
    """The logging policy."""
