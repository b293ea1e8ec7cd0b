"""Interests of bare ids: two groups of items that are never taken together."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from bowerbird.clock import DAY_US
from bowerbird.errors import InputError
from bowerbird.records.history import History
from bowerbird.users.taken_together import interests_together

PAIRS = [(0, 1), (1, 2), (0, 2), (3, 4), (4, 5), (3, 5)]


def together() -> sparse.csr_array:
    rows, columns = np.array(PAIRS).T
    return sparse.csr_array((np.full(len(PAIRS), 4.0), (rows, columns)), shape=(6, 6))


def history(items: list[int]) -> History:
    at = np.arange(len(items)) * DAY_US
    return History(np.array(items, np.int32), at, np.full(len(items), 3, np.int8))


def test_items_taken_together_are_one_interest():
    found = interests_together(history([0, 3, 1, 4, 2]), together(), 9 * DAY_US)
    assert sorted(sorted(one.members) for one in found) == [[0, 1, 2], [3, 4]]
    assert sum(one.importance for one in found) == pytest.approx(1.0)


def test_nobody_has_no_interest_and_the_future_is_refused():
    assert interests_together(history([]), together(), 0) == ()
    with pytest.raises(InputError, match="is not before as_of"):
        interests_together(history([0, 1]), together(), DAY_US)
