"""Filters: which candidates may not be shown, each with its reason.

Plugins in the entry-point group ``bowerbird.filters``; a filter is a function of the context, the
candidates and what the release knows of items.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Int32

from bowerbird.arrays import is_among, occurrences
from bowerbird.records.candidates import Candidates
from bowerbird.records.event import ACTION_CODE
from bowerbird.records.request import MAX_SLATE, Context

FATIGUE_IMPRESSIONS = 4
"""Shown this often lately without a response, an item rests."""

LIMITED_EVERY = 10
"""One place of so many may go to what the policy limits, and at least one of a slate."""

_FINAL = tuple(ACTION_CODE[action] for action in ("save", "purchase", "add_to_cart", "rate"))


@runtime_checkable
class ItemFacts(Protocol):
    """What filters may know of items, aligned to item rows."""

    @property
    def duplicate_of(self) -> Int32[np.ndarray, "item"]:
        """Row of the canonical item of each item's near-duplicate group; itself when alone."""
        ...

    @property
    def row_of(self) -> dict[str, int]:
        """Item id to row."""
        ...

    def limited(self, surface: str) -> Bool[np.ndarray, "item"]:
        """Items of which the policy lets a surface show a few."""
        ...

    def having_all(self, text: str) -> Bool[np.ndarray, "item"]:
        """Items whose words hold all of a text's."""
        ...


@runtime_checkable
class Filter(Protocol):
    """Marks the candidates that may not be shown."""

    def __call__(self, context: Context, candidates: Candidates, facts: ItemFacts) -> Bool[np.ndarray, "n"]:
        """True where a candidate must go."""
        ...


def excluded(context: Context, candidates: Candidates, facts: ItemFacts) -> Bool[np.ndarray, "n"]:
    """The caller named the item in ``exclude``, or it is the one the request is about."""
    rows = [facts.row_of[name] for name in context.request.exclude if name in facts.row_of]
    if context.anchor_row >= 0:
        rows.append(context.anchor_row)
    return is_among(candidates.rows, np.array(rows, dtype=np.int32), len(facts.duplicate_of))


def seen(context: Context, candidates: Candidates, facts: ItemFacts) -> Bool[np.ndarray, "n"]:
    """The person already saved, bought or rated the item (or a near-duplicate of it)."""
    done = context.history.only(_FINAL).rows
    return _same_picture(candidates.rows, done, facts)


def hidden(context: Context, candidates: Candidates, facts: ItemFacts) -> Bool[np.ndarray, "n"]:
    """The person asked not to see the item (or a near-duplicate of it)."""
    return _same_picture(candidates.rows, context.hidden, facts)


def unwanted(context: Context, candidates: Candidates, facts: ItemFacts) -> Bool[np.ndarray, "n"]:
    """The item's words hold all the words the request does not want."""
    words = (context.request.without or "").strip()
    if not words:
        return np.zeros(len(candidates), dtype=bool)
    return facts.having_all(words)[candidates.rows]


def fatigued(context: Context, candidates: Candidates, facts: ItemFacts) -> Bool[np.ndarray, "n"]:
    """The item was shown several times lately and never responded to."""
    times = occurrences(context.shown, candidates.rows)
    answered = is_among(candidates.rows, context.history.rows, len(facts.duplicate_of))
    return (times >= FATIGUE_IMPRESSIONS) & ~answered


def near_duplicate_of_anchor(
    context: Context, candidates: Candidates, facts: ItemFacts
) -> Bool[np.ndarray, "n"]:
    """The item shows the same picture as the one the request is about."""
    if context.anchor_row < 0:
        return np.zeros(len(candidates), dtype=bool)
    return facts.duplicate_of[candidates.rows] == facts.duplicate_of[context.anchor_row]


def near_duplicate_in_slate(
    context: Context, candidates: Candidates, facts: ItemFacts
) -> Bool[np.ndarray, "n"]:
    """A better-scored candidate of the same near-duplicate group stays; this one goes.

    Reads the ``value`` column, so it runs after scoring.
    """
    groups = facts.duplicate_of[candidates.rows]
    order = np.argsort(-candidates.scores["value"], kind="stable")
    keep = order[np.unique(groups[order], return_index=True)[1]]
    gone = np.ones(len(candidates), dtype=bool)
    gone[keep] = False
    return gone


def limited(context: Context, candidates: Candidates, facts: ItemFacts) -> Bool[np.ndarray, "n"]:
    """The policy limits the item, and better ones of its kind would fill the places of the longest slate.

    Reads the ``value`` column, so it runs after scoring. Every surface has this filter, and a rule that holds
    each slate to one place in ten; the filter keeps what is limited from crowding out the rest before that, and
    as it doesn't ask how long the slate is, a longer slate begins with the shorter one.
    """
    under = facts.limited(context.request.surface)[candidates.rows]
    places = MAX_SLATE // LIMITED_EVERY
    if under.sum() <= places:
        return np.zeros(len(candidates), dtype=bool)
    order = np.argsort(-candidates.scores["value"], kind="stable")
    kept = order[under[order]][:places]
    under[kept] = False
    return under


def _same_picture(
    rows: Int32[np.ndarray, "n"], others: Int32[np.ndarray, "m"], facts: ItemFacts
) -> Bool[np.ndarray, "n"]:
    """Which rows are one of the others, or a near-duplicate of one."""
    groups = facts.duplicate_of
    return is_among(groups[rows], groups[others], len(groups))


REASONS = {
    "excluded": "the caller excluded it",
    "seen": "already saved, bought or rated",
    "hidden": "the person hid it",
    "unwanted": "its words are what was not wanted",
    "fatigued": f"shown {FATIGUE_IMPRESSIONS} times lately without a response",
    "limited": f"the policy limits it to one place in {LIMITED_EVERY}",
    "near_duplicate_of_anchor": "near-duplicate of the item asked about",
    "near_duplicate_in_slate": "near-duplicate of a better candidate",
}
"""What an explanation says for each built-in filter."""
