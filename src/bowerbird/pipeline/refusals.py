"""Interests a person muted or deleted, as of a request: what may not be shown and what no longer counts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool

from bowerbird.pipeline.release import Release
from bowerbird.records.history import History
from bowerbird.stores.preferences import Refusal

__all__ = ["refused_items", "without_deleted"]


def without_deleted(release: Release, history: History, refusals: Sequence[Refusal], as_of: int) -> History:
    """The steps of a history that still count: none under a deleted interest from before it was deleted."""
    kept = np.ones(len(history), dtype=bool)
    for one in refusals:
        if one.wish == "delete" and one.at < as_of:
            kept &= ~(release.under(one.interest)[history.rows] & (history.at <= one.at))
    return History(history.rows[kept], history.at[kept], history.actions[kept]) if not kept.all() else history


def refused_items(
    release: Release, history: History, refusals: Sequence[Refusal], as_of: int
) -> Bool[np.ndarray, "item"] | None:
    """Items not to show: those of muted interests, and of deleted ones until acted on again; None for no refusal.

    Args:
        release: what is known of items.
        history: the person's steps before ``as_of``.
        refusals: what the person said; what they say at or after ``as_of`` changes nothing.
        as_of: the time of the request, microseconds UTC.
    """
    refused = None
    for one in refusals:
        if one.at >= as_of:
            continue
        under = release.under(one.interest)
        again = one.wish == "delete" and bool((under[history.rows] & (history.at > one.at)).any())
        if not again:
            refused = under if refused is None else refused | under
    return refused
