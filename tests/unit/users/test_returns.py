"""Who comes back in seven days."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bowerbird.clock import DAY_US
from bowerbird.errors import NotReadyError
from bowerbird.metrics.calibration import auc
from bowerbird.randomness import generator
from bowerbird.records import Events, Vocabulary
from bowerbird.signals.sequences import Sequences
from bowerbird.users.returns import ReturnModel, ReturnSettings, return_probability


def built(user_rows: np.ndarray, days: np.ndarray, people: int) -> Sequences:
    table = {
        "event_id": pa.array([str(n) for n in range(len(days))], pa.string()),
        "at": pa.array(np.round(days * DAY_US).astype(np.int64)),
        "user_id": pa.array([f"u{row}" for row in user_rows], pa.string()),
        "item_id": pa.array(["i"] * len(days), pa.string()),
        "action": pa.array(["impression"] * len(days), pa.string()),
    }
    users = Vocabulary("user", tuple(f"u{n}" for n in range(people)))
    return Sequences.from_events(Events(pa.table(table)), users, Vocabulary("item", ("i",)))


@pytest.fixture(scope="module")
def visits() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """400 people who come each day with their own chance, over 70 days: rows, days, chances."""
    rng = generator(5, "visits")
    chance = rng.beta(0.4, 2.0, size=400)
    rows, days = np.nonzero(rng.random((400, 70)) < chance[:, None])
    return rows, days + rng.random(rows.shape[0]), chance


def test_people_who_come_often_are_expected_back_and_the_probability_is_calibrated(visits):
    rows, days, _ = visits
    past = days < 63
    chance = return_probability(built(rows[past], days[past], 400), 63 * DAY_US)
    came = np.bincount(rows[days >= 63], minlength=400) > 0
    seen = np.bincount(rows[past], minlength=400) > 0
    assert auc(came[seen], chance[seen].astype(np.float64)) > 0.85
    assert abs(float(chance[seen].mean()) - float(came[seen].mean())) < 0.08
    assert (chance[~seen] == 0).all()


def test_the_future_changes_nothing_and_the_same_log_gives_the_same_bytes(visits):
    rows, days, _ = visits
    past = days < 60
    one = ReturnModel.fitted(built(rows[past], days[past], 400), 60 * DAY_US)
    two = ReturnModel.fitted(built(rows, days, 400), 60 * DAY_US)
    assert one.logistic.weights.tobytes() == two.logistic.weights.tobytes()
    assert one.auc == two.auc > 0.8
    assert one.examples > one.positives > 0
    again = one.probabilities(built(rows, days, 400), 60 * DAY_US)
    assert again.tobytes() == one.probabilities(built(rows[past], days[past], 400), 60 * DAY_US).tobytes()


def test_a_short_log_and_one_outcome_are_refused():
    with pytest.raises(NotReadyError, match=r"covers 5\.0 days before as_of; more than 21 are needed"):
        return_probability(built(np.zeros(5, int), np.arange(5.0), 1), 5 * DAY_US)
    with pytest.raises(NotReadyError, match=r"covers 0\.0 days"):
        return_probability(built(np.zeros(0, int), np.zeros(0), 1), 5 * DAY_US)
    with pytest.raises(NotReadyError, match="have the same outcome"):
        return_probability(built(np.zeros(50, int), np.arange(50.0), 1), 50 * DAY_US)


def test_a_last_moment_with_one_outcome_has_no_auc():
    log = np.concatenate([np.arange(30.0), np.arange(35.0, 60.0)])
    model = ReturnModel.fitted(
        built(np.zeros(55, int), log, 1),
        60 * DAY_US,
        ReturnSettings(horizon_days=3, step_days=3, most_moments=12),
    )
    assert np.isnan(model.auc)


@pytest.mark.data
def test_customers_of_online_retail_are_told_apart(shared_data):
    table = pq.read_table(
        shared_data / "online_retail" / "transactions.parquet", columns=["customer_id", "ts"]
    )
    table = table.filter(pa.compute.is_valid(table["customer_id"]))
    ids, rows = np.unique(table["customer_id"].to_numpy(), return_inverse=True)
    days = table["ts"].cast(pa.timestamp("us")).cast(pa.int64()).to_numpy() / DAY_US
    end = int(days.max())
    model = ReturnModel.fitted(built(rows, days, ids.shape[0]), end * DAY_US)
    assert model.auc > 0.7
