"""Routes about one person: what is understood of them, and what they say to it."""

from __future__ import annotations

import threading
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from bowerbird.clock import format_time
from bowerbird.pipeline.release import Release
from bowerbird.records.person_portrait import PersonPortrait
from bowerbird.serving.asking import FAILURES
from bowerbird.serving.limits import Crew
from bowerbird.serving.live import LiveWorkspace
from bowerbird.serving.replies import ItemCards, json_reply
from bowerbird.serving.wire import Id
from bowerbird.stores.preferences import Preferences, RefusalKind
from bowerbird.workspace.person_portraits import PersonPortraits
from bowerbird.workspace.refusals import refused


class InterestWish(BaseModel):
    """An interest a person mutes, deletes or wants back."""

    model_config = ConfigDict(
        extra="forbid",
        use_attribute_docstrings=True,
        json_schema_extra={"examples": [{"interest": "food/bread"}]},
    )

    interest: Id
    """Path of the category, as in the person's interests."""


class People:
    """What is understood of the people of a live workspace.

    Args:
        live: what is looked at.
    """

    def __init__(self, live: LiveWorkspace) -> None:
        self._live = live
        self._guard = threading.Lock()
        self._portraits: tuple[Release, PersonPortraits] | None = None

    def understood(self, user_id: str) -> dict[str, Any]:
        """One person's portrait with the cards of the items in it.

        Raises:
            NotFoundError: nobody has that id.
        """
        edition = self._live.edition
        with self._guard:
            if self._portraits is None or self._portraits[0] is not edition.release:
                portraits = PersonPortraits(self._live.workspace.workbench(), edition.release)
                self._portraits = (edition.release, portraits)
            portrait = self._portraits[1].of(user_id, self._live.now)
        return portrait_reply(portrait, edition.cards, logical_time=edition.release.logical_time)

    def wish(self, user_id: str, interest: str, wish: RefusalKind | None) -> dict[str, Any]:
        """Mute or delete an interest, or take it back when ``wish`` is None.

        Raises:
            NotFoundError: nobody has that id.
            InputError: no item is under the interest.
            StorageError: the disk refused.
        """
        release = self._live.edition.release
        preferences = release.preferences or Preferences(self._live.workspace.layout.preferences)
        now = refused(release, preferences, user_id, interest, wish, self._live.now - 1)
        return {"user_id": user_id, "refused": {one.interest: one.wish for one in now}}


def people_routes(live: LiveWorkspace, crew: Crew) -> APIRouter:
    """The routes about one person; to be added before the one of the person's own page, which takes any path."""
    router = APIRouter(prefix="/v1/users", tags=["people"], responses=FAILURES)
    people = People(live)

    @router.get(
        "/{user_id:path}/understanding",
        summary="All that is understood of a person: interests with the events they rest on, state, people alike, timeline.",
    )
    async def understanding(user_id: str) -> Response:
        return json_reply(await crew.run(lambda: people.understood(user_id)))

    def add(word: str, wish: RefusalKind | None, about: str) -> None:
        async def say(user_id: str, wanted: InterestWish) -> Response:
            return json_reply(await crew.run(lambda: people.wish(user_id, wanted.interest, wish)))

        path = f"/{{user_id:path}}/interests/{word}"
        router.add_api_route(path, say, methods=["POST"], summary=about, name=f"{word} an interest")

    add("mute", "mute", "Show the person nothing under an interest; the next slate obeys.")
    add("delete", "delete", "Forget an interest: what it rests on no longer counts; the next slate obeys.")
    add("allow", None, "Take a mute or a deletion back.")
    return router


def portrait_reply(portrait: PersonPortrait, cards: ItemCards, *, logical_time: bool) -> dict[str, Any]:
    """A portrait as plain values; times as text where the log has them."""

    def when(at: int) -> str | None:
        return None if logical_time else format_time(at)

    reply = asdict(portrait)
    reply["as_of"] = when(portrait.as_of)
    for interest in reply["interests"]:
        interest["evidence"] = [{**one, "at": when(one["at"])} for one in interest["evidence"]]
    for vector in reply["vectors"]:
        vector["as_of"] = when(vector["as_of"])
    reply["timeline"] = [
        {"since": when(one.since), "until": when(one.until), "counts": dict(one.counts)}
        for one in portrait.timeline
    ]
    named = [proof.item_id for one in portrait.interests for proof in one.evidence]
    named += [item for one in portrait.medoids for item in (one.item_id, *one.members)]
    named += portrait.expected
    reply["items"] = {item_id: cards.of(item_id) for item_id in dict.fromkeys(named)}
    return reply
