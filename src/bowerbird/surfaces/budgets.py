"""The budget ledger: what campaigns have spent, so that no budget is ever exceeded.

Showing an ad holds its price; a click within the hold turns it into spend, otherwise the hold
lapses. ``spent + held + price <= budget`` is checked and written in one transaction, so any number
of processes can share the ledger. A click after its hold lapsed is not charged. A lapsed hold is
taken out before its money is promised again: news of an earlier click that comes too late then finds
nothing to charge, and the file holds no more than what was clicked and what is held.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bowerbird.clock import DAY_US, MINUTE_US
from bowerbird.errors import StorageError
from bowerbird.records.campaign import Campaign

HOLD_US = 30 * MINUTE_US
"""How long a shown ad keeps its price reserved."""

_TABLE = """
CREATE TABLE IF NOT EXISTS charges (
    request_id TEXT NOT NULL,
    item_id TEXT NOT NULL,
    campaign_id TEXT NOT NULL,
    price REAL NOT NULL,
    at INTEGER NOT NULL,
    clicked_at INTEGER,
    PRIMARY KEY (request_id, item_id)
)
"""
_INDEX = "CREATE INDEX IF NOT EXISTS by_campaign ON charges (campaign_id, at)"

_COMMITTED = """
SELECT COALESCE(SUM(price), 0.0) FROM charges
WHERE campaign_id = ? AND at >= ? AND at < ? AND (clicked_at IS NOT NULL OR at > ?)
"""

_LAPSE = "DELETE FROM charges WHERE campaign_id = ? AND clicked_at IS NULL AND at <= ?"


class BudgetLedger:
    """Holds and spend per campaign, in one SQLite file.

    Args:
        path: the file; made when missing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._transaction() as connection:
            connection.execute(_TABLE)
            connection.execute(_INDEX)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            connection = sqlite3.connect(self._path, timeout=10.0, isolation_level=None)
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                connection.execute("COMMIT")
            finally:
                connection.close()
        except sqlite3.Error as error:
            raise StorageError(f"{self._path}: the budget ledger could not be written: {error}") from error

    def forget(self, item_id: str) -> int:
        """Remove an ad's holds and charges; returns how many."""
        with self._transaction() as connection:
            connection.execute("PRAGMA secure_delete = ON")
            return connection.execute("DELETE FROM charges WHERE item_id = ?", (item_id,)).rowcount

    def hold(self, campaign: Campaign, item_id: str, price: float, request_id: str, at: int) -> bool:
        """Reserve a price, if the campaign's budgets allow it.

        The same request and item hold once, so a retried request is not charged twice.

        Args:
            campaign: whose budget.
            item_id: the ad shown.
            price: what a click will cost.
            request_id: the slate.
            at: time of showing, microseconds UTC.

        Returns:
            Whether the ad may be shown.
        """
        day = at - at % DAY_US
        lapsed = at - HOLD_US
        with self._transaction() as connection:
            connection.execute(_LAPSE, (campaign.campaign_id, lapsed))
            held = connection.execute(
                "SELECT 1 FROM charges WHERE request_id = ? AND item_id = ?", (request_id, item_id)
            ).fetchone()
            if held:
                return True
            today = connection.execute(
                _COMMITTED, (campaign.campaign_id, day, day + DAY_US, lapsed)
            ).fetchone()[0]
            if today + price > campaign.daily_budget:
                return False
            if campaign.total_budget is not None:
                ever = connection.execute(
                    _COMMITTED, (campaign.campaign_id, -(2**62), 2**62, lapsed)
                ).fetchone()[0]
                if ever + price > campaign.total_budget:
                    return False
            connection.execute(
                "INSERT INTO charges (request_id, item_id, campaign_id, price, at) VALUES (?, ?, ?, ?, ?)",
                (request_id, item_id, campaign.campaign_id, price, at),
            )
        return True

    def click(self, request_id: str, item_id: str, at: int) -> float:
        """Charge a click on a shown ad.

        Returns:
            What it cost; 0 when nothing was held, the hold had lapsed or the click was charged before.
        """
        with self._transaction() as connection:
            row = connection.execute(
                "SELECT price FROM charges WHERE request_id = ? AND item_id = ? AND clicked_at IS NULL AND at > ?",
                (request_id, item_id, at - HOLD_US),
            ).fetchone()
            if row is None:
                return 0.0
            connection.execute(
                "UPDATE charges SET clicked_at = ? WHERE request_id = ? AND item_id = ?",
                (at, request_id, item_id),
            )
        return float(row[0])

    def spent(self, campaign_id: str, since: int, until: int) -> float:
        """Money charged to a campaign for ads shown in a window."""
        with self._transaction() as connection:
            row = connection.execute(
                "SELECT COALESCE(SUM(price), 0.0) FROM charges "
                "WHERE campaign_id = ? AND at >= ? AND at < ? AND clicked_at IS NOT NULL",
                (campaign_id, since, until),
            ).fetchone()
        return float(row[0])
