"""Interactions and histories as the ragged columns that sequence encoders read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bowerbird.recommenders.guidance import HeldOut
from bowerbird.recommenders.interactions import Interactions
from bowerbird.recommenders.recommender import Histories
from bowerbird.users.next_item import gap_buckets

if TYPE_CHECKING:
    from bowerbird.training.next_item import SequenceData, ValidationCases

__all__ = ["sequence_data", "sequence_data_of", "validation_cases"]


def validation_cases(cases: HeldOut) -> ValidationCases:
    """What the loop chooses the epoch by."""
    from bowerbird.training.next_item import ValidationCases

    return ValidationCases(sequence_data(cases.histories), cases.target, cases.seen_out)


def sequence_data_of(events: Interactions, *, times: bool) -> SequenceData:
    """All events of every user as sequences to learn from."""
    from bowerbird.training.batches import Ragged
    from bowerbird.training.next_item import SequenceData

    sequences, order = Ragged.of_users(events.users, events.users_total)
    if events.at is None or not times:
        return SequenceData(sequences, events.items[order])
    at = events.at[order]
    gap = np.diff(at, prepend=at[:1])
    firsts = sequences.bounds[:-1][sequences.lengths > 0]
    gap[firsts] = 0
    waits = np.full(at.size, -1, dtype=np.int64)
    waits[:-1] = gap[1:]
    waits[sequences.bounds[1:][sequences.lengths > 0] - 1] = -1
    return SequenceData(sequences, events.items[order], gap_buckets(gap), waits, at)


def sequence_data(histories: Histories) -> SequenceData:
    """Histories to answer for; the last event's wait is the time to the question."""
    from bowerbird.training.batches import Ragged
    from bowerbird.training.next_item import SequenceData

    sequences, _ = Ragged.of_users(histories.users, histories.users_total)
    if histories.at is None:
        return SequenceData(sequences, histories.items)
    gap = np.diff(histories.at, prepend=histories.at[:1])
    some = sequences.lengths > 0
    gap[sequences.bounds[:-1][some]] = 0
    waits = np.zeros(gap.size, dtype=np.int64)
    if histories.asked_at is not None:
        lasts = sequences.bounds[1:][some] - 1
        waits[lasts] = np.maximum(histories.asked_at[some] - histories.at[lasts], 0)
    return SequenceData(sequences, histories.items, gap_buckets(gap), waits, histories.at)
