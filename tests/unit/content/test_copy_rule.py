"""The rule for photos: its trees are read right, and more agreement never counts against two pictures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bowerbird.content.copy_rule import NAMES, STEADY, STRICTER, Evidence, Trees, copy_log_odds, fitted_trees

TABLE = """tree\tnode\tcolumn\tlimit\tat_most\tabove
0\t0\tboth\t0.5\t1\t=3
0\t1\texact\t2\t=-2\t=-1
1\t0\tclear\t0.9\t=-0.5\t=0.25
"""
COPY = Evidence(4.8, 4.5, 0.9, 0.95, 0.99, 0.97, 1.0, 0.3, 0.02, 1.0, 0.5, 4.2, 0.6, 0.3, 0.4, 1.0)
SIBLING = Evidence(3.0, 1.5, 0.2, 0.4, 0.85, 0.5, 20.0, 9.0, 0.1, 0.95, 0.6, 3.0, 0.35, 0.3, 0.4, 0.0)


def walked(known: Evidence) -> float:
    """The table above, as its rows say."""
    first = 3.0 if known.both > 0.5 else -2.0 if known.exact <= 2 else -1.0
    return first + (-0.5 if known.clear <= 0.9 else 0.25)


@pytest.mark.parametrize("known", [COPY, SIBLING, replace(SIBLING, exact=2.5), replace(COPY, both=0.5)])
def test_trees_are_walked_as_their_table_says(known: Evidence):
    row = np.array([[getattr(known, name) for name in NAMES]], np.float32)
    assert Trees.read(TABLE).log_odds(row).tolist() == pytest.approx([walked(known)])


def test_a_copy_and_a_sibling_are_told_apart_in_any_company():
    odds = copy_log_odds([COPY, SIBLING, COPY])
    assert odds[0] > 0 > odds[1]
    assert odds[0] == odds[2] == copy_log_odds([COPY])[0]
    assert copy_log_odds([]).shape == (0,)
    assert STRICTER > 0


def test_a_photo_given_another_colour_in_part_is_another_product():
    assert copy_log_odds([replace(COPY, colour_of_pattern=0.6)])[0] < -1


def test_drawings_that_were_not_moved_must_agree_everywhere():
    drawn = replace(COPY, both=0.75, faint=0.1, flatter=0.02, richer=0.1)
    assert copy_log_odds([drawn])[0] < -1
    assert copy_log_odds([replace(drawn, both=0.95, faint=0.5)])[0] > copy_log_odds([drawn])[0]


@given(
    st.lists(st.floats(0, 1), min_size=len(NAMES), max_size=len(NAMES)),
    st.sampled_from(sorted(STEADY)),
    st.floats(0, 1),
)
def test_more_agreement_never_counts_against_two_pictures(parts: list[float], name: str, other: float):
    scale = {**dict.fromkeys(("agreeing", "exact", "places"), 5.6), "typical": 40.0, "least": 40.0}
    low = Evidence(*(scale.get(one, 1.0) * part for one, part in zip(NAMES, parts, strict=True)))
    more = replace(low, **{name: scale.get(name, 1.0) * other})
    raised = getattr(more, name) >= getattr(low, name)
    rows = np.array([[getattr(one, column) for column in NAMES] for one in (low, more)], np.float32)
    before, after = fitted_trees().log_odds(rows).tolist()
    assert (after - before) * STEADY[name] * (1 if raised else -1) >= -1e-4
