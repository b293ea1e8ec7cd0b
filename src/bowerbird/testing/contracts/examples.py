"""Small made-up records for the contracts, and hypothesis strategies that draw them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st

from bowerbird.clock import DAY_US
from bowerbird.records import ACTIONS, EVENT_SCHEMA, Events, Items, SignalCard, Space, Users, Vectors

AWKWARD_TEXTS = ("a", "ü", "日本", "🦜", "a b/c'\"--;", "a\x00b", " ", "x" * 40)
"""Ids and words that break careless code: other alphabets, quotes, a zero byte, a blank."""

SPACE = Space("example", "v1", 3)
OTHER_SPACE = Space("example", "v2", 3)


def events(*rows: dict) -> Events:
    """Events of rows that name only what matters; the rest has a default.

    Example:
        >>> events({"event_id": "e", "at": 5}).table.column("user_id").to_pylist()
        ['u']
    """
    filled = [{"user_id": "u", "item_id": "i", "action": "click", **row} for row in rows]
    return Events(pa.Table.from_pylist(filled, EVENT_SCHEMA))


def numbered_events(first: int, count: int, step_us: int = DAY_US // 100) -> Events:
    """Events ``e<first>``, ``e<first + 1>``, ... at regular times."""
    return events(*({"event_id": f"e{n}", "at": n * step_us} for n in range(first, first + count)))


def items(*ids: str, title: str | None = None) -> Items:
    """Items of some ids, all with the same title."""
    return Items(
        pa.table({"item_id": pa.array(ids, pa.string()), "title": pa.array([title] * len(ids), pa.string())})
    )


def users(*ids: str) -> Users:
    """Users of some ids."""
    return Users(pa.table({"user_id": pa.array(ids, pa.string())}))


def card(
    name: str, version: str = "v1", inputs: Sequence[str] = (), space: Space | None = None
) -> SignalCard:
    """A card that says little more than a name."""
    kind = "vector" if space is not None else "label"
    return SignalCard(name, "item", kind, version, "example", 0, 1.0, 0, tuple(inputs), space)


def vectors(count: int, space: Space = SPACE) -> Vectors:
    """Vectors whose values count up from 1, all present."""
    values = 1 + np.arange(count * space.dim, dtype=np.float32)
    return Vectors.full(space, np.array(np.split(values, count), dtype=np.float32))


def event_rows() -> st.SearchStrategy[dict]:
    """Rows of events with few ids, so that ids, times and days meet often."""
    texts = st.sampled_from(AWKWARD_TEXTS)
    pairs = st.lists(
        st.tuples(st.sampled_from(("k", "ü")), texts), max_size=2, unique_by=lambda pair: pair[0]
    )
    return st.fixed_dictionaries(
        {
            "event_id": st.one_of(texts, st.integers(0, 30).map(str)),
            "at": st.one_of(st.integers(-3, 12).map(lambda day: day * DAY_US // 2), st.integers(-5, 5)),
            "user_id": texts,
            "action": st.sampled_from(ACTIONS),
        },
        optional={
            "item_id": st.none() | texts,
            "position": st.none() | st.integers(0, 2**31 - 1),
            "propensity": st.none() | st.floats(0, 1, width=32),
            "value": st.none() | st.floats(allow_nan=True, allow_infinity=True),
            "query": st.none() | texts,
            "attributes": st.none() | pairs,
        },
    )


def item_rows() -> st.SearchStrategy[dict]:
    """Rows of items with few ids and few values."""
    return st.fixed_dictionaries(
        {"item_id": st.sampled_from(AWKWARD_TEXTS)},
        optional={
            "title": st.none() | st.sampled_from(AWKWARD_TEXTS),
            "price": st.none() | st.sampled_from((0.0, 1.5, float("nan"))),
            "is_ad": st.none() | st.booleans(),
            "attributes": st.none() | st.sampled_from(([], [("k", "v")], [("k", "w"), ("l", "v")])),
        },
    )
