"""What is known of a person or an item, for people to look at."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np

from bowerbird.clock import format_time
from bowerbird.errors import NotFoundError
from bowerbird.pipeline.release import Release
from bowerbird.pipeline.understanding import person_context
from bowerbird.records.event import ACTIONS
from bowerbird.records.history import History
from bowerbird.records.portrait import ItemSignal
from bowerbird.records.request import Request
from bowerbird.serving.live import LiveWorkspace
from bowerbird.serving.replies import ItemCards
from bowerbird.users.interests import Exposure, interest_profile, node_popularity
from bowerbird.users.states import STATES, activity_states
from bowerbird.workspace.portraits import Portraits

SHOWN_STEPS = 60
SHOWN_EVIDENCE = 12
SHOWN_RELATIVES = 24


@dataclass(frozen=True)
class Crowd:
    """Everybody at one time: computed once for many pages."""

    release: Release
    as_of: int
    states: np.ndarray
    events: np.ndarray
    positives: np.ndarray
    popularity: np.ndarray | None


class Profiles:
    """Pages' data about people and items of a live workspace.

    Args:
        live: what is looked at.
    """

    def __init__(self, live: LiveWorkspace) -> None:
        self._live = live
        self._guard = threading.Lock()
        self._crowd: Crowd | None = None
        self._portraits: tuple[Release, Portraits] | None = None

    def people(self, text: str, state: str | None, offset: int, limit: int) -> dict[str, Any]:
        """A page of the list of people, most active first.

        Args:
            text: part of the ids wanted, any case; all when empty.
            state: only people in this state.
            offset: people left out at the top.
            limit: most people on the page.

        Raises:
            NotFoundError: the state does not exist.
        """
        if state is not None and state not in STATES:
            raise NotFoundError(f"state {state!r} does not exist; known: {', '.join(STATES)}")
        crowd = self._now()
        ids = crowd.release.people.ids
        wanted = np.ones(len(ids), dtype=bool) if state is None else crowd.states == STATES.index(state)
        if text:
            wanted &= np.fromiter((text.lower() in name.lower() for name in ids), dtype=bool, count=len(ids))
        rows = np.flatnonzero(wanted)
        rows = rows[np.argsort(-crowd.positives[rows], kind="stable")]
        counts = {name: int((crowd.states == code).sum()) for code, name in enumerate(STATES)}
        page = [_person_row(crowd, ids[row], row) for row in rows[offset : offset + limit].tolist()]
        return {"total": len(rows), "of": len(ids), "states": counts, "people": page}

    def person(self, user_id: str) -> dict[str, Any]:
        """One person: facts, state, interests with evidence, what they did and refused.

        Raises:
            NotFoundError: nobody has that id.
        """
        crowd = self._now()
        release, as_of, cards = crowd.release, crowd.as_of, self._live.edition.cards
        row = release.people.row(user_id)
        context = person_context(
            release, Request("homefeed", as_of, user_id=user_id), row, with_interests=True
        )
        known = self._live.edition.users.vocabulary
        facts = self._live.edition.users[known.row(user_id)] if user_id in known else None
        newest = context.history.last(SHOWN_STEPS)
        return {
            **_person_row(crowd, user_id, row),
            "country": facts.country if facts else None,
            "locale": facts.locale if facts else None,
            "attributes": facts.attributes if facts else {},
            "as_of": format_time(as_of),
            "interests": _interests(crowd, row, context.history, cards),
            "clusters": [
                {
                    "importance": one.importance,
                    "medoid": cards[one.medoid],
                    "members": [cards[member] for member in one.members[:SHOWN_EVIDENCE]],
                }
                for one in context.interests
            ],
            "history": _steps(newest, cards)[::-1],
            "hidden": [cards[item] for item in context.hidden[-SHOWN_STEPS:].tolist()],
            "shown_lately": len(context.shown),
        }

    def item(self, item_id: str) -> dict[str, Any]:
        """One item: facts, interests, counts, near-duplicates, and every signal with what it rests on.

        Raises:
            NotFoundError: the catalogue has no such item.
        """
        edition = self._live.edition
        release, cards = edition.release, edition.cards
        row = release.item_row(item_id)
        item = release.items[row]
        group = np.flatnonzero(release.duplicate_of == release.duplicate_of[row])
        portrait = self._portraits_of(release).of(item_id, self._live.now)
        interests = release.interests.of_item(row) if release.interests is not None else ()
        return {
            **cards[row],
            "description": item.description,
            "created_at": format_time(item.created_at) if item.created_at is not None else None,
            "creator_id": item.creator_id,
            "brand": item.brand,
            "attributes": item.attributes,
            "url": item.url,
            "campaign_id": item.campaign_id,
            "interests": [{"path": path, "score": score} for path, score in interests],
            "counts": dict(portrait.counts),
            "collections": portrait.collections,
            "near_duplicates": [cards[one] for one in group.tolist() if one != row][:SHOWN_RELATIVES],
            "signals": [_signal(one, cards) for one in portrait.signals],
        }

    def _portraits_of(self, release: Release) -> Portraits:
        """Readers of a release's signals; their tables are read once for each release."""
        with self._guard:
            if self._portraits is None or self._portraits[0] is not release:
                self._portraits = (release, Portraits(self._live.workspace.workbench(), release))
            return self._portraits[1]

    def _now(self) -> Crowd:
        """Everybody now; computed again only when time or the release moved."""
        release, as_of = self._live.edition.release, self._live.now
        with self._guard:
            crowd = self._crowd
            if crowd is None or crowd.release is not release or crowd.as_of != as_of:
                sequences = release.sequences.whole()
                people = len(release.people)

                def count(owners: np.ndarray) -> np.ndarray:
                    return np.bincount(owners, minlength=people)

                labels = release.interests
                crowd = self._crowd = Crowd(
                    release,
                    as_of,
                    activity_states(sequences, as_of),
                    count(sequences.activity.owners()),
                    count(sequences.positives.owners()),
                    node_popularity(sequences, labels, as_of) if labels is not None else None,
                )
            return crowd


def _person_row(crowd: Crowd, user_id: str, row: int) -> dict[str, Any]:
    code = int(crowd.states[row])
    return {
        "user_id": user_id,
        "state": STATES[code] if code >= 0 else None,
        "events": int(crowd.events[row]),
        "actions": int(crowd.positives[row]),
    }


def _interests(crowd: Crowd, row: int, history: History, cards: ItemCards) -> list[dict[str, Any]]:
    labels = crowd.release.interests
    if labels is None or crowd.popularity is None:
        return []
    exposure = Exposure.of(crowd.release.sequences, row, crowd.as_of)
    found = interest_profile(history, labels, crowd.as_of, crowd.popularity, exposure)
    return [
        {
            "path": one.node,
            "name": one.name,
            "weight": one.weight,
            "lift": one.lift,
            "events": len(one.evidence),
            "searches": len(one.searched_at),
            "evidence": [cards[item] for item in dict.fromkeys(one.evidence.rows[::-1].tolist())][
                :SHOWN_EVIDENCE
            ],
        }
        for one in found
    ]


def _signal(signal: ItemSignal, cards: ItemCards) -> dict[str, Any]:
    return {
        "name": signal.name,
        "kind": signal.kind,
        "version": signal.version,
        "producer": signal.producer,
        "as_of": format_time(signal.as_of),
        "space": signal.space,
        "facts": [
            {
                "name": fact.name,
                "value": fact.value,
                "confidence": fact.confidence,
                "abstained": fact.abstained,
                "details": dict(fact.details),
                "evidence": [
                    {**cards.of(one.item_id), "similarity": one.similarity}
                    for one in fact.evidence
                    if one.item_id in cards.release.row_of
                ],
            }
            for fact in signal.facts
        ],
    }


def _steps(history: History, cards: ItemCards) -> list[dict[str, Any]]:
    columns = (history.rows.tolist(), history.at.tolist(), history.actions.tolist())
    return [
        {**cards[row], "at": format_time(at), "action": ACTIONS[code]}
        for row, at, code in zip(*columns, strict=True)
    ]
