"""The budget ledger: no budget is ever exceeded, whatever is asked and clicked, by however many."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bowerbird.clock import DAY_US, MINUTE_US
from bowerbird.errors import StorageError
from bowerbird.records.campaign import Campaign
from bowerbird.surfaces.budgets import HOLD_US, BudgetLedger

NOON = 20_000 * DAY_US + DAY_US // 2


@pytest.fixture
def ledger(tmp_path: Path) -> BudgetLedger:
    return BudgetLedger(tmp_path / "budgets.sqlite")


def test_a_hold_that_fits_is_granted_and_one_that_does_not_is_refused(ledger: BudgetLedger) -> None:
    shop = Campaign("c", bid=1.0, daily_budget=1.0)
    assert ledger.hold(shop, "i1", 0.6, "r1", NOON)
    assert not ledger.hold(shop, "i1", 0.6, "r2", NOON)
    assert ledger.hold(shop, "i1", 0.4, "r3", NOON)


def test_the_same_request_holds_once(ledger: BudgetLedger) -> None:
    shop = Campaign("c", bid=1.0, daily_budget=1.0)
    assert ledger.hold(shop, "i1", 0.6, "r1", NOON)
    assert ledger.hold(shop, "i1", 0.6, "r1", NOON)
    assert ledger.click("r1", "i1", NOON + 1) == 0.6
    assert ledger.spent("c", 0, 2 * NOON) == 0.6


def test_a_hold_without_a_click_lapses(ledger: BudgetLedger) -> None:
    shop = Campaign("c", bid=1.0, daily_budget=1.0)
    assert ledger.hold(shop, "i1", 1.0, "r1", NOON)
    assert not ledger.hold(shop, "i1", 1.0, "r2", NOON + HOLD_US - 1)
    assert ledger.hold(shop, "i1", 1.0, "r3", NOON + HOLD_US)


def test_a_click_is_charged_once_and_not_after_its_hold_lapsed(ledger: BudgetLedger) -> None:
    shop = Campaign("c", bid=1.0, daily_budget=5.0)
    ledger.hold(shop, "i1", 0.5, "r1", NOON)
    ledger.hold(shop, "i1", 0.7, "r2", NOON)
    assert ledger.click("r1", "i1", NOON + MINUTE_US) == 0.5
    assert ledger.click("r1", "i1", NOON + MINUTE_US) == 0.0
    assert ledger.click("r2", "i1", NOON + HOLD_US) == 0.0
    assert ledger.click("never shown", "i1", NOON) == 0.0


def test_late_news_of_a_click_cannot_spend_what_was_promised_again(ledger: BudgetLedger) -> None:
    shop = Campaign("c", bid=1.0, daily_budget=1.0)
    assert ledger.hold(shop, "i1", 1.0, "r1", NOON)
    assert ledger.hold(shop, "i1", 1.0, "r2", NOON + HOLD_US)
    assert ledger.click("r2", "i1", NOON + HOLD_US + 1) == 1.0
    assert (
        ledger.click("r1", "i1", NOON + 1) == 0.0
    )  # clicked in time, heard of after its money was held again
    assert ledger.spent("c", 0, 2 * NOON) == 1.0


def test_a_new_day_has_a_new_daily_budget_but_the_same_total(ledger: BudgetLedger) -> None:
    shop = Campaign("c", bid=1.0, daily_budget=1.0, total_budget=1.5)
    assert ledger.hold(shop, "i1", 1.0, "r1", NOON)
    ledger.click("r1", "i1", NOON + 1)
    assert not ledger.hold(shop, "i1", 1.0, "r2", NOON + DAY_US)
    assert ledger.hold(shop, "i1", 0.5, "r3", NOON + DAY_US)


def test_many_processes_at_once_do_not_exceed_the_budget(ledger: BudgetLedger) -> None:
    shop = Campaign("c", bid=1.0, daily_budget=1.0)
    with ThreadPoolExecutor(8) as pool:
        granted = list(pool.map(lambda at: ledger.hold(shop, "i1", 0.1, f"r{at}", NOON), range(40)))
    assert sum(granted) == 10


@given(
    asks=st.lists(st.tuples(st.integers(0, 3 * 60), st.integers(1, 50), st.booleans()), max_size=25),
    daily=st.integers(0, 100),
)
def test_spend_never_exceeds_the_daily_budget(
    tmp_path_factory: pytest.TempPathFactory, asks: list[tuple[int, int, bool]], daily: int
) -> None:
    ledger = BudgetLedger(tmp_path_factory.mktemp("ledger") / "budgets.sqlite")
    shop = Campaign("c", bid=1.0, daily_budget=daily / 100)
    for number, (minute, cents, clicked) in enumerate(sorted(asks)):
        at = NOON + minute * MINUTE_US
        if ledger.hold(shop, "i", cents / 100, f"r{number}", at) and clicked:
            ledger.click(f"r{number}", "i", at + MINUTE_US)
    assert ledger.spent("c", NOON - DAY_US, NOON + DAY_US) <= daily / 100 + 1e-9


def test_a_ledger_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    path = tmp_path / "budgets.sqlite"
    path.write_bytes(b"this is not a database, it is a sentence" * 100)
    with pytest.raises(StorageError, match="budget ledger could not be written"):
        BudgetLedger(path)
