"""The rule for photos: its trees are read right, and more agreement never counts against two pictures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bowerbird.content import copy_rule
from bowerbird.content.copy_rule import (
    NAMES,
    STEADY,
    STRICTER,
    Evidence,
    Trees,
    copy_log_odds,
    fitted_trees,
    table_of,
)
from bowerbird.content.copy_verifier import verdict_revision
from bowerbird.content.picture_overlay import Agreement

TABLE = """tree\tnode\tcolumn\tlimit\tat_most\tabove
0\t0\tboth\t0.5\t1\t=3
0\t1\texact\t2\t=-2\t=-1
1\t0\tclear\t0.9\t=-0.5\t=0.25
"""
COPY = Evidence(
    Agreement(
        both=0.9, same_pattern=0.95, clear=0.99, colour_of_pattern=0.97, typical=1.0, least=0.3, recoloured=0.02,
        covered=1.0, agreeing=121, exact=89, faint=0.5,
    ),
    places=4.2, matched=0.6, flatter=0.3, richer=0.4, unmoved=1.0,
)  # fmt: skip
SIBLING = Evidence(
    Agreement(
        both=0.2, same_pattern=0.4, clear=0.85, colour_of_pattern=0.5, typical=20.0, least=9.0, recoloured=0.1,
        covered=0.95, agreeing=19, exact=3, faint=0.6,
    ),
    places=3.0, matched=0.35, flatter=0.3, richer=0.4, unmoved=0.0,
)  # fmt: skip


def agreeing(known: Evidence, **changes: float) -> Evidence:
    """The same where the two pictures agree otherwise."""
    return replace(known, agrees=replace(known.agrees, **changes))


def walked(known: Evidence) -> float:
    """The table above, as its rows say; cells are read as the logarithm of one more than their count."""
    agrees = known.agrees
    first = 3.0 if agrees.both > 0.5 else -2.0 if np.log(1 + agrees.exact) <= 2 else -1.0
    return first + (-0.5 if agrees.clear <= 0.9 else 0.25)


@pytest.mark.parametrize("known", [COPY, SIBLING, agreeing(SIBLING, exact=11), agreeing(COPY, both=0.5)])
def test_trees_are_walked_as_their_table_says(known: Evidence):
    assert Trees.read(TABLE).log_odds(table_of([known])).tolist() == pytest.approx([walked(known)])


def test_verdicts_of_a_rule_that_is_fitted_again_are_of_another_revision(monkeypatch: pytest.MonkeyPatch):
    before = verdict_revision()
    copy_rule.rule_fingerprint.cache_clear()
    monkeypatch.setattr(copy_rule, "_table", lambda: TABLE)
    try:
        assert verdict_revision() != before
    finally:
        copy_rule.rule_fingerprint.cache_clear()


def test_a_copy_and_a_sibling_are_told_apart_in_any_company():
    odds = copy_log_odds([COPY, SIBLING, COPY])
    assert odds[0] > 0 > odds[1]
    assert odds[0] == odds[2] == copy_log_odds([COPY])[0]
    assert copy_log_odds([]).shape == (0,)
    assert STRICTER > 0


def test_a_photo_given_another_colour_in_part_is_another_product():
    assert copy_log_odds([agreeing(COPY, colour_of_pattern=0.6)])[0] < -1


def test_drawings_that_were_not_moved_must_agree_everywhere():
    drawn = replace(agreeing(COPY, both=0.75, faint=0.1), flatter=0.02, richer=0.1)
    assert copy_log_odds([drawn])[0] < -1
    assert copy_log_odds([agreeing(drawn, both=0.95, faint=0.5)])[0] > copy_log_odds([drawn])[0]


@given(
    st.lists(st.floats(0, 1), min_size=len(NAMES), max_size=len(NAMES)),
    st.sampled_from(sorted(STEADY)),
    st.floats(0, 1),
)
def test_more_agreement_never_counts_against_two_pictures(parts: list[float], name: str, other: float):
    scale = {**dict.fromkeys(("agreeing", "exact", "places"), 5.6), "typical": 40.0, "least": 40.0}
    low = {one: scale.get(one, 1.0) * part for one, part in zip(NAMES, parts, strict=True)}
    more = {**low, name: scale.get(name, 1.0) * other}
    rows = np.array([[one[column] for column in NAMES] for one in (low, more)], np.float32)
    before, after = fitted_trees().log_odds(rows).tolist()
    assert (after - before) * STEADY[name] * (1 if more[name] >= low[name] else -1) >= -1e-4
