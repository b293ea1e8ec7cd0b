"""Test cases: requests as people made them, each with the items that turned out to be right.

At most one case per person and surface, so that people are what the intervals are over.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Int32

from bowerbird.clock import DAY_US
from bowerbird.evaluation.window import HeldOut
from bowerbird.pipeline.release import Release
from bowerbird.randomness import generator
from bowerbird.records.event import POSITIVE_ACTIONS, Events
from bowerbird.records.history import History
from bowerbird.records.request import Request
from bowerbird.signals.sequences import vocabulary_rows

TARGET_DAYS = 7
"""Homefeed is right about what a person first engages with in this many days after the request."""
NEXT_DAYS = 1
"""Related and shopping are right about the next thing within this many days."""
EVER = np.iinfo(np.int64).min
"""Since ever."""


@dataclass(frozen=True)
class Case:
    """A request and what turned out to be right."""

    request: Request
    user_row: int
    targets: Int32[np.ndarray, "target"]


def homefeed_cases(release: Release, window: HeldOut) -> list[Case]:
    """Each person's first request in the test: targets are the eligible items first engaged with in seven days.

    Items the person engaged with before are no targets. Without times, the last positive event is the target.
    """
    track, cases = release.sequences.whole().activity, []
    for row, user_id in enumerate(release.people.ids):
        begins = int(window.begins[row])
        own = track.at[track.span(row, window.until, begins)]
        if len(own) == 0:
            continue
        at = begins if window.leave_one_out else int(own[0])
        until = window.until if window.leave_one_out else at + TARGET_DAYS * DAY_US
        done = _positives(release, row, at, until).rows
        before = _positives(release, row, EVER, at).rows
        targets = np.setdiff1d(done, before)
        targets = targets[release.eligible("organic", at)[targets]]
        if len(targets):
            request = Request("homefeed", at, user_id=user_id)
            cases.append(Case(request, row, targets.astype(np.int32)))
    return cases


def next_cases(release: Release, window: HeldOut, surface: str, eligible: str, seed: int) -> list[Case]:
    """A positive event as the anchor; the target is the person's next one, of another item, later within a day.

    One pair per person, drawn by the seed. The request is made just after the anchor's event.

    Args:
        release: who did what.
        window: the test.
        surface: ``related`` or ``shopping``.
        eligible: which items may be targets.
        seed: of the draw.
    """
    ids, cases = release.items.vocabulary.ids, []
    for row, user_id in enumerate(release.people.ids):
        steps = _steps(release, row, window)
        pairs = list(_pairs(steps, release, eligible, None if window.leave_one_out else NEXT_DAYS * DAY_US))
        if not pairs:
            continue
        draw = 0 if len(pairs) == 1 else int(generator(seed, surface, user_id).integers(len(pairs)))
        anchor, at, target = pairs[draw]
        request = Request(surface, at + 1, user_id=user_id, item_id=ids[anchor])
        cases.append(Case(request, row, np.array([target], dtype=np.int32)))
    return cases


def _steps(release: Release, row: int, window: HeldOut) -> History:
    """A person's positive events of the test; without times, the last two items."""
    if not window.leave_one_out:
        return _positives(release, row, int(window.begins[row]), window.until)
    return _positives(release, row, EVER, window.until)


def _pairs(
    steps: History, release: Release, eligible: str, within_us: int | None
) -> Iterator[tuple[int, int, int]]:
    """Anchor, time of the anchor's last action, and the next item; only the last pair where times are an order."""
    changes = np.flatnonzero(steps.rows[1:] != steps.rows[:-1])
    for place in (changes if within_us is not None else changes[-1:]).tolist():
        at, target = int(steps.at[place]), int(steps.rows[place + 1])
        # at an equal time (data that knows only days) a request just after the anchor has seen the target
        near = within_us is None or 0 < int(steps.at[place + 1]) - at <= within_us
        if near and release.eligible(eligible, at + 1)[target]:
            yield int(steps.rows[place]), at, target


def search_cases(release: Release, window: HeldOut, events: Events, seed: int) -> list[Case]:
    """Logged queries with the items the person opened in their answers; one query per person.

    The words, not the time between, tie actions to queries: an action carries its query, or the request
    id of an answer that does.
    """
    table = events.table.filter(pc.greater_equal(events.table.column("at"), window.split_at))
    asked = table.filter(pc.greater(pc.utf8_length(pc.fill_null(table.column("query"), "")), 0))
    if window.leave_one_out or len(asked) == 0:
        return []
    users = vocabulary_rows(asked.column("user_id"), release.people)
    items = vocabulary_rows(asked.column("item_id"), release.items.vocabulary)
    liked = pc.is_in(asked.column("action"), value_set=pa.array(POSITIVE_ACTIONS)).to_numpy()
    at, queries = asked.column("at").to_numpy(), asked.column("query").to_pylist()
    requests = pc.fill_null(asked.column("request_id"), "").to_pylist()
    found: dict[int, dict[tuple[str, str], tuple[int, set[int]]]] = {}
    for place, user in enumerate(users.tolist()):
        if user < 0:
            continue
        began, targets = found.setdefault(user, {}).setdefault(
            (requests[place], queries[place]), (int(at[place]), set())
        )
        if liked[place] and items[place] >= 0 and release.eligible("organic", began)[items[place]]:
            targets.add(int(items[place]))
    cases = []
    for user, own in sorted(found.items()):
        answered = [(key[1], began, targets) for key, (began, targets) in own.items() if targets]
        if answered:
            user_id = release.people.id(user)
            text, began, targets = answered[int(generator(seed, "search", user_id).integers(len(answered)))]
            request = Request("search", began, user_id=user_id, query=text)
            cases.append(Case(request, user, np.array(sorted(targets), dtype=np.int32)))
    return cases


def sampled(
    cases: Sequence[Case], most: int, seed: int, first: Bool[np.ndarray, "case"] | None = None
) -> list[Case]:
    """At most ``most`` cases drawn by a seed, in their order; those marked ``first`` are all kept up to it.

    Example:
        >>> sampled([], 5, seed=1)
        []
    """
    if len(cases) <= most:
        return list(cases)
    order = generator(seed, "cases").permutation(len(cases))
    if first is not None:
        order = np.concatenate([order[first[order]], order[~first[order]]])
    return [cases[place] for place in sorted(order[:most].tolist())]


def _positives(release: Release, row: int, since: int, until: int) -> History:
    track = release.sequences.whole().positives
    span = track.span(row, until, since)
    return History(track.rows[span], track.at[span], track.actions[span])
