"""Scores with a shared history equal those of the whole sequence, and don't depend on batch-mates."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bowerbird.errors import StorageError
from bowerbird.randomness import generator
from bowerbird.ranking.shared_history import SharedHistoryScorer


def drawn(steps, candidates, seed=0, dim=16):
    draw = generator(seed, "test")
    rows = draw.normal(size=(steps + candidates, dim)).astype(np.float32)
    return SharedHistoryScorer.drawn(dim, layers=2, heads=4, actions=3, seed=seed), rows[:steps], rows[steps:]


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 40), st.integers(1, 12), st.integers(0, 5))
def test_scores_equal_the_naive_way(steps, candidates, seed):
    scorer, history, rows = drawn(steps, candidates, seed)
    np.testing.assert_allclose(
        scorer.scores(scorer.encoded(history), rows),
        scorer.scores_naively(history, rows),
        atol=1e-5,
        rtol=1e-5,
    )


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 30), st.integers(1, 9), st.integers(1, 5))
def test_the_batched_naive_way_equals_one_by_one(steps, candidates, size):
    scorer, history, rows = drawn(steps, candidates)
    np.testing.assert_allclose(
        scorer.scores_in_batches(history, rows, size),
        scorer.scores_naively(history, rows),
        atol=1e-5,
        rtol=1e-5,
    )


def test_a_candidates_score_does_not_depend_on_its_batch_mates_and_follows_the_history():
    scorer, history, rows = drawn(20, 9)
    encoded = scorer.encoded(history)
    together = scorer.scores(encoded, rows)
    np.testing.assert_allclose(together[4:5], scorer.scores(encoded, rows[4:5]), atol=1e-5)
    np.testing.assert_allclose(together[::-1], scorer.scores(encoded, rows[::-1]), atol=1e-5)
    assert np.abs(together - scorer.scores(scorer.encoded(history[1:]), rows)).max() > 1e-3


def test_a_saved_scorer_scores_the_same_and_a_damaged_file_is_refused(tmp_path):
    scorer, history, rows = drawn(5, 3)
    scorer.save(tmp_path / "scorer.safetensors")
    again = SharedHistoryScorer.load(tmp_path / "scorer.safetensors")
    encoded = scorer.encoded(history)
    assert again.scores(encoded, rows).tobytes() == scorer.scores(encoded, rows).tobytes()
    (tmp_path / "bad.safetensors").write_bytes(b"x")
    with pytest.raises(StorageError, match="not a shared-history scorer"):
        SharedHistoryScorer.load(tmp_path / "bad.safetensors")
