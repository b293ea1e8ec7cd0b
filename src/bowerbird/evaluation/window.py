"""Where the past ends and the test begins: one moment for everybody."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from bowerbird.clock import DAY_US, format_time
from bowerbird.errors import NotReadyError
from bowerbird.signals.sequences import Sequences

LEAST_SHARE, MOST_SHARE = 0.05, 0.20
"""Share of positive events the test week should hold; outside of it the 0.9 quantile decides."""
TEST_SHARE = 0.1


@dataclass(frozen=True)
class HeldOut:
    """The test part of a log."""

    begins: Int64[np.ndarray, "user"]
    """Per person, the first moment of the test: the same for all by time, the last positive event when left out."""
    split_at: int
    """The common moment; the earliest one when events are left out one by one."""
    until: int
    """Just after the newest event."""
    leave_one_out: bool
    protocol: str
    """In words, for the report."""


def held_out(sequences: Sequences, *, logical_time: bool, days: float = 7.0) -> HeldOut:
    """The test window of a log.

    With times: the last ``days``, or the last tenth of the positive events where those days hold less
    than 5 % or more than 20 % of them. Without times each person's last positive event is left out,
    because an order within people does not order people among each other.

    Args:
        sequences: everybody's, whole.
        logical_time: whether times are only an order.
        days: length of the test, above 0.

    Raises:
        NotReadyError: nobody did anything yet.

    Source: Time to Split, arXiv 2507.16289 (one global moment, 0.9 quantile).
    """
    positives = sequences.positives
    people = len(sequences.users)
    if len(positives) == 0:
        raise NotReadyError("evaluate: no positive events, so nothing can be held out; import events first")
    until = int(sequences.activity.at.max()) + 1
    if logical_time:
        begins = np.full(people, until, dtype=np.int64)
        starts = _runs(sequences)
        begins[positives.owners()[starts]] = positives.at[starts]  # the last one of each person stays
        words = "leave one out: each person's last positive event is the test, because events have an order but no times"
        return HeldOut(begins, int(begins.min()), until, True, words)
    at = np.sort(positives.at)
    split = until - round(days * DAY_US)
    share = float((at >= split).mean())
    chosen = f"the last {days:g} days"
    if not LEAST_SHARE <= share <= MOST_SHARE:
        split = int(np.quantile(at, 1 - TEST_SHARE, method="higher"))
        chosen = f"the last {TEST_SHARE:.0%} of positive events"
    words = (
        f"one moment for everybody: models learn from events before {format_time(split)}, the test is {chosen}; every "
        "request reads events strictly before its own time; the whole eligible catalogue is ranked; one request per person"
    )
    return HeldOut(np.full(people, split, dtype=np.int64), split, until, False, words)


def _runs(sequences: Sequences) -> Int64[np.ndarray, "run"]:
    """Where each person turns to another item: repeated actions on one item are one event."""
    track = sequences.positives
    owners = track.owners()
    new = np.ones(len(track), dtype=bool)
    new[1:] = (owners[1:] != owners[:-1]) | (track.rows[1:] != track.rows[:-1])
    return np.flatnonzero(new)
