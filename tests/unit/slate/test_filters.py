"""Filters: who must go, for each reason."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bowerbird.records.candidates import Found
from bowerbird.records.event import ACTION_CODE
from bowerbird.records.history import History
from bowerbird.records.request import Context, Request
from bowerbird.retrieval.blend import blended
from bowerbird.slate import filters


@dataclass(frozen=True)
class Facts:
    """Ten items; 8 shows the same picture as 2."""

    duplicate_of: np.ndarray
    row_of: dict[str, int]
    under_limit: tuple[int, ...] = ()

    def limited(self, surface: str) -> np.ndarray:
        return np.isin(np.arange(10), self.under_limit) & (surface == "homefeed")

    def having_all(self, text: str) -> np.ndarray:
        """Items 1 and 7 have sleeves."""
        return np.isin(np.arange(10), [1, 7]) & (text == "short sleeves")


FACTS = Facts(np.array([0, 1, 2, 3, 4, 5, 6, 7, 2, 9], np.int32), {f"i{row}": row for row in range(10)})
ALL = blended([Found.of("s", np.arange(10), np.linspace(1, 0.1, 10))])


def _context(**known: object) -> Context:
    asked = {name: known.pop(name) for name in ("exclude", "without") if name in known}
    return Context(Request("homefeed", as_of=1000, **asked), **known)  # type: ignore[arg-type]


def _history(*steps: tuple[int, str]) -> History:
    rows = np.array([row for row, _ in steps], np.int32)
    codes = np.array([ACTION_CODE[action] for _, action in steps], np.int8)
    return History(rows, np.arange(len(steps), dtype=np.int64), codes)


def _gone(mask: np.ndarray) -> list[int]:
    return ALL.rows[mask].tolist()


def test_what_the_caller_excludes_and_the_anchor_go() -> None:
    context = _context(exclude=("i3", "not here"), anchor_row=5)
    assert _gone(filters.excluded(context, ALL, FACTS)) == [3, 5]


def test_items_whose_words_are_what_is_not_wanted_go() -> None:
    assert _gone(filters.unwanted(_context(without="short sleeves"), ALL, FACTS)) == [1, 7]
    assert _gone(filters.unwanted(_context(without="  "), ALL, FACTS)) == []
    assert _gone(filters.unwanted(_context(), ALL, FACTS)) == []


def test_saved_items_go_with_their_near_duplicates_and_closeups_stay() -> None:
    context = _context(history=_history((2, "save"), (4, "closeup")))
    assert _gone(filters.seen(context, ALL, FACTS)) == [2, 8]


def test_hidden_items_go_with_their_near_duplicates() -> None:
    assert _gone(filters.hidden(_context(hidden=np.array([8], np.int32)), ALL, FACTS)) == [2, 8]


def test_an_item_shown_often_without_response_rests_and_one_with_response_does_not() -> None:
    shown = np.repeat(
        np.array([6, 7, 1], np.int32), [filters.FATIGUE_IMPRESSIONS, filters.FATIGUE_IMPRESSIONS, 1]
    )
    context = _context(shown=shown, history=_history((7, "closeup")))
    assert _gone(filters.fatigued(context, ALL, FACTS)) == [6]


def test_near_duplicates_of_the_anchor_go() -> None:
    assert _gone(filters.near_duplicate_of_anchor(_context(anchor_row=2), ALL, FACTS)) == [2, 8]
    assert _gone(filters.near_duplicate_of_anchor(_context(), ALL, FACTS)) == []


def test_of_a_group_of_near_duplicates_the_best_stays() -> None:
    value = np.linspace(0, 1, 10).astype(np.float32)
    assert _gone(filters.near_duplicate_in_slate(_context(), ALL.with_scores(value=value), FACTS)) == [2]
    assert _gone(filters.near_duplicate_in_slate(_context(), ALL.with_scores(value=-value), FACTS)) == [8]


def test_every_built_in_filter_has_a_reason_for_people() -> None:
    named = [name for name in filters.REASONS if not hasattr(filters, name)]
    assert named == []


def test_of_what_the_policy_limits_the_best_stay_for_the_longest_slate(monkeypatch) -> None:
    monkeypatch.setattr(filters, "MAX_SLATE", 20)
    facts = Facts(FACTS.duplicate_of, FACTS.row_of, under_limit=(2, 5, 7))
    valued = ALL.with_scores(value=np.linspace(0.1, 1, 10, dtype=np.float32))  # the later the better
    for n in (1, 10, 25):
        gone = filters.limited(Context(Request("homefeed", 1000, n=n)), valued, facts)
        assert valued.rows[gone].tolist() == [2]
    assert not filters.limited(Context(Request("search", 1000, n=10)), valued, facts).any()
