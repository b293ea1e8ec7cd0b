"""Advertisers of the simulated world: campaigns, bids and budgets that are never exceeded."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from jaxtyping import Float64, Int, Int32, Int64

from bowerbird.clock import DAY_US
from bowerbird.randomness import generator
from bowerbird.simulation.logging_policy import SlateDraw, draw_slates
from bowerbird.simulation.settings import WorldSettings

__all__ = ["AdSales"]

_PLACES = 2
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
        self._item = np.flatnonzero(campaign >= 0)
        self._campaign = campaign[self._item]
        self._of_item = campaign
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
        self.spent: Float64[np.ndarray, "campaign"] = np.zeros(count)
        self.daily_spent: list[Float64[np.ndarray, "campaign"]] = []
        self._today = -1

    def place(
        self, rng: np.random.Generator, at: int, begins: int, created_at: Int64[np.ndarray, "item"]
    ) -> SlateDraw | None:
        """Items for the places of one slate, or None when nobody is left to advertise.

        Args:
            rng: the randomness.
            at: time of the slate.
            begins: first microsecond of its day.
            created_at: arrival of every item; an advertisement is shown from the midnight after.
        """
        if begins != self._today:
            self._today = begins
            self.daily_spent.append(np.zeros(self.bid.shape[0]))
        # room for a click on every place, so the accounts hold whatever is clicked
        cost = _PLACES * self.bid
        room = (self.spent + cost <= self.total_budget) & (self.daily_spent[-1] + cost <= self.daily_budget)
        runs = room & (self.starts_at <= at) & (at < self.ends_at)
        eligible = runs[self._campaign] & (created_at[self._item] < begins)
        if not eligible.any():
            return None
        bids = np.where(eligible, self.bid[self._campaign], 0.0)
        weights = _EXPLORATION * eligible / eligible.sum() + (1 - _EXPLORATION) * bids / bids.sum()
        draw = draw_slates(weights[None, :].astype(np.float32), min(_PLACES, int(eligible.sum())), rng)
        return SlateDraw(items=self._item[draw.items].astype(np.int64), propensity=draw.propensity)

    def charge(self, clicked: Int[np.ndarray, "click"]) -> None:
        """Take the price of clicks from the budgets.

        Args:
            clicked: rows of the clicked items.
        """
        rows = self._of_item[clicked]
        np.add.at(self.spent, rows, self.bid[rows])
        np.add.at(self.daily_spent[-1], rows, self.bid[rows])

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
