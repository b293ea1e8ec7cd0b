"""Second prices: never above the bid, never below the reserve, enough to keep the place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bowerbird.records.campaign import Campaign
from bowerbird.surfaces.ads import RESERVE_PRICE, Bid, second_prices

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
