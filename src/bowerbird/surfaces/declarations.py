"""The surfaces as they come: what ``bowerbird init`` writes and what a missing table means."""

from __future__ import annotations

from typing import Any

from bowerbird.config import validated
from bowerbird.pipeline.settings import SurfaceSettings

ACTION_VALUES = {"save": 1.0, "click": 0.4, "closeup": 0.15, "purchase": 2.0, "hide": -3.0}
"""What an expected action is worth on homefeed, in saves."""

DECLARATIONS: dict[str, dict[str, Any]] = {
    "homefeed": {
        "about": "what should this person see now",
        "n": 25,
        "eligible": "organic",
        "sources": {
            "interests": {"quota": 200},
            "long_term": {"quota": 100},
            "covisitation": {"quota": 150},
            "next_item": {"quota": 150},
            "trending": {"quota": 50, "weight": 0.5},
            "fresh": {"quota": 50, "weight": 0.5},
        },
        "filters": ["excluded", "seen", "hidden", "fatigued", "near_duplicate_in_slate"],
        "value": ACTION_VALUES,
        "diversity": {"method": "ssd", "strength": 0.3, "window": 8},
    },
    "related": {
        "about": "what goes with this item",
        "n": 25,
        "eligible": "organic",
        "sources": {
            "similar": {"quota": 150, "weight": 1.0},
            "look_alike": {"quota": 100, "weight": 0.5},
            "covisitation": {"quota": 150, "weight": 1.0},
            "kept_together": {"quota": 150, "weight": 1.0},
        },
        "filters": ["excluded", "near_duplicate_of_anchor", "hidden", "near_duplicate_in_slate"],
        "value": {"retrieval": 1.0, "save": 0.5, "hide": -1.0},
        "diversity": {"method": "mmr", "strength": 0.2},
        "needs": ["item"],
    },
    "search": {
        "about": "what answers this text (and/or this picture), for this person",
        "n": 25,
        "eligible": "organic",
        "sources": {
            "lexical": {"quota": 150, "weight": 1.0},
            "by_text": {"quota": 150, "weight": 1.0},
            "by_picture": {"quota": 150, "weight": 1.0},
            "composed": {"quota": 150, "weight": 0.5},
        },
        "filters": ["excluded", "hidden", "unwanted", "near_duplicate_in_slate"],
        "value": {"retrieval": 1.0, "save": 0.2},
        "diversity": {"method": "none"},
        "needs": ["query", "image"],
    },
    "shopping": {
        "about": "which products are in this picture, look like it, or complete the look",
        "n": 25,
        "eligible": "products",
        # what an item asks: looks alone mislead, the fused vector leads (weights chosen on the demo world)
        "sources": {
            "by_picture": {"quota": 150, "weight": 1.0},
            "by_text": {"quota": 100, "weight": 1.0},
            "similar": {"quota": 150, "weight": 1.0},
            "look_alike": {"quota": 150, "weight": 0.25},
            "covisitation": {"quota": 100, "weight": 0.5},
            "complements": {"quota": 100, "weight": 0.25},
            "completes_look": {"quota": 100, "weight": 2.0},
        },
        "filters": ["excluded", "near_duplicate_of_anchor", "hidden", "near_duplicate_in_slate"],
        "value": {"retrieval": 1.0, "click": 1.0, "purchase": 1.0},
        "diversity": {"method": "mmr", "strength": 0.1},
        "needs": ["item", "query", "image"],
    },
    "ads": {
        "about": "which ad, for whom, at what calibrated probability",
        "n": 4,
        "eligible": "ads",
        "sources": {
            "interests": {"quota": 200},
            "long_term": {"quota": 200},
            "trending": {"quota": 200},
        },
        "filters": ["excluded", "hidden", "near_duplicate_in_slate"],
        "value": {"click": 1.0},
        "diversity": {"method": "none"},
    },
}
"""Per surface, a table of :class:`bowerbird.pipeline.settings.SurfaceSettings`.

Growth is not here: it chooses people, not items, and asks homefeed what to send them."""


def declared(tables: dict[str, dict[str, Any]], where: str) -> dict[str, SurfaceSettings]:
    """Settings of every surface: the built-in declarations with the file's fields laid over them.

    A field of the file replaces the built-in field whole, so a source can be removed by listing
    the others.

    Raises:
        SettingsError: a field is unknown or out of range.
    """
    merged = {
        name: {**DECLARATIONS.get(name, {}), **tables.get(name, {})} for name in {**DECLARATIONS, **tables}
    }
    return {
        name: validated(SurfaceSettings, table, f"{where} [surfaces.{name}]")
        for name, table in merged.items()
    }
