"""Advertisers of the simulated world: campaigns, bids and budgets that are never exceeded."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from jaxtyping import Float32, Float64, Int32, Int64

from bowerbird.clock import DAY_US
from bowerbird.randomness import generator
from bowerbird.simulation.settings import WorldSettings

__all__ = ["PLACES", "AdSales"]

PLACES = 2
"""Advertising places of a homefeed slate."""

_EXPLORATION = 0.2


class AdSales:
    """Sells advertising places for a price per click (each campaign pays its bid) and keeps the accounts.

    A campaign may be shown while it runs and while today's and the whole budget both leave room for one click per
    place. Among those, an item is drawn from ``exploration / N + (1 - exploration) * bid / sum of bids``.
    """

    def __init__(self, settings: WorldSettings, campaign: Int32[np.ndarray, "item"], start: int) -> None:
        """Draw the campaigns.

        Args:
            settings: the world.
            campaign: row of each item's campaign, -1 for none.
            start: first microsecond of the log.
        """
        rng = generator(settings.seed, "campaigns")
        count = settings.campaigns
        self.items = np.flatnonzero(campaign >= 0)
        self._campaign = campaign[self.items]
        self.bid = np.round(rng.uniform(0.2, 1.5, size=count), 2)
        self.daily_budget = np.round(self.bid * rng.uniform(2.0, 5.0, size=count), 2)
        self.total_budget = np.round(self.daily_budget * rng.uniform(4.0, 20.0, size=count), 2)
        first = rng.integers(0, max(1, settings.days // 2), size=count)
        first[: max(1, count // 3)] = 0
        self.starts_at = start + first * DAY_US
        self.ends_at = np.minimum(
            self.starts_at + rng.integers(max(1, settings.days // 3), settings.days + 1, size=count) * DAY_US,
            start + settings.days * DAY_US,
        )
        self.spent = np.zeros(count)
        self._today = np.zeros(count)
        self._here = np.zeros(self.items.shape[0], dtype=bool)
        self._weights: Float64[np.ndarray, "place_item"] | None = None
        self._race = np.empty((0, self.items.shape[0]))

    def open_day(
        self, rng: np.random.Generator, begins: int, slates: int, created_at: Int64[np.ndarray, "item"]
    ) -> tuple[Int64[np.ndarray, "slate place"], Float32[np.ndarray, "slate place"]]:
        """Start a day: clear its accounts and draw the randomness of its slates.

        Args:
            rng: the randomness.
            begins: first microsecond of the day.
            slates: how many slates carry advertising today.
            created_at: arrival of every item; an advertisement is shown from the midnight after.

        Returns:
            Empty places (-1) and propensities, for :meth:`place` to fill.
        """
        self._today[:] = 0.0
        runs = (self.starts_at <= begins) & (begins < self.ends_at)
        self._here = runs[self._campaign] & (created_at[self.items] < begins)
        self._weights = None
        self._race = rng.standard_exponential((slates, self.items.shape[0]))
        return np.full((slates, PLACES), -1, dtype=np.int64), np.zeros((slates, PLACES), dtype=np.float32)

    def place(
        self,
        slate: int,
        items: Int64[np.ndarray, "slate place"],
        propensity: Float32[np.ndarray, "slate place"],
    ) -> Int64[np.ndarray, "filled"]:
        """Fill the places of a slate by a Plackett-Luce draw; none when nobody is left to advertise.

        Args:
            slate: row of the slate, in the order of time.
            items: filled in: rows of ``items`` of this object.
            propensity: filled in.

        Returns:
            The filled places.
        """
        if self._weights is None:
            self._weights = self._eligible_weights()
        weights = self._weights
        open_to = np.flatnonzero(weights)
        count = min(PLACES, open_to.shape[0])
        chosen = open_to[np.argsort(self._race[slate, open_to] / weights[open_to])[:count]]
        left = 1.0
        for position, item in enumerate(chosen):
            items[slate, position] = item
            propensity[slate, position] = min(weights[item] / left, 1.0)
            left -= weights[item]
        return chosen

    def _eligible_weights(self) -> Float64[np.ndarray, "place_item"]:
        # room for a click on every place, so the accounts hold whatever is clicked
        cost = PLACES * self.bid
        room = (self.spent + cost <= self.total_budget) & (self._today + cost <= self.daily_budget)
        eligible = self._here & room[self._campaign]
        if not eligible.any():
            return np.zeros(eligible.shape[0])
        bids = np.where(eligible, self.bid[self._campaign], 0.0)
        return _EXPLORATION * eligible / eligible.sum() + (1 - _EXPLORATION) * bids / bids.sum()

    def charge(self, clicked: Int64[np.ndarray, "click"]) -> None:
        """Take the price of clicks from the budgets.

        Args:
            clicked: clicked rows of ``items`` of this object.
        """
        rows = self._campaign[clicked]
        np.add.at(self.spent, rows, self.bid[rows])
        np.add.at(self._today, rows, self.bid[rows])
        self._weights = None

    def table(self) -> pa.Table:
        """The campaigns in the standard columns; budgets and bids are in USD, bids per click."""
        count = self.bid.shape[0]
        return pa.table(
            {
                "campaign_id": pa.array([f"a{row}" for row in range(count)], pa.string()),
                "advertiser": pa.array([f"advertiser {row}" for row in range(count)], pa.string()),
                "bid": pa.array(self.bid, pa.float64()),
                "daily_budget": pa.array(self.daily_budget, pa.float64()),
                "total_budget": pa.array(self.total_budget, pa.float64()),
                "starts_at": pa.array(self.starts_at.astype(np.int64), pa.int64()),
                "ends_at": pa.array(self.ends_at.astype(np.int64), pa.int64()),
            }
        )
