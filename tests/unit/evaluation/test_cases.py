"""Test cases: what a request may know, and what counts as right."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from bowerbird.clock import DAY_US
from bowerbird.evaluation.cases import next_cases
from bowerbird.evaluation.window import HeldOut
from bowerbird.pipeline.release import Release
from bowerbird.records.event import Events
from bowerbird.signals.sequences import Sequences


def after(release: Release, *steps: tuple[int, str]) -> Release:
    """The release with saves of one person, each some time after its own end."""
    saves = {
        "event_id": [f"s{number}" for number in range(len(steps))],
        "at": [release.as_of + later for later, _ in steps],
        "user_id": ["u0"] * len(steps),
        "item_id": [item for _, item in steps],
        "action": ["save"] * len(steps),
    }
    events = Events(pa.table(saves))
    return replace(release, sequences=Sequences.from_events(events, release.people, release.items.vocabulary))


def window(release: Release) -> HeldOut:
    begins = np.full(len(release.people), release.as_of, dtype=np.int64)
    return HeldOut(begins, release.as_of, release.as_of + 9 * DAY_US, False, "by hand")


@pytest.mark.parametrize(
    ("gap", "found"),
    [(0, 0), (1, 1), (DAY_US, 1), (DAY_US + 1, 0)],
    ids=["same time", "next", "a day", "later"],
)
def test_the_target_comes_after_the_anchor_and_within_a_day(small: Release, gap: int, found: int):
    release = after(small, (5, "i0"), (5 + gap, "i2"))
    cases = next_cases(release, window(release), "related", "organic", seed=7)
    assert len(cases) == found
    for case in cases:
        assert (case.request.item_id, case.targets.tolist()) == ("i0", [2])
        assert release.sequences.history(0, case.request.as_of).rows.tolist() == [
            0
        ]  # the target is not known yet
