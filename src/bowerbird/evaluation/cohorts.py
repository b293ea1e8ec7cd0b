"""Cohorts: the people and items a mean over everybody hides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from bowerbird.evaluation.cases import Case
from bowerbird.evaluation.window import HeldOut
from bowerbird.metrics.catalogue import tail_items
from bowerbird.pipeline.release import Release
from bowerbird.records.event import POSITIVE_ACTIONS
from bowerbird.users.states import STATES, activity_states

NEW_BELOW = 5
"""A person with fewer positive events than this before the request is new."""
HEAD = 0.2
"""The most popular share of items; the rest is the tail."""


@dataclass(frozen=True)
class Cohorts:
    """Masks over people's cases and over target items.

    Args:
        people: per cohort, which cases belong to it.
        items: per cohort, which items count as targets.
        about: per cohort, its definition.
    """

    people: Mapping[str, Bool[np.ndarray, "case"]]
    items: Mapping[str, Bool[np.ndarray, "item"]]
    about: Mapping[str, str]


def cohorts(release: Release, window: HeldOut, cases: Sequence[Case]) -> Cohorts:
    """The cohorts of some cases, everything as of the moment the models stopped learning.

    Args:
        release: who did what, whole; only what lies before the test is read.
        window: the test.
        cases: requests, in the order of the masks.
    """
    before = np.array(
        [len(release.sequences.history(case.user_row, case.request.as_of)) for case in cases], dtype=np.int64
    )
    people = {"new people": before < NEW_BELOW}
    about = {
        "new people": f"fewer than {NEW_BELOW} positive events before the request",
        "tail items": f"targets outside the most popular {HEAD:.0%} before the test",
        "cold items": "targets without any positive event before the test",
    }
    if not window.leave_one_out:
        states = activity_states(release.sequences.whole(), window.split_at)
        rows = np.array([case.user_row for case in cases], dtype=np.int64)
        people["dormant people"] = states[rows] == STATES.index("dormant")
        about["dormant people"] = "seen before, but not in the 28 days before the test"
    counts = release.counts.totals(POSITIVE_ACTIONS, np.iinfo(np.int64).min, window.split_at)
    if (
        window.leave_one_out
    ):  # each person has a test of their own: popularity is that of everything but the targets
        counts = release.counts.totals(POSITIVE_ACTIONS, np.iinfo(np.int64).min, window.until)
        for case in cases:
            counts[case.targets] -= 1
    items = {"tail items": tail_items(counts, HEAD), "cold items": counts == 0}
    return Cohorts(people, items, about)
