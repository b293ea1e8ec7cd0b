"""Value: reciprocal rank fusion and weighted terms, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from bowerbird.errors import SettingsError
from bowerbird.ranking.value import FUSION_K, reciprocal_rank_fusion, value_terms
from bowerbird.records.candidates import Found
from bowerbird.retrieval.blend import blended


def _candidates():
    first = Found.of("a", np.array([7, 3]), np.array([9.0, 5.0]))
    second = Found.of("b", np.array([3]), np.array([0.2]))
    return blended([first, second])


def test_fusion_is_the_weighted_mean_of_damped_ranks() -> None:
    candidates = _candidates()
    score = dict(
        zip(candidates.rows.tolist(), reciprocal_rank_fusion(candidates, {"b": 3.0}).tolist(), strict=True)
    )
    k = FUSION_K
    assert score[7] == pytest.approx((1 * (k + 1) / (k + 1)) / 4)
    assert score[3] == pytest.approx((1 * (k + 1) / (k + 2) + 3 * (k + 1) / (k + 1)) / 4)


def test_an_item_that_every_source_puts_first_scores_one() -> None:
    both = blended([Found.of(name, np.array([4]), np.array([1.0])) for name in ("a", "b")])
    assert reciprocal_rank_fusion(both, {}).tolist() == [1.0]


def test_a_source_of_weight_zero_does_not_count() -> None:
    candidates = _candidates()
    np.testing.assert_array_equal(
        reciprocal_rank_fusion(candidates, {"b": 0.0}),
        reciprocal_rank_fusion(blended([Found.of("a", np.array([7, 3]), np.array([9.0, 5.0]))]), {}),
    )


def test_terms_are_weight_times_column() -> None:
    scored = _candidates().with_scores(
        save=np.array([0.5, 0.25], np.float32), hide=np.array([0.1, 0.0], np.float32)
    )
    terms = value_terms(scored, {"save": 2.0, "hide": -1.0})
    np.testing.assert_allclose(terms["save"], [1.0, 0.5])
    np.testing.assert_allclose(terms["hide"], [-0.1, 0.0])


def test_a_weight_without_a_column_is_an_error_that_names_the_nearest() -> None:
    scored = _candidates().with_scores(save=np.array([0.5, 0.25], np.float32))
    with pytest.raises(SettingsError, match="'saves' has no score column of that name; did you mean 'save'"):
        value_terms(scored, {"saves": 1.0})
