"""The simulated event log while it is written: columns of numbers, turned into the standard columns at the end."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

__all__ = ["ACTIONS", "SURFACES", "Journal"]

ACTIONS = ("impression", "closeup", "click", "save", "hide", "purchase")
SURFACES = ("homefeed", "search", "related", "shopping", "ads")

_KINDS = {
    "user": np.int32,
    "item": np.int32,
    "action": np.int8,
    "at": np.int64,
    "surface": np.int8,
    "position": np.int32,
    "request": np.int32,
    "dwell_s": np.float32,
    "propensity": np.float32,
    "query": np.int32,
    "collection": np.int32,
}


@dataclass
class Journal:
    """Batches of events; -1 and NaN stand for "none" until :meth:`table`."""

    batches: list[dict[str, np.ndarray]] = field(default_factory=list)
    queries: dict[str, int] = field(default_factory=dict)
    requests: int = 0

    def query_number(self, text: str) -> int:
        """A number for a query text."""
        return self.queries.setdefault(text, len(self.queries))

    def new_requests(self, count: int) -> np.ndarray:
        """Numbers for new requests."""
        self.requests += count
        return np.arange(self.requests - count, self.requests, dtype=np.int32)

    def add(self, **columns: np.ndarray | int | float) -> None:
        """Append events; numbers stand for a whole column. ``dwell_s, query, collection`` may be left out."""
        length = np.asarray(columns["at"]).shape[0]
        given = {"dwell_s": np.nan, "query": -1, "collection": -1, **columns}
        self.batches.append(
            {
                name: np.broadcast_to(np.asarray(given[name], dtype=kind), (length,))
                for name, kind in _KINDS.items()
            }
        )

    def columns(self) -> dict[str, np.ndarray]:
        """All events as numbers, sorted by time; equal times keep the order they were added in."""
        whole = {
            name: np.concatenate([batch[name] for batch in self.batches] or [np.empty(0, kind)])
            for name, kind in _KINDS.items()
        }
        order = np.argsort(whole["at"], kind="stable")
        return {name: column[order] for name, column in whole.items()}

    def table(self, item_ids: pa.Array, topics: tuple[str, ...]) -> pa.Table:
        """The events in the standard columns.

        Args:
            item_ids: id of each item row.
            topics: names behind the collection numbers.
        """
        whole = self.columns()
        count = whole["at"].shape[0]
        # requests are renumbered in the order of time, so the log looks like one written live
        _, first, inverse = np.unique(whole["request"], return_index=True, return_inverse=True)
        request = np.argsort(np.argsort(first))[inverse] if count else whole["request"]
        query_texts = pa.array(list(self.queries), pa.string())
        query = pa.array(whole["query"], mask=whole["query"] < 0)
        saved = whole["collection"]
        names = [
            f"u{user}/{topics[at]}" if at >= 0 else None
            for user, at in zip(whole["user"], saved, strict=True)
        ]
        return pa.table(
            {
                "event_id": pa.array([f"e{at}" for at in range(count)], pa.string()),
                "user_id": _named("u", whole["user"]),
                "item_id": item_ids.take(pa.array(whole["item"])),
                "action": pa.array(ACTIONS, pa.string()).take(pa.array(whole["action"])),
                "at": pa.array(whole["at"], pa.int64()),
                "surface": pa.array(SURFACES, pa.string()).take(pa.array(whole["surface"])),
                "position": pa.array(whole["position"], pa.int32()),
                "request_id": _named("r", request),
                "dwell_s": pa.array(whole["dwell_s"], pa.float32(), mask=np.isnan(whole["dwell_s"])),
                "propensity": pa.array(whole["propensity"], pa.float32()),
                "query": query_texts.take(query),
                "collection_id": pa.array(names, pa.string()),
            }
        )


def _named(letter: str, rows: np.ndarray) -> pa.Array:
    top = int(rows.max()) + 1 if rows.shape[0] else 0
    return pa.array([f"{letter}{row}" for row in range(top)], pa.string()).take(pa.array(rows))
