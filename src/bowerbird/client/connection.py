"""How the client reaches a server: one address, one key, connections kept open, failures as our own errors."""

from __future__ import annotations

import http.client
import json
import secrets
import threading
import time
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from bowerbird.errors import BusyError, InputError, NotFoundError, StorageError

TRIES = 3
"""How often a request is sent that the server was too busy for."""
MOST_WAIT_S = 5.0
"""Longest pause before another try, whatever ``Retry-After`` says."""

CLOSED = (ConnectionError, http.client.CannotSendRequest)
"""What a connection ends in that was closed while idle, or under a request: worth a second one."""
SENT_AGAIN = ("GET", "POST")
"""What is sent again when its connection was closed: POST too, because the client names what would count twice."""


def named(question: Mapping[str, Any]) -> dict[str, Any]:
    """A question with an id, so that sent again it is the same one: it reserves money once and is shown once.

    Example:
        >>> sorted(named({"user": "u17"})), named({"request_id": "mine"})
        (['request_id', 'user'], {'request_id': 'mine'})
    """
    asked = {name: value for name, value in question.items() if value is not None}
    return {"request_id": secrets.token_hex(8), **asked}


def named_events(events: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Events that count once however often they are sent: those with neither an id nor a time get an id.

    Example:
        >>> [sorted(one) for one in named_events([{"user_id": "u"}, {"user_id": "u", "at": 5}])]
        [['event_id', 'user_id'], ['at', 'user_id']]
    """
    return [
        one
        if one.get("event_id") is not None or one.get("at") is not None
        else {**one, "event_id": secrets.token_hex(8)}
        for one in events
    ]


def quoted(part: str) -> str:
    """An id as a part of a path.

    Example:
        >>> quoted("a/b ?")
        'a%2Fb%20%3F'
    """
    return quote(part, safe="")


class Connection:
    """A server's address. Safe to use from many threads; each keeps a connection of its own.

    Args:
        address: e.g. ``http://localhost:8080``.
        key: an API key; None where the server asks for none.
        timeout_s: how long one answer is waited for.

    Raises:
        InputError: the address is not understood.
    """

    def __init__(self, address: str, key: str | None = None, timeout_s: float = 30.0) -> None:
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InputError(f"server address {address!r}: expected http://HOST:PORT or https://HOST:PORT")
        self._secure, self._host, self._port = parts.scheme == "https", parts.hostname, parts.port
        self._headers = {"authorization": f"Bearer {key}"} if key else {}
        self._timeout_s = timeout_s
        self._own = threading.local()
        self._made: list[http.client.HTTPConnection] = []

    def close(self) -> None:
        """Close the connections of all threads; one that asks again opens its own anew."""
        for one in self._made:
            one.close()

    def ask(
        self, method: str, path: str, query: Mapping[str, Any] | None, body: Mapping[str, Any] | None
    ) -> Any:
        """The JSON of an answer. Fields that are None are not sent.

        A request the server was too busy for (429, 503) is sent again after the pause it asked for, and one whose
        connection was closed at once; one that is waited for in vain is not, nor one that deletes. That is safe
        where the body names what it asks (:func:`named`, :func:`named_events`), as the client's methods do.

        Raises:
            InputError: the server refused the question, or the key.
            NotFoundError: it knows no such thing.
            BusyError: it was too busy, also after some tries.
            StorageError: it failed, or does not answer.
        """
        asked = {name: _text(value) for name, value in (query or {}).items() if value is not None}
        place = f"{path}?{urlencode(asked, doseq=True)}" if asked else path
        text = None if body is None else json.dumps({k: v for k, v in body.items() if v is not None})
        headers = self._headers if text is None else {**self._headers, "content-type": "application/json"}
        status, told, wait_s = 0, {}, 0.0
        for attempt in range(TRIES):
            status, told, wait_s = self._once(method, place, text, headers)
            if status not in (429, 503) or attempt + 1 == TRIES:
                break
            time.sleep(min(wait_s, MOST_WAIT_S))
        if status < 400:
            return told
        message = f"{method} {path}: {told.get('message', status)}"
        kinds = {404: NotFoundError, 429: BusyError, 503: BusyError}
        raise kinds.get(status, InputError if status < 500 else StorageError)(message)

    def _once(
        self, method: str, place: str, text: str | None, headers: dict[str, str]
    ) -> tuple[int, dict[str, Any], float]:
        for fresh in (False, True):
            connection = self._connection()
            try:
                connection.request(method, place, text, headers)
                reply = connection.getresponse()
                return reply.status, json.loads(reply.read()), float(reply.headers.get("retry-after") or 1)
            except (OSError, http.client.HTTPException, ValueError) as error:
                connection.close()
                if fresh or method not in SENT_AGAIN or not isinstance(error, CLOSED):
                    where = f"{self._host}:{self._port}"
                    done = (
                        ""
                        if method in SENT_AGAIN
                        else "; whether it was done is not known: look before you ask again"
                    )
                    raise StorageError(
                        f"{where} does not answer ({error}); is the server running?{done}"
                    ) from error
        raise AssertionError("the loop returns or raises")

    def _connection(self) -> http.client.HTTPConnection:
        kept = getattr(self._own, "connection", None)
        if kept is None:
            kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
            kept = self._own.connection = kind(self._host, self._port, timeout=self._timeout_s)
            self._made.append(kept)
        return kept


def _text(value: Any) -> Any:
    """A value as a query string has it; a list is sent one by one."""
    if isinstance(value, (list, tuple)):
        return [_text(one) for one in value]
    return str(value).lower() if isinstance(value, bool) else str(value)
