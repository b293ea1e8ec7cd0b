"""Events from outside: each checked by itself, the good ones made a table, the bad ones told why."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import pyarrow as pa
from pydantic import ValidationError

from bowerbird.clock import DAY_US
from bowerbird.errors import InputError, did_you_mean
from bowerbird.records.event import ACTIONS, EVENT_SCHEMA, Events
from bowerbird.serving.failures import explained
from bowerbird.serving.wire import EventForm, Rejection, moment

WITHOUT_ITEM = ("search", "visit", "open")
"""Actions that need no item."""

FUTURE_US = DAY_US
"""How far ahead of the server's time an event may lie: clocks differ, and time zones are mistaken."""

MOST_ATTRIBUTES = 50
LONGEST_ATTRIBUTE = 2000

_COLUMNS = tuple(name for name in EVENT_SCHEMA.names if name not in ("event_id", "at", "attributes"))


@dataclass(frozen=True)
class Arrivals:
    """A checked batch."""

    events: Events
    rejected: tuple[Rejection, ...]


@dataclass(frozen=True)
class Clerk:
    """Checks events.

    Args:
        items: known item ids.
        now: the time of an event that brings none, microseconds UTC.
        latest: events at or after it lie in the future and are refused.
    """

    items: Mapping[str, int]
    now: int
    latest: int

    def checked(self, rows: list[Any]) -> Arrivals:
        """The events of a batch that are sound, and why the others are not."""
        good, bad = [], []
        for index, row in enumerate(rows):
            try:
                good.append(self._checked(row))
            except ValidationError as error:
                bad.append(Rejection(index=index, reason=explained(error)))
            except InputError as error:
                bad.append(Rejection(index=index, reason=str(error)))
        return Arrivals(Events(pa.Table.from_pylist(good, schema=EVENT_SCHEMA)), tuple(bad))

    def _checked(self, row: Any) -> dict[str, Any]:
        if not isinstance(row, dict):
            raise InputError(f"an event is an object of fields, not {type(row).__name__}")
        form = EventForm.model_validate(row)
        if form.action not in ACTIONS:
            raise InputError(f"unknown action {form.action!r}; {did_you_mean(form.action, ACTIONS)}")
        if form.item_id is None and form.action not in WITHOUT_ITEM:
            raise InputError(f"action {form.action!r} needs an item_id")
        if form.item_id is not None and form.item_id not in self.items:
            raise InputError(
                f"item {form.item_id!r} is not in the catalogue; import it, build, and send the event again"
            )
        at = self.now if form.at is None else moment(form.at)
        if at >= self.latest:
            raise InputError(
                f"at {str(form.at)!r} lies in the future; send microseconds or an ISO time in UTC"
            )
        values = {name: getattr(form, name) for name in _COLUMNS}
        values["at"] = at
        values["attributes"] = list(_attributes(form.model_extra or {}).items()) or None
        values["event_id"] = form.event_id or _event_id(values, known_time=form.at is not None)
        return values


def batch_of(document: Any, most: int) -> list[Any]:
    """The events of a request's document: one event, a list, or ``{"events": [...]}``.

    Raises:
        InputError: it is none of these, or the batch is too long.
    """
    rows = document.get("events", [document]) if isinstance(document, dict) else document
    if not isinstance(rows, list):
        raise InputError('events: expected an event, a list of events, or {"events": [...]}')
    if len(rows) > most:
        raise InputError(
            f"events: {len(rows):,} in one batch; at most {most:,} are taken, send several batches"
        )
    return rows


def _attributes(extra: dict[str, Any]) -> dict[str, str]:
    if len(extra) > MOST_ATTRIBUTES:
        raise InputError(
            f"{len(extra)} fields without a name of ours; at most {MOST_ATTRIBUTES} are kept as attributes"
        )
    found = {}
    for name, value in extra.items():
        text = value if isinstance(value, str) else orjson.dumps(value).decode()
        if len(name) > LONGEST_ATTRIBUTE or len(text) > LONGEST_ATTRIBUTE:
            raise InputError(f"attribute {name[:40]!r} is longer than {LONGEST_ATTRIBUTE:,} characters")
        if value is not None:
            found[name] = text
    return found


def _event_id(values: dict[str, Any], *, known_time: bool) -> str:
    """An id for an event that brought none: of its content when its time is known, so that a retry is the same."""
    if not known_time:
        return secrets.token_hex(16)
    return hashlib.blake2b(repr(sorted(values.items())).encode(), digest_size=16).hexdigest()
