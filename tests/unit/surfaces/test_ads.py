"""Second prices: never above the bid, never below the reserve, enough to keep the place."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bowerbird.config import validated
from bowerbird.content.eligibility import Eligibility
from bowerbird.pipeline.runner import Pipeline
from bowerbird.pipeline.settings import SurfaceSettings
from bowerbird.records.campaign import Campaign
from bowerbird.records.item import Items
from bowerbird.records.request import Request
from bowerbird.surfaces.ads import PRIOR_CLICK, RESERVE_PRICE, Auction, Bid, second_prices
from bowerbird.surfaces.budgets import BudgetLedger

bids = st.lists(
    st.tuples(st.floats(RESERVE_PRICE, 10.0), st.floats(1e-4, 1.0)).map(
        lambda pair: Bid(0, "i", Campaign("c", bid=pair[0], daily_budget=1.0), pair[1])
    ),
    max_size=8,
).map(lambda found: sorted(found, key=lambda bid: -bid.expected))


@given(bids)
def test_a_price_lies_between_the_reserve_and_the_own_bid(found: list[Bid]) -> None:
    for bid, price in zip(found, second_prices(found), strict=True):
        assert RESERVE_PRICE <= price <= bid.campaign.bid


@given(bids)
def test_a_price_is_enough_to_stay_above_the_next(found: list[Bid]) -> None:
    for (bid, price), below in zip(zip(found, second_prices(found), strict=True), found[1:], strict=False):
        assert price * bid.p_click >= below.expected - 1e-9


def test_the_price_is_the_next_expected_money_over_the_own_probability() -> None:
    first = Bid(0, "a", Campaign("a", bid=3.0, daily_budget=1), 0.2)
    second = Bid(1, "b", Campaign("b", bid=2.0, daily_budget=1), 0.1)
    assert second_prices([first, second]) == [pytest.approx(2.0 * 0.1 / 0.2), RESERVE_PRICE]


def test_of_ads_that_the_policy_limits_one_is_shown_and_the_others_set_no_price(small, tmp_path):
    table = small.items.table
    for name, values in (("is_ad", [True] * 6), ("campaign_id", [f"c{row}" for row in range(6)])):
        table = table.set_column(table.schema.get_field_index(name), name, pa.array(values))
    decision = np.array([1, 1, 1, 1, 0, 0], dtype=np.int8)
    decided = Eligibility(
        (("few", "few"),), {"ads": decision}, {"ads": np.where(decision, 0, -1).astype(np.int16)}
    )
    campaigns = {f"c{row}": Campaign(f"c{row}", bid=6.0 - row, daily_budget=100) for row in range(6)}
    release = replace(small, items=Items(table), campaigns=campaigns, eligibility=decided)
    declared = {
        "sources": {"trending": {}, "fresh": {}},
        "value": {"click": 1.0},
        "filters": (),
        "eligible": "ads",
    }
    pipeline = Pipeline("ads", validated(SurfaceSettings, declared, "test"), release)
    auction = Auction(pipeline, campaigns, BudgetLedger(tmp_path / "ledger.sqlite"))
    slate = auction.answer(Request("ads", release.as_of, user_id="u0", n=6))
    limited = [name for name in slate.item_ids if name not in ("i4", "i5")]
    assert len(limited) == 1
    first, second, third = slate.entries
    assert first.item_id == limited[0]
    assert (
        first.price > second.score / PRIOR_CLICK
    )  # another of them might have had its place, but not the second
    assert second.price == pytest.approx(third.score / PRIOR_CLICK)
    assert [drop.reason for drop in slate.dropped if drop.stage == "limited"] == [
        "the policy limits it to one place in 10"
    ]
