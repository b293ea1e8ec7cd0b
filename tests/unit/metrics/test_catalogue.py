from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bowerbird.errors import InputError
from bowerbird.metrics import catalogue

counts_list = st.lists(st.integers(0, 9), min_size=1, max_size=12).filter(any)
slates_list = st.lists(st.lists(st.integers(-1, 4), min_size=3, max_size=3), min_size=1, max_size=6).filter(
    lambda rows: any(item >= 0 for row in rows for item in row)
)
POPULARITY = np.array([7, 1, 0, 3, 9])


@given(counts_list)
def test_concentration_equals_a_loop(counts: list[int]):
    total, items = sum(counts), len(counts)
    pairwise = sum(abs(a - b) for a in counts for b in counts) / (2 * items * total)
    bits = -sum(c / total * math.log2(c / total) for c in counts if c)
    array = np.array(counts)
    assert catalogue.gini(array) == pytest.approx(pairwise, abs=1e-12)
    assert catalogue.entropy(array) == pytest.approx(bits)
    assert catalogue.coverage(array) == sum(c > 0 for c in counts) / items


@given(slates_list)
def test_means_over_lists_equal_a_loop(slates: list[list[int]]):
    filled = [[item for item in row if item >= 0] for row in slates]
    filled = [row for row in filled if row]
    events = [max(1, int(p)) for p in POPULARITY]
    # ceil(.2 * 5) = 1 item is the head: item 4 with 9 events
    tail = [item != 4 for item in range(5)]

    def mean(value: list[float]) -> float:
        return sum(sum(value[i] for i in row) / len(row) for row in filled) / len(filled)

    array = np.array(slates)
    assert catalogue.average_popularity(array, POPULARITY) == pytest.approx(
        mean([float(p) for p in POPULARITY])
    )
    assert catalogue.tail_share(array, POPULARITY) == pytest.approx(mean([float(t) for t in tail]))
    assert catalogue.novelty(array, POPULARITY) == pytest.approx(
        mean([-math.log2(e / sum(events)) for e in events])
    )


def test_exposure_skips_empty_places():
    assert catalogue.exposure_counts(np.array([[1, 1, -1], [0, -1, -1]]), items=3).tolist() == [1, 2, 0]


@pytest.mark.parametrize("metric", [catalogue.gini, catalogue.entropy, catalogue.coverage])
def test_nothing_shown_is_refused(metric: object):
    with pytest.raises(InputError, match="at least one item shown"):
        metric(np.array([0, 0]))  # type: ignore[operator]


def test_only_empty_lists_are_refused():
    with pytest.raises(InputError, match="all empty"):
        catalogue.novelty(np.array([[-1, -1]]), POPULARITY)


def test_a_head_that_is_no_share_is_refused():
    with pytest.raises(InputError, match="head = 20"):
        catalogue.tail_items(POPULARITY, head=20.0)
