"""``bench ranker``: a row per kind and head, numbers of what nothing was fitted to."""

from __future__ import annotations

import pyarrow as pa
import pytest

from bowerbird.clock import DAY_US
from bowerbird.errors import InputError, NotReadyError
from bowerbird.evaluation.bench.ranker import _Fitted, _rows, run_ranker
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


def test_a_head_that_some_run_lacks_is_in_no_row():
    def run(loss: float, *actions: str) -> _Fitted:
        head = {"auc": 0.7, "log_loss": loss, "ece": 0.01, "base_rate": 0.1, "examples": 50}
        return _Fitted(dict.fromkeys(actions, head), 1.0, 2.0, 3.0, 4.0)

    rows = _rows("trees", [run(0.5, "click", "save"), run(0.7, "save")])
    assert [row.model for row in rows] == ["trees, all", "trees, save"]
    assert rows[0].metrics["log loss"].seeds == (0.5, 0.7)
    assert rows[0].settings == {"heads not read in every run": ["click"]}
