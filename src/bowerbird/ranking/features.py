"""Features: the one function that turns a context and items into a ranker's input.

Training calls it with a context as of each impression, serving with a context as of the request, so
the two cannot differ. Everything is read strictly before ``as_of``; item counters are read as of the
last midnight, UTC, so that they are computed once per day and not once per request.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float32, Int32, Int64

from bowerbird.arrays import occurrences
from bowerbird.clock import DAY_US
from bowerbird.records.request import Context
from bowerbird.records.signal import Vectors
from bowerbird.signals.joined import JoinedCounts

SURFACES = ("homefeed", "related", "search", "shopping", "growth", "ads")
RECENT = 20
"""Newest actions of a person that similarities are taken to."""
STAT_ACTIONS = ("closeup", "click", "save", "hide")
STAT_WINDOWS_DAYS = (7, 30)
PRIOR_IMPRESSIONS = 50.0
"""Strength of the belief that an item's rates are everybody's, in impressions."""

_ITEM_STATS = (
    *(f"item_impressions_{days}d" for days in STAT_WINDOWS_DAYS),
    *(f"item_{action}_rate_{days}d" for days in STAT_WINDOWS_DAYS for action in STAT_ACTIONS),
)
FEATURES = (
    *_ITEM_STATS,
    "item_age_days",
    "item_price",
    "item_is_ad",
    "similarity_to_person",
    "similarity_to_recent_max",
    "similarity_to_recent_mean",
    "similarity_to_last",
    "similarity_to_hidden_max",
    "category_share",
    "group_share",
    "category_hides",
    "times_shown_lately",
    "category_shown_lately",
    "similarity_to_anchor",
    "similarity_to_query",
    "history_length",
    "days_since_last_action",
    "surface",
)
"""Columns of the ranker's input, in order. NaN means there is nothing to compute it from."""


@runtime_checkable
class ItemKnowledge(Protocol):
    """What features read of items; a release satisfies it."""

    @property
    def vectors(self) -> Mapping[str, Vectors]:
        """Item vectors by space name."""
        ...

    @property
    def joined_counts(self) -> JoinedCounts:
        """Events per window, of each item and its copies together."""
        ...

    @property
    def created_at(self) -> Int64[np.ndarray, "item"]:
        """Creation times."""
        ...

    @property
    def categories(self) -> Int32[np.ndarray, "item"]:
        """Category code; -1 where unknown."""
        ...

    @property
    def groups(self) -> Int32[np.ndarray, "item"]:
        """Code of the category's first part; -1 where unknown."""
        ...

    @property
    def is_ad(self) -> Bool[np.ndarray, "item"]:
        """Which items are ads."""
        ...

    @property
    def price(self) -> np.ndarray:
        """Prices; NaN where unknown."""
        ...


@dataclass
class FeatureMaker:
    """Computes features over one release.

    Args:
        items: what is known of items.
    """

    items: ItemKnowledge
    _stats: dict[int, Float32[np.ndarray, "item stat"]] = field(default_factory=dict, repr=False)

    def __call__(self, context: Context, rows: Int32[np.ndarray, "n"]) -> Float32[np.ndarray, "n feature"]:
        """Features of candidate items in a context; each row depends on its own item only.

        Args:
            context: the request and the person, as of the request.
            rows: item rows.

        Returns:
            One row per item, columns in the order of :data:`FEATURES`.
        """
        items, as_of = self.items, context.as_of
        columns: dict[str, np.ndarray | float] = {}
        columns["item_age_days"] = self._age_days(rows, as_of)
        columns["item_price"] = np.log1p(items.price[rows])
        columns["item_is_ad"] = items.is_ad[rows]
        columns.update(self._similarities(context, rows))
        columns.update(self._shares(context, rows))
        columns["history_length"] = np.log1p(len(context.history))
        last = context.history.at[-1] if len(context.history) else None
        columns["days_since_last_action"] = (as_of - last) / DAY_US if last is not None else np.nan
        surface = context.request.surface
        columns["surface"] = SURFACES.index(surface) if surface in SURFACES else np.nan
        table = np.empty((len(rows), len(FEATURES)), dtype=np.float32)
        table[:, : len(_ITEM_STATS)] = self._stats_of(as_of)[rows]
        for place, name in enumerate(FEATURES[len(_ITEM_STATS) :], start=len(_ITEM_STATS)):
            table[:, place] = columns[name]
        return table

    def _age_days(self, rows: Int32[np.ndarray, "n"], as_of: int) -> np.ndarray:
        created = self.items.created_at[rows]
        known = created > np.iinfo(np.int64).min
        return np.where(known, (as_of - np.where(known, created, 0)) / DAY_US, np.nan)

    def _stats_of(self, as_of: int) -> Float32[np.ndarray, "item stat"]:
        """Impressions and smoothed response rates of every item as of the last midnight."""
        midnight = as_of - as_of % DAY_US
        stats = self._stats.get(midnight)
        if stats is None:
            if len(self._stats) > 120:  # a log of years must not keep every day
                self._stats.clear()
            stats = self._stats[midnight] = self._computed_stats(midnight)
        return stats  # not read again: another thread may just have cleared the days

    def _computed_stats(self, midnight: int) -> Float32[np.ndarray, "item stat"]:
        counts = self.items.joined_counts
        once = counts.items.once
        shown = [
            counts.totals(("impression",), midnight - days * DAY_US, midnight) for days in STAT_WINDOWS_DAYS
        ]
        columns = [np.log1p(one) for one in shown]
        for days, impressions in zip(STAT_WINDOWS_DAYS, shown, strict=True):
            for action in STAT_ACTIONS:
                done = counts.totals((action,), midnight - days * DAY_US, midnight)
                overall = done[once].sum() / max(impressions[once].sum(), 1)
                columns.append((done + PRIOR_IMPRESSIONS * overall) / (impressions + PRIOR_IMPRESSIONS))
        return np.stack(columns, axis=1).astype(np.float32)

    def _similarities(self, context: Context, rows: Int32[np.ndarray, "n"]) -> dict[str, np.ndarray | float]:
        """Cosines of candidates with the person, what they did last, what they hid, the anchor and the query."""
        names = (
            "similarity_to_person",
            "similarity_to_recent_max",
            "similarity_to_recent_mean",
            "similarity_to_last",
            "similarity_to_hidden_max",
            "similarity_to_anchor",
            "similarity_to_query",
        )
        found: dict[str, np.ndarray | float] = dict.fromkeys(names, np.nan)
        vectors = self.items.vectors.get("item")
        if vectors is None:
            return found
        own = vectors.matrix[rows]
        person = context.user_vectors
        if person is not None and person.present[0]:
            vectors.space.require(person.space, "features")
            found["similarity_to_person"] = own @ person.matrix[0]
        recent = context.history.rows[-RECENT:]
        if len(recent):
            near = own @ vectors.matrix[recent].T
            found["similarity_to_recent_max"] = near.max(axis=1)
            found["similarity_to_recent_mean"] = near.mean(axis=1)
            found["similarity_to_last"] = near[:, -1]
        if len(context.hidden):
            found["similarity_to_hidden_max"] = (own @ vectors.matrix[context.hidden[-RECENT:]].T).max(axis=1)
        if context.anchor_row >= 0:
            found["similarity_to_anchor"] = own @ vectors.matrix[context.anchor_row]
        query = context.query_vectors.get("item")
        if query is not None and query.present[0]:
            vectors.space.require(query.space, "features")
            found["similarity_to_query"] = own @ query.matrix[0]
        return found

    def _shares(self, context: Context, rows: Int32[np.ndarray, "n"]) -> dict[str, np.ndarray | float]:
        """How much of a person's actions, refusals and recent impressions lie in each candidate's category."""
        items, history = self.items, context.history.rows
        category, group = items.categories[rows], items.groups[rows]
        known = category >= 0
        done = max(len(history), 1)
        shown = context.shown
        found: dict[str, np.ndarray | float] = {
            "category_share": occurrences(items.categories[history], category) / done,
            "group_share": occurrences(items.groups[history], group) / done,
            "category_hides": occurrences(items.categories[context.hidden], category),
            "category_shown_lately": occurrences(items.categories[shown], category),
        }
        found = {name: np.where(known, column, np.nan) for name, column in found.items()}
        found["times_shown_lately"] = occurrences(shown, rows)
        return found


COLD_IMPRESSIONS = 20
"""An item shown less often in the last 30 days is cold."""


def are_cold(features: Float32[np.ndarray, "n column"]) -> Bool[np.ndarray, "n"]:
    """Which rows of features are of items few people have met lately."""
    return features[:, FEATURES.index("item_impressions_30d")] < np.log1p(COLD_IMPRESSIONS)


POSITION = "position"
"""Training adds ``log1p(position)`` so that what position explains is not blamed on items; serving asks
for position 0 of every candidate."""
