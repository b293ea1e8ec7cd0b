"""``bench ranker``: a row per kind and head, numbers of what nothing was fitted to."""

from __future__ import annotations

import pyarrow as pa
import pytest

from bowerbird.clock import DAY_US
from bowerbird.errors import InputError, NotReadyError
from bowerbird.evaluation.bench.ranker import run_ranker
from bowerbird.records.event import Events


@pytest.fixture
def events() -> Events:
    columns = {
        "event_id": ["1"],
        "at": [DAY_US],
        "user_id": ["u0"],
        "item_id": ["i0"],
        "action": ["impression"],
    }
    return Events(pa.table(columns))


def test_a_log_without_impressions_and_odd_numbers_are_refused(small, events):
    with pytest.raises(NotReadyError, match="at least 30 of one action are needed"):
        run_ranker(small, events, ("trees",))
    with pytest.raises(InputError, match="at least 1"):
        run_ranker(small, events, ("trees",), seeds=0)
