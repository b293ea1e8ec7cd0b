"""One method for each route of the server. Written by docs/client_text.py."""

from __future__ import annotations

from typing import Any, Unpack

from bowerbird.client.connection import Connection, named, named_events, quoted
from bowerbird.client.types import (
    EventForm,
    EventsReply,
    ForgetReport,
    Health,
    PlanReply,
    Question,
    Readiness,
    Refusals,
    Reloaded,
    SlateReply,
    WhyNot,
)


class Client:
    """A client of a Bowerbird server. Every method raises ``bowerbird.errors`` for what the server refuses.

    Args:
        connection: how the server is reached.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def close(self) -> None:
        """Close the connections; asking again opens new ones."""
        self._connection.close()

    def homefeed(self, **question: Unpack[Question]) -> SlateReply:
        """What should this person see now."""
        return self._connection.ask("POST", "/v1/homefeed", None, named(question))

    def related(self, **question: Unpack[Question]) -> SlateReply:
        """What goes with this item."""
        return self._connection.ask("POST", "/v1/related", None, named(question))

    def search(self, **question: Unpack[Question]) -> SlateReply:
        """What answers these words, this picture, or both."""
        return self._connection.ask("POST", "/v1/search", None, named(question))

    def shopping(self, **question: Unpack[Question]) -> SlateReply:
        """Which products are in or like this picture, and what goes with them."""
        return self._connection.ask("POST", "/v1/shopping", None, named(question))

    def ads(self, **question: Unpack[Question]) -> SlateReply:
        """Which ads, for whom, at what price. Showing one reserves its price."""
        return self._connection.ask("POST", "/v1/ads", None, named(question))

    def growth(self, *, budget: int | None = None, as_of: str | None = None) -> PlanReply:
        """Whom to notify today, with which items, under a budget."""
        return self._connection.ask("POST", "/v1/growth", None, {"budget": budget, "as_of": as_of})

    def why_not(self, surface: str, item_id: str, **question: Unpack[Question]) -> WhyNot:
        """Why an item is not in the slate a question gets: the stage it ended at, and how near it came."""
        return self._connection.ask("GET", f"/v1/why-not/{quoted(surface)}/{quoted(item_id)}", question, None)

    def explain(self, request_id: str) -> SlateReply:
        """Why a slate is what it is: sources, evidence, terms, what was dropped, what each stage did."""
        return self._connection.ask("GET", f"/v1/explain/{quoted(request_id)}", None, None)

    def understanding(self, user_id: str) -> dict[str, Any]:
        """All that is understood of a person: interests with the events they rest on, state, people alike, timeline."""
        return self._connection.ask("GET", f"/v1/users/{quoted(user_id)}/understanding", None, None)

    def mute_interest(self, user_id: str, *, interest: str) -> Refusals:
        """Show the person nothing under an interest; the next slate obeys."""
        return self._connection.ask(
            "POST", f"/v1/users/{quoted(user_id)}/interests/mute", None, {"interest": interest}
        )

    def delete_interest(self, user_id: str, *, interest: str) -> Refusals:
        """Forget an interest: what it rests on no longer counts; the next slate obeys."""
        return self._connection.ask(
            "POST", f"/v1/users/{quoted(user_id)}/interests/delete", None, {"interest": interest}
        )

    def allow_interest(self, user_id: str, *, interest: str) -> Refusals:
        """Take a mute or a deletion back."""
        return self._connection.ask(
            "POST", f"/v1/users/{quoted(user_id)}/interests/allow", None, {"interest": interest}
        )

    def workspace(self) -> dict[str, Any]:
        """What this server serves."""
        return self._connection.ask("GET", "/v1/workspace", None, None)

    def signals(self) -> dict[str, Any]:
        """Every live signal and model."""
        return self._connection.ask("GET", "/v1/signals", None, None)

    def users(
        self,
        *,
        query: str | None = None,
        state: str | None = None,
        offset: int | None = None,
        limit: int | None = None,
    ) -> dict[str, Any]:
        """A page of the people, most active first."""
        return self._connection.ask(
            "GET", "/v1/users", {"query": query, "state": state, "offset": offset, "limit": limit}, None
        )

    def user(self, user_id: str) -> dict[str, Any]:
        """One person: state, interests with evidence, history."""
        return self._connection.ask("GET", f"/v1/users/{quoted(user_id)}", None, None)

    def forget_user(self, user_id: str) -> ForgetReport:
        """Forget a person: log, signals, caches, slates. Says what is pending until the next build."""
        return self._connection.ask("DELETE", f"/v1/users/{quoted(user_id)}", None, None)

    def item(self, item_id: str) -> dict[str, Any]:
        """One item: facts, interests, counts, near-duplicates."""
        return self._connection.ask("GET", f"/v1/items/{quoted(item_id)}", None, None)

    def send_events(self, *, events: list[EventForm]) -> EventsReply:
        """Send what people did. When it answers, what was accepted is on the disk and in the next request's history."""
        return self._connection.ask("POST", "/v1/events", None, {"events": named_events(events)})

    def healthz(self) -> Health:
        """Whether the process lives; restart it when this fails."""
        return self._connection.ask("GET", "/healthz", None, None)

    def readyz(self) -> Readiness:
        """Whether requests should be sent here: a release is loaded, warm and current, and the server is not about to end."""
        return self._connection.ask("GET", "/readyz", None, None)

    def reload(self, *, unchecked: bool | None = None) -> Reloaded:
        """Load the newest build, check it beside the one that answers, and swap it in; refused, the old one answers on."""
        return self._connection.ask("POST", "/v1/reload", {"unchecked": unchecked}, None)
