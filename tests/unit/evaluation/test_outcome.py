"""Numbers with intervals, and the report they are written into."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bowerbird.errors import StorageError
from bowerbird.evaluation.outcome import Estimate, Evaluation, Measure, SurfaceOutcome


def evaluation() -> Evaluation:
    measure = Measure("recall@25", 2, Estimate(0.5, 0.0, 1.0), {"popularity": Estimate(0.25, 0.0, 0.5)})
    surface = SurfaceOutcome("homefeed", "What next?", (measure,), (measure,))
    absent = SurfaceOutcome("ads", "Who clicks?", missing="no item is an ad")
    return Evaluation(
        "f", "shop", simulated=True, credit="Pictures: <somebody>", items=3, people=2, events=9, split_at=1, until=2,
        protocol="by time", signals=(), surfaces=(surface, absent), truth=(measure,), notes=("a note",), seconds=1.5,
    )  # fmt: skip


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_an_interval_holds_the_mean(values: list[float]) -> None:
    estimate = Estimate.of(np.array(values), seed=7)
    assert estimate.low is not None
    assert estimate.high is not None
    assert estimate.low - 1e-12 <= estimate.value <= estimate.high + 1e-12 or np.ptp(values) > 0


def test_a_difference_over_the_same_people_loses_their_own_luck() -> None:
    theirs = np.array([0.0, 1.0, 0.0, 1.0])
    difference = Estimate.of_difference(theirs + 0.25, theirs, seed=7)
    assert (difference.value, difference.low, difference.high) == (0.25, 0.25, 0.25)


def test_intervals_that_touch_are_not_apart() -> None:
    assert not Estimate(0.5, 0.3, 0.7).apart_from(Estimate(0.2, 0.1, 0.3))
    assert Estimate(0.5, 0.3, 0.7).apart_from(Estimate(0.9, 0.8, 1.0))
    assert not Estimate(0.5).apart_from(Estimate(0.9))


def test_written_and_read_again_it_says_the_same() -> None:
    assert Evaluation.from_json(evaluation().to_json()) == evaluation()


def test_a_damaged_report_says_what_to_do() -> None:
    with pytest.raises(StorageError, match=r"not an evaluation of this version .* run `bowerbird evaluate`"):
        Evaluation.from_json('{"fingerprint": 3}')
