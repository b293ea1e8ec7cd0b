"""Events: what happened. An action is the kind, an event is the fact; impressions are events too."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Int8, Int64

from bowerbird.errors import InputError
from bowerbird.records.tables import ATTRIBUTES, conformed

ACTIONS = (
    "impression",  # the item was shown at a position
    "closeup",  # the person opened the item
    "click",  # the person followed it outward
    "save",  # kept, possibly into a collection
    "hide",  # asked not to see it
    "purchase",
    "add_to_cart",
    "return",  # a purchase undone
    "rate",  # value is the rating
    "search",  # query holds the words; item_id may be null
    "visit",  # a page or session start; item_id may be null
    "open",  # a notification was opened
)
"""Every action, in the order of its code (int8)."""

ACTION_CODE = {action: code for code, action in enumerate(ACTIONS)}

POSITIVE_ACTIONS = ("closeup", "click", "save", "purchase", "add_to_cart", "rate")
"""Actions that say a person liked an item: what histories hold and targets are made of."""

EVENT_SCHEMA = pa.schema(
    [
        pa.field("event_id", pa.string(), nullable=False),
        pa.field("at", pa.int64(), nullable=False),  # microseconds UTC
        pa.field("user_id", pa.string(), nullable=False),
        pa.field("item_id", pa.string()),
        pa.field("action", pa.string(), nullable=False),
        pa.field("surface", pa.string()),
        pa.field("position", pa.int32()),  # 0 is the top
        pa.field("request_id", pa.string()),
        pa.field("dwell_s", pa.float32()),
        pa.field("propensity", pa.float32()),  # probability with which the policy showed it there
        pa.field("query", pa.string()),
        pa.field("collection_id", pa.string()),
        pa.field("value", pa.float64()),  # a rating, or money
        pa.field("attributes", ATTRIBUTES),
    ]
)


@dataclass(frozen=True)
class Event:
    """One fact."""

    event_id: str
    at: int
    """Microseconds UTC."""
    user_id: str
    action: str
    item_id: str | None = None
    surface: str | None = None
    position: int | None = None
    """0 is the top of the slate."""
    request_id: str | None = None
    dwell_s: float | None = None
    propensity: float | None = None
    """Probability, in (0, 1], with which the policy showed the item there."""
    query: str | None = None
    collection_id: str | None = None
    value: float | None = None
    """A rating, or an amount of money."""
    attributes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Events:
    """Events as columns, sorted by time; equal times keep the order they came in.

    Raises:
        InputError: a column is unknown, a required one is empty, or an action is not known.
    """

    table: pa.Table

    def __post_init__(self) -> None:
        table = conformed(self.table, EVENT_SCHEMA, "events")
        known = pc.is_in(table.column("action"), value_set=pa.array(ACTIONS))
        if not pc.all(known, min_count=0).as_py():
            bad = table.column("action").filter(pc.invert(known))[0].as_py()
            raise InputError(f"events: unknown action {bad!r}; expected one of {', '.join(ACTIONS)}")
        at = table.column("at").to_numpy()
        if len(at) > 1 and np.any(at[1:] < at[:-1]):
            table = table.take(pa.array(np.argsort(at, kind="stable")))
        object.__setattr__(self, "table", table)

    def __len__(self) -> int:
        return len(self.table)

    @cached_property
    def at(self) -> Int64[np.ndarray, "event"]:
        """Times, ascending, microseconds UTC."""
        return self.table.column("at").to_numpy()

    @cached_property
    def action_codes(self) -> Int8[np.ndarray, "event"]:
        """Codes into :data:`ACTIONS`."""
        return (
            pc.index_in(self.table.column("action"), value_set=pa.array(ACTIONS)).to_numpy().astype(np.int8)
        )

    def before(self, as_of: int) -> Events:
        """Only the events strictly before a time."""
        return Events(self.table.slice(0, int(np.searchsorted(self.at, as_of, side="left"))))
