"""Features of items in a context, computed by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bowerbird.clock import DAY_US
from bowerbird.pipeline.release import Release
from bowerbird.pipeline.understanding import person_context
from bowerbird.ranking.features import FEATURES, PRIOR_IMPRESSIONS, SURFACES, FeatureMaker
from bowerbird.records.request import Context, Request
from bowerbird.records.signal import Vectors

ROWS = np.arange(6, dtype=np.int32)


def features(release: Release, context: Context, rows: np.ndarray = ROWS) -> dict[str, list[float]]:
    table = FeatureMaker(release)(context, rows)
    return {name: table[:, place].tolist() for place, name in enumerate(FEATURES)}


def of(release: Release, user_row: int, surface: str = "homefeed", **known: object) -> Context:
    request = Request(surface, release.as_of, user_id=release.people.id(user_row))
    return replace(person_context(release, request, user_row, with_interests=False), **known)


def near(*values: float) -> object:
    return pytest.approx(values, abs=1e-5, nan_ok=True)


def test_ages_prices_and_ads_are_those_of_the_items(small):
    found = features(small, of(small, 0))
    nan = math.nan
    assert found["item_age_days"] == near(44, 44, 44, 44, 8, 2)
    assert found["item_price"] == near(math.log(11), nan, math.log(31), math.log(31), math.log(6), nan)
    assert found["item_is_ad"] == [0, 0, 0, 0, 1, 0]


def test_counts_are_those_of_whole_days_before_and_rates_are_shrunken(small):
    """In thirty days: three impressions (i0, i2, i4), one save of i0, one of i2; none in the newest seven.

    i3 is a copy of i2 and reads what i2 gathered; over all items nothing counts twice.
    """
    found = features(small, of(small, 0))
    assert found["item_impressions_7d"] == near(0, 0, 0, 0, 0, 0)
    assert found["item_impressions_30d"] == near(math.log(2), 0, math.log(2), math.log(2), math.log(2), 0)
    overall = 2 / 3
    shown, saved = np.array([1, 0, 1, 1, 1, 0]), np.array([1, 0, 1, 1, 0, 0])
    expected = (saved + PRIOR_IMPRESSIONS * overall) / (shown + PRIOR_IMPRESSIONS)
    assert found["item_save_rate_30d"] == near(*expected)


def test_similarities_are_cosines_with_what_the_person_did(small):
    found = features(small, of(small, 0))  # saved i0 (1, 0), then opened i1 (.8, .6)
    assert found["similarity_to_last"] == near(0.8, 1.0, 0.6, 0.6, 0.8, 0.0)
    assert found["similarity_to_recent_max"] == near(1.0, 1.0, 0.6, 0.6, 1.0, 0.0)
    assert found["similarity_to_recent_mean"] == near(0.9, 0.9, 0.3, 0.3, 0.9, 0.0)
    assert np.isnan(found["similarity_to_hidden_max"]).all()
    assert features(small, of(small, 1))["similarity_to_hidden_max"] == near(0, 0.6, 1, 1, 0, 0)


def test_the_anchor_and_the_query_count_where_there_are_any(small):
    plain = features(small, of(small, 0))
    assert np.isnan(plain["similarity_to_anchor"]).all()
    assert np.isnan(plain["similarity_to_query"]).all()
    query = {"item": Vectors.full(small.vectors["item"].space, np.array([[0.0, 1.0]], np.float32))}
    asked = features(small, of(small, 0, "search", anchor_row=0, query_vectors=query))
    assert asked["similarity_to_anchor"] == near(1, 0.8, 0, 0, 1, 0)
    assert asked["similarity_to_query"] == near(0, 0.6, 1, 1, 0, 0)
    assert asked["surface"] == [SURFACES.index("search")] * 6


def test_shares_count_the_candidates_category_in_the_history(small):
    found = features(small, of(small, 1))  # opened i0 (cups), saved i2 (lamps), hid i2
    assert found["category_share"] == near(0.5, 0.5, 0.5, 0.5, 0.5, math.nan)
    assert found["category_hides"] == near(0, 0, 1, 1, 0, math.nan)
    assert found["times_shown_lately"] == [0] * 6


def test_what_was_shown_lately_is_counted(small):
    shown = np.array([2, 2, 0], np.int32)
    found = features(small, of(small, 0, shown=shown))
    assert found["times_shown_lately"] == [1, 0, 2, 0, 0, 0]
    assert found["category_shown_lately"] == near(1, 1, 2, 2, 1, math.nan)


def test_somebody_new_has_no_last_action_and_no_similarity(small):
    found = features(small, of(small, 2))
    assert found["history_length"] == [0] * 6
    assert np.isnan(found["days_since_last_action"]).all()
    assert np.isnan(found["similarity_to_last"]).all()
    assert features(small, of(small, 0))["days_since_last_action"] == near(*[12.0] * 6)


def test_without_vectors_similarities_are_unknown(small):
    found = features(replace(small, vectors={}), replace(of(small, 0), user_vectors=None))
    assert np.isnan(found["similarity_to_person"]).all()
    assert np.isnan(found["similarity_to_recent_max"]).all()


@given(rows=st.lists(st.integers(0, 5), min_size=1, max_size=12))
def test_a_row_depends_on_its_own_item_only(small, rows):
    context, maker = of(small, 1), FeatureMaker(small)
    together = maker(context, np.array(rows, np.int32))
    for place, row in enumerate(rows):
        np.testing.assert_allclose(together[place], maker(context, np.array([row], np.int32))[0], rtol=1e-6)


def test_an_event_of_today_does_not_change_the_counters_of_today(small):
    maker = FeatureMaker(small)
    midnight = small.as_of - small.as_of % DAY_US
    np.testing.assert_array_equal(maker._stats_of(midnight), maker._stats_of(midnight + DAY_US - 1))
