"""Growth: whom to notify today, with which items, under a budget.

A message to somebody who would have come anyway gains nothing, and one to somebody who will not
answer gains nothing either. The budget goes where ``(1 - p_return) * p_response`` is largest.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int8

from bowerbird.clock import DAY_US
from bowerbird.errors import InputError, NotReadyError
from bowerbird.pipeline.release import Release
from bowerbird.pipeline.runner import Pipeline
from bowerbird.records.request import Request
from bowerbird.records.slate import Notification, NotificationPlan, Slate
from bowerbird.signals.tracks import Track
from bowerbird.users.returns import ReturnModel
from bowerbird.users.states import STATES, activity_states

ITEMS_PER_MESSAGE = 3
SHORTLIST = 3
"""Slates are made for this many times the budget; the rest cannot reach the plan."""
QUIET_DAYS = 3
"""Nobody gets a second message within this many days."""
PRIOR_RESPONSE = 0.01
"""Everybody's response rate where no impressions tell it; the plan says so."""
PRIOR_IMPRESSIONS = 50.0
"""Impressions' worth of belief in everybody's response rate when one person's is estimated."""


@dataclass(frozen=True)
class People:
    """What growth knows of everybody on one day."""

    states: Int8[np.ndarray, "user"]
    p_return: Float32[np.ndarray, "user"]
    response: Float32[np.ndarray, "user"]
    """Share of impressions a person opens, shrunken towards everybody's."""


class GrowthPlanner:
    """Plans one day's notifications.

    Args:
        release: people and their histories.
        homefeed: gives each person the items to send.
    """

    def __init__(self, release: Release, homefeed: Pipeline) -> None:
        self._release = release
        self._homefeed = homefeed

    def plan(self, budget: int, as_of: int) -> NotificationPlan:
        """At most ``budget`` notifications, largest gain first.

        Args:
            budget: messages that may be sent, 0 or more.
            as_of: when, microseconds UTC.

        Raises:
            InputError: the budget is negative.
        """
        if budget < 0:
            raise InputError(f"budget = {budget}: expected 0 or more notifications")
        release = self._release
        request_id = f"growth-{release.version}-{as_of}-{budget}"
        if release.logical_time or not len(release.sequences.whole().activity):
            why = "events have an order but no times" if release.logical_time else "no events were imported"
            return NotificationPlan(request_id, as_of, budget, (), 0, {}, (f"growth cannot answer: {why}",))
        people, notes = self._people(as_of)
        held_back: Counter[str] = Counter()
        seen = people.states >= 0
        held_back["never seen before this time"] = int((~seen).sum())
        quiet = self._messaged_lately(as_of)
        held_back[f"got a message in the last {QUIET_DAYS} days"] = int((quiet & seen).sum())
        gain = np.where(seen & ~quiet, (1 - people.p_return) * people.response, -1.0)
        shortlist = np.argsort(-gain, kind="stable")[: SHORTLIST * budget]
        shortlist = shortlist[gain[shortlist] > 0]
        held_back["less gain than others"] = int((gain > 0).sum()) - len(shortlist)
        drafts = [
            draft for row in shortlist.tolist() if (draft := self._draft(row, people, as_of)) is not None
        ]
        held_back["nothing to send"] = len(shortlist) - len(drafts)
        drafts.sort(key=lambda draft: (-draft.gain, draft.user_id))
        held_back["less gain than others"] += max(len(drafts) - budget, 0)
        reasons = {reason: count for reason, count in held_back.items() if count > 0}
        return NotificationPlan(request_id, as_of, budget, tuple(drafts[:budget]), len(seen), reasons, notes)

    def _draft(self, row: int, people: People, as_of: int) -> Notification | None:
        """What one person would get; None when there is nothing to send."""
        user_id = self._release.people.id(row)
        slate = self._homefeed.answer(Request("homefeed", as_of, user_id=user_id, n=ITEMS_PER_MESSAGE))
        if not slate.entries:
            return None
        p_response = _response(slate, float(people.response[row]))
        p_return = float(people.p_return[row])
        state = STATES[people.states[row]]
        return Notification(
            user_id=user_id,
            item_ids=slate.item_ids,
            state=state,
            p_return=p_return,
            p_response=p_response,
            gain=(1 - p_return) * p_response,
            because=f"{state}: returns by itself with {p_return:.0%}, opens one of {len(slate.entries)} with "
            f"{p_response:.0%}; found by {', '.join(sorted({s.source for e in slate.entries for s in e.because}))}",
        )

    def _people(self, as_of: int) -> tuple[People, tuple[str, ...]]:
        """Everybody's state, return probability and response rate at a time."""
        sequences = self._release.sequences.whole()
        states = activity_states(sequences, as_of)
        notes: tuple[str, ...] = ()
        try:
            p_return = ReturnModel.fitted(sequences, as_of).probabilities(sequences, as_of)
        except NotReadyError as error:
            p_return = np.full(len(states), 0.5, dtype=np.float32)
            notes = (f"every return probability is taken to be one half: {error}",)
        if not (sequences.impressions.at < as_of).any():
            assumed = f"everybody is taken to respond to an item with probability {PRIOR_RESPONSE:.0%}"
            notes += (f"events hold no impressions: {assumed}, so only who would not return alone decides",)
        return People(states, p_return, self._response_rates(as_of)), notes

    def _response_rates(self, as_of: int) -> Float32[np.ndarray, "user"]:
        sequences = self._release.sequences.whole()
        people = len(self._release.people)

        def per_person(track: Track) -> np.ndarray:
            return np.bincount(track.owners()[track.at < as_of], minlength=people).astype(np.float64)

        opened, shown = per_person(sequences.positives), per_person(sequences.impressions)
        if not shown.any():
            return np.full(people, PRIOR_RESPONSE, dtype=np.float32)
        everybody = opened.sum() / max(shown.sum(), 1.0)
        everybody = min(everybody, 1.0) or PRIOR_RESPONSE
        rate = (opened + PRIOR_IMPRESSIONS * everybody) / (shown + PRIOR_IMPRESSIONS)
        return np.minimum(rate, 1.0).astype(np.float32)

    def _messaged_lately(self, as_of: int) -> np.ndarray:
        """Who got a notification lately, by the ``surface`` of their events."""
        users, at = self._release.messages
        recent = (at < as_of) & (at >= as_of - QUIET_DAYS * DAY_US)
        mask = np.zeros(len(self._release.people), dtype=bool)
        mask[users[recent]] = True
        return mask


def _response(slate: Slate, rate: float) -> float:
    """Probability of opening at least one of a slate's items: ``1 - prod(1 - p_i)``.

    ``p_i`` is the ranker's close-up probability; without a ranker, the person's own rate.
    """
    chances = [entry.probabilities.get("closeup", rate) for entry in slate.entries]
    return float(1.0 - np.prod([1.0 - min(max(chance, 0.0), 1.0) for chance in chances]))
