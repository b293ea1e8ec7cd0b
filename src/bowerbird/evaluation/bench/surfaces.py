"""Events of several surfaces from anybody's file: what ``bench foundation`` reads and asks."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bowerbird.arrays import group_offsets
from bowerbird.datasets import columns
from bowerbird.errors import InputError
from bowerbird.evaluation.bench.user_probe_data import coded, whole_events
from bowerbird.randomness import generator
from bowerbird.recommenders.item_content import content_vectors
from bowerbird.records.event import POSITIVE_ACTIONS
from bowerbird.telemetry import SILENT, Progress
from bowerbird.training.batches import Ragged
from bowerbird.training.surface_log import SurfaceCases, SurfaceLog
from bowerbird.users.next_item import first_meetings

__all__ = ["SurfaceData", "cases_of", "read_surfaces"]

NOT_DONE = ("impression", "visit", "open", "search")
"""Actions that are not about an item, or nothing a person did to it."""
MOST_CASES, MOST_SCORES = 2000, 40_000_000
"""People asked about on a surface; fewer where the catalogue is so large that scores would not fit."""


@dataclass(frozen=True, eq=False)
class SurfaceData:
    """A log of surfaces, and what it was made of."""

    log: SurfaceLog
    surfaces: tuple[str, ...]
    """Name of each code."""
    hash: str
    notes: tuple[str, ...]


def read_surfaces(
    events: pa.Table, items: pa.Table | None = None, where: str = "events", progress: Progress = SILENT
) -> SurfaceData:
    """What people did on surfaces, of a table of events in the standard columns.

    Needed: ``user_id``, ``item_id`` and a time. Read when there: ``action`` (else all rows are alike) and ``surface`` (else
    there is one). Impressions, visits and rows without person, item or time are left out and counted.

    Args:
        events: one row an event.
        items: words of the items, joined by ``item_id``; without, items are known by who met them alone.
        where: what to call the events in a message.
        progress: shows the encoding of words.

    Raises:
        InputError: a required column is missing, or no row is left.
    """
    at, kept = whole_events(events, where)
    action = _names(events, "action", POSITIVE_ACTIONS[1])
    kept &= ~columns.mask(pc.is_in(action, value_set=pa.array(NOT_DONE)))
    if not kept.any():
        raise InputError(
            f"{where}: no row of {events.num_rows} says what a person did to an item at a time; check those columns"
        )
    chosen = pa.array(kept)
    table, action, at = events.filter(chosen), action.filter(chosen), at.filter(chosen)
    users, user_ids = coded(table["user_id"])
    rows, item_ids = coded(table["item_id"])
    actions, _ = coded(pa.chunked_array([action]))
    surfaces, surface_names = coded(pa.chunked_array([_names(table, "surface", "everywhere")]))
    positive = columns.mask(pc.is_in(action, value_set=pa.array(POSITIVE_ACTIONS)))
    moments = at.to_numpy(zero_copy_only=False).astype(np.int64)
    order = np.lexsort((moments, users))
    fresh = first_meetings(users[order], rows[order])
    content = None
    if items is not None:
        content = content_vectors(items, np.array(item_ids, dtype=str), f"{where} items", progress)
    kinds = surfaces * (int(actions.max()) + 1) + actions
    log = SurfaceLog(
        Ragged(group_offsets(users[order], len(user_ids))),
        rows[order],
        moments[order],
        kinds[order].astype(np.int32),
        surfaces[order],
        positive[order] & fresh,
        int(kinds.max()) + 1,
        content,
        len(item_ids),
    )
    digest = hashlib.blake2b(digest_size=8)
    for column in (log.sequences.bounds, log.items, log.at, log.kinds):
        digest.update(np.ascontiguousarray(column).tobytes())
    left = int((~kept).sum())
    notes = (
        (f"{left:,} rows left out: impressions, visits, searches, no person, item or time",) if left else ()
    )
    return SurfaceData(log, tuple(surface_names), digest.hexdigest(), notes)


def cases_of(log: SurfaceLog, surface: int, since: int, until: int, seed: int) -> SurfaceCases:
    """Everybody who likes a new item on a surface in a stretch of time: the first such item.

    Args:
        log: everything.
        surface: its code.
        since: the moment of the question; histories end before it.
        until: the end of the stretch.
        seed: draws people where there are too many.
    """
    before = log.before(since)
    users = log.sequences.owners
    wanted = log.wanted & (log.surfaces == surface) & (log.at >= since) & (log.at < until)
    wanted &= before.sequences.lengths[users] > 0
    places = np.flatnonzero(wanted)
    _, first = np.unique(users[places], return_index=True)
    places = places[first]
    most = int(np.clip(MOST_SCORES // max(log.items_total, 1), 200, MOST_CASES))
    if places.size > most:
        places = np.sort(generator(seed, "surface cases", str(surface)).choice(places, most, replace=False))
    return SurfaceCases(before, users[places], log.items[places])


def _names(events: pa.Table, column: str, otherwise: str) -> pa.Array:
    """A column as lower-case text; a word where it says nothing."""
    if column not in events.column_names:
        return pa.array([otherwise] * events.num_rows, pa.string())
    return pc.fill_null(pc.utf8_lower(columns.texts(events[column])), otherwise)
