"""Behaviour: what people did, with the amounts they spent, as columns grouped by person.

A track of the sequences says who acted on what and when; vectors of people also read what it cost and which kind of
thing it was. This is that table, the same for a workspace and for a bench.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float64, Int32, Int64
from scipy import sparse

from bowerbird.errors import InputError


@dataclass(frozen=True, eq=False)
class Behaviour:
    """Actions of people, sorted by person and then by time. Make one with :meth:`of`.

    Args:
        users: row of the person of each step.
        items: row of the item of each step.
        at: when, microseconds UTC.
        amounts: money spent in each step, 0 where none; None when nobody's spending is known.
        categories: category row of each item, -1 without one; None when no item has a category.
        users_total: number of people, those without a step too.
        items_total: number of items.

    Example:
        >>> steps = Behaviour.of(np.array([1, 0, 1]), np.array([5, 6, 7]), np.array([30, 10, 20]), (2, 8))
        >>> steps.users.tolist(), steps.items.tolist(), steps.before(30).items.tolist()
        ([0, 1, 1], [6, 7, 5], [6, 7])
    """

    users: Int32[np.ndarray, "step"]
    items: Int32[np.ndarray, "step"]
    at: Int64[np.ndarray, "step"]
    amounts: Float64[np.ndarray, "step"] | None
    categories: Int32[np.ndarray, "item"] | None
    users_total: int
    items_total: int

    @staticmethod
    def of(
        users: np.ndarray,
        items: np.ndarray,
        at: np.ndarray,
        shape: tuple[int, int],
        amounts: np.ndarray | None = None,
        categories: np.ndarray | None = None,
    ) -> Behaviour:
        """Behaviour from steps in any order; equal times keep the order they came in.

        Args:
            users: person rows.
            items: item rows.
            at: times, microseconds UTC.
            shape: number of people and of items.
            amounts: money of each step; negative and missing ones count as 0.
            categories: category row per item.

        Raises:
            InputError: the columns have different lengths.
        """
        if not len(users) == len(items) == len(at) or (amounts is not None and len(amounts) != len(at)):
            raise InputError(
                f"behaviour: columns of {len(users)}, {len(items)}, {len(at)} steps; expected equal lengths"
            )
        order = np.lexsort((at, users))
        money = None if amounts is None else np.maximum(np.nan_to_num(amounts[order]), 0.0)
        return Behaviour(
            users[order].astype(np.int32),
            items[order].astype(np.int32),
            at[order].astype(np.int64),
            None if money is None else money.astype(np.float64),
            None if categories is None else categories.astype(np.int32),
            *shape,
        )

    def __len__(self) -> int:
        return self.users.shape[0]

    def where(self, kept: Bool[np.ndarray, "step"]) -> Behaviour:
        """The marked steps of the same people and items."""
        return replace(
            self,
            users=self.users[kept],
            items=self.items[kept],
            at=self.at[kept],
            amounts=None if self.amounts is None else self.amounts[kept],
        )

    def before(self, as_of: int) -> Behaviour:
        """The steps strictly before a time."""
        return self.where(self.at < as_of)

    def within(self, since: int, until: int) -> Behaviour:
        """The steps with ``since <= at < until``."""
        return self.where((self.at >= since) & (self.at < until))

    def met(self) -> sparse.csr_matrix:
        """People by items, float32, 1 where somebody met an item (once or more often)."""
        ones = np.ones(len(self), dtype=np.float32)
        table = sparse.csr_matrix(
            (ones, (self.users, self.items)), shape=(self.users_total, self.items_total)
        )
        table.sum_duplicates()
        table.data.fill(1.0)
        return table

    def counts(self) -> Int64[np.ndarray, "user"]:
        """Steps of each person."""
        return np.bincount(self.users, minlength=self.users_total).astype(np.int64)

    def spent(self) -> Float64[np.ndarray, "user"]:
        """Money of each person; zeros when nobody's spending is known."""
        if self.amounts is None:
            return np.zeros(self.users_total)
        return np.bincount(self.users, self.amounts, minlength=self.users_total)

    @property
    def categories_total(self) -> int:
        """Number of categories."""
        return 0 if self.categories is None or not self.categories.size else int(self.categories.max()) + 1
