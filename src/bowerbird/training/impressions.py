"""Examples from the log: what was shown, where, and what came of it, by request."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Int32, Int64

from bowerbird.clock import DAY_US
from bowerbird.records.event import Events
from bowerbird.records.vocabulary import Vocabulary

LABELS = ("closeup", "click", "save", "hide", "purchase")
"""Actions a ranker learns to predict."""
WINDOW_US = DAY_US
"""An action counts for an impression when it follows within this time."""


@dataclass(frozen=True)
class Shown:
    """One slate that was shown."""

    at: int
    user_row: int
    surface: str
    query: str | None
    rows: Int32[np.ndarray, "n"]
    positions: Int32[np.ndarray, "n"]
    labels: Bool[np.ndarray, "n label"]


@dataclass(frozen=True)
class Impressions:
    """Every usable impression of a log, grouped by request in order of time.

    Args:
        table: impressions, one row each, with the columns of an event.
        users: user row of each.
        rows: item row of each.
        labels: whether each of :data:`LABELS` followed.
        offsets: request ``r`` owns ``offsets[r]:offsets[r + 1]``.
    """

    table: pa.Table
    users: Int32[np.ndarray, "n"]
    rows: Int32[np.ndarray, "n"]
    at: Int64[np.ndarray, "n"]
    positions: Int32[np.ndarray, "n"]
    labels: Bool[np.ndarray, "n label"]
    offsets: Int64[np.ndarray, "bound"]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def request_at(self) -> Int64[np.ndarray, "request"]:
        """When each request was answered."""
        return self.at[self.offsets[:-1]]

    def shown(self, request: int) -> Shown:
        """One request's slate."""
        own = slice(int(self.offsets[request]), int(self.offsets[request + 1]))
        first = own.start
        return Shown(
            at=int(self.at[first]),
            user_row=int(self.users[first]),
            surface=self.table.column("surface")[first].as_py() or "homefeed",
            query=self.table.column("query")[first].as_py(),
            rows=self.rows[own],
            positions=self.positions[own],
            labels=self.labels[own],
        )


def impressions(events: Events, users: Vocabulary, items: Vocabulary) -> Impressions:
    """The impressions of a log with their outcomes.

    An action belongs to the impression of the same request and item; without a request id, to the
    latest impression of that item to that person within a day before it. Impressions of unknown people
    or items are left out.
    """
    table = events.table
    shown = table.filter(pc.equal(table.column("action"), "impression"))
    user_rows, item_rows = _rows(shown, "user_id", users), _rows(shown, "item_id", items)
    known = (user_rows >= 0) & (item_rows >= 0)
    shown = shown.filter(pa.array(known))
    user_rows, item_rows = user_rows[known], item_rows[known]
    requests = _request_codes(shown, user_rows)
    order = np.argsort(requests, kind="stable")
    at = shown.column("at").to_numpy()
    first = np.ones(len(order), dtype=bool)
    first[1:] = requests[order][1:] != requests[order][:-1]
    number = np.cumsum(first) - 1
    began = at[order][first]
    by_time = np.argsort(began[number], kind="stable")
    order = order[by_time]
    starts = (
        np.flatnonzero(np.concatenate([[True], number[by_time][1:] != number[by_time][:-1]]))
        if len(order)
        else []
    )
    offsets = np.append(np.asarray(starts, dtype=np.int64), len(order))
    positions = pc.fill_null(shown.column("position"), 0).to_numpy().astype(np.int32)
    labels = np.stack([_followed(table, shown, action) for action in LABELS], axis=1)
    return Impressions(
        table=shown.take(pa.array(order)),
        users=user_rows[order],
        rows=item_rows[order],
        at=at[order],
        positions=positions[order],
        labels=labels[order],
        offsets=offsets,
    )


def _rows(table: pa.Table, column: str, vocabulary: Vocabulary) -> Int32[np.ndarray, "n"]:
    found = pc.index_in(table.column(column), value_set=pa.array(vocabulary.ids, pa.string()))
    return pc.fill_null(found, -1).to_numpy().astype(np.int32)


def _request_codes(shown: pa.Table, users: Int32[np.ndarray, "n"]) -> Int64[np.ndarray, "n"]:
    """A number per request; impressions without a request id of one person at one time are one request.

    A log may number every person's requests from one, so an id names a request of its person only.
    """
    people = pa.array(users).cast(pa.string())
    named = pc.fill_null(shown.column("request_id"), "")
    alone = pc.binary_join_element_wise(people, shown.column("at").cast(pa.string()), "@")
    key = pc.if_else(pc.equal(named, ""), alone, pc.binary_join_element_wise(people, named, "\x1f"))
    codes = pc.dictionary_encode(key).combine_chunks()
    return codes.indices.to_numpy().astype(np.int64)


def _followed(table: pa.Table, shown: pa.Table, action: str) -> Bool[np.ndarray, "n"]:
    """Which impressions an action followed."""
    done = table.filter(pc.equal(table.column("action"), action))
    request = ("user_id", "request_id", "item_id")
    answered = pc.drop_null(_keys(done, *request).combine_chunks())
    hit = pc.is_in(_keys(shown, *request), value_set=answered)
    mask = np.asarray(pc.fill_null(hit, False).to_numpy(zero_copy_only=False), dtype=bool)
    free = done.filter(pc.is_null(done.column("request_id")))
    return mask | _followed_in_time(shown, free) if len(free) else mask


def _keys(table: pa.Table, *names: str) -> pa.ChunkedArray:
    """Some columns as one text; null where any is."""
    keys = pc.binary_join_element_wise(*(table.column(name) for name in names), "\x1f")
    return keys if isinstance(keys, pa.ChunkedArray) else pa.chunked_array([keys])


def _followed_in_time(shown: pa.Table, done: pa.Table) -> Bool[np.ndarray, "n"]:
    """For actions without a request id: the latest impression of the item to the person before each."""
    own = ("user_id", "item_id")
    keys = pa.chunked_array([*_keys(shown, *own).chunks, *_keys(done, *own).chunks])
    codes = pc.dictionary_encode(keys).combine_chunks().indices
    both = pc.fill_null(codes, -1).to_numpy().astype(np.int64)
    code, wanted = both[: len(shown)], both[len(shown) :]
    at, when = shown.column("at").to_numpy(), done.column("at").to_numpy()
    order = np.lexsort((at, code))
    code, at = code[order], at[order]
    lows, highs = np.searchsorted(code, wanted, "left"), np.searchsorted(code, wanted, "right")
    mask = np.zeros(len(shown), dtype=bool)
    for low, high, time in zip(lows.tolist(), highs.tolist(), when.tolist(), strict=True):
        place = low + int(np.searchsorted(at[low:high], time, side="right")) - 1
        if place >= low and time - at[place] <= WINDOW_US:
            mask[order[place]] = True
    return mask
