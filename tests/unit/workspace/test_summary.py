"""The rows of the summary, from an evaluation."""

from __future__ import annotations

from bowerbird.evaluation.outcome import Estimate, Evaluation, Latency, Measure, SurfaceOutcome
from bowerbird.workspace.summary import brief, surface_rows, truth_rows


def evaluation(*surfaces: SurfaceOutcome, truth: tuple[Measure, ...] = ()) -> Evaluation:
    return Evaluation(
        "f", "shop", simulated=False, credit="", items=1, people=1, events=1, split_at=0, until=1, protocol="",
        signals=(), surfaces=surfaces, truth=truth, notes=(), seconds=0.0,
    )  # fmt: skip


MEASURE = Measure(
    "ndcg@10",
    10,
    Estimate(0.5, 0.25, 0.75),
    {"popularity": Estimate(0.1, 0.0, 0.2)},
    "popularity",
    Estimate(0.4, -0.125, 1.0),
)


def test_a_surface_shows_its_first_metric_with_the_difference_and_times() -> None:
    (row,) = surface_rows(
        evaluation(SurfaceOutcome("search", "?", (MEASURE,), latency=Latency(9, 4.4, 12.6, 3.0)))
    )
    assert (row.metric, row.ours, row.baseline) == ("ndcg@10", ".500 ±.250", "popularity .100")
    assert (row.difference, row.latency, row.note) == ("+.400 ±.562", "4 / 13 ms", "")


def test_a_surface_without_numbers_says_why() -> None:
    (row,) = surface_rows(evaluation(SurfaceOutcome("ads", "?", missing="no item is an ad")))
    assert row.note == "not measured: no item is an ad"


def test_growth_shows_the_time_of_a_plan() -> None:
    (row,) = surface_rows(
        evaluation(SurfaceOutcome("growth", "?", (MEASURE,), latency=Latency(1, 1500.0, 1500.0, 900.0)))
    )
    assert row.latency == "1.5 s a plan"


def test_truth_rows_stand_beside_popularity_and_random() -> None:
    (row,) = truth_rows(evaluation(truth=(MEASURE,)))
    assert (row.what, row.n, row.ours) == ("ndcg@10", "10", ".500 ±.250")
    assert (row.popularity, row.random) == (".100 ±.100", "")


def test_numbers_of_one_and_more_keep_their_first_digit() -> None:
    assert brief(Estimate(1.25)) == "1.250"
    assert brief(Estimate(-0.5)) == "-.500"
