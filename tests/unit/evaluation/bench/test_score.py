"""``bench score``: every shape has a row per way, and odd numbers are refused."""

from __future__ import annotations

import pytest

from bowerbird.errors import InputError
from bowerbird.evaluation.bench.score import run_score


def test_every_shape_has_the_naive_way_and_ours_and_they_agree():
    report = run_score((5, 9), (4,), repeats=2, seeds=2)
    assert [row.model for row in report.rows] == [
        f"{way}, history {steps}, 4 candidates"
        for steps in (5, 9)
        for way in ("naive", "one by one", "shared history", "shared, kept")
    ]
    assert all(row.metrics["candidates/cpu-s"].mean > 0 for row in report.rows)
    assert "largest difference" in report.notes[0]


def test_numbers_below_one_are_refused():
    with pytest.raises(InputError, match="at least 1"):
        run_score((0,), (4,))
