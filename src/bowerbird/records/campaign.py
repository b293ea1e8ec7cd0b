"""Campaigns: who pays for which ads, how much, and when."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

CAMPAIGN_SCHEMA = pa.schema(
    [
        pa.field("campaign_id", pa.string(), nullable=False),
        pa.field("advertiser", pa.string()),
        pa.field("bid", pa.float64(), nullable=False),  # money per click
        pa.field("daily_budget", pa.float64(), nullable=False),
        pa.field("total_budget", pa.float64()),
        pa.field("starts_at", pa.int64()),
        pa.field("ends_at", pa.int64()),
        pa.field("audience", pa.string()),
    ]
)


@dataclass(frozen=True)
class Campaign:
    """One advertiser's order: a bid per click within budgets and dates."""

    campaign_id: str
    bid: float
    """Money for one click, the most the advertiser pays."""
    daily_budget: float
    """Money for one UTC day."""
    advertiser: str | None = None
    total_budget: float | None = None
    starts_at: int | None = None
    ends_at: int | None = None
    audience: str | None = None
    """Name of the declared audience it is shown to; None: everybody."""

    def runs_at(self, as_of: int) -> bool:
        """Whether the dates allow it to run at a time."""
        return (self.starts_at is None or self.starts_at <= as_of) and (
            self.ends_at is None or as_of < self.ends_at
        )
