"""How the client's connection takes a server that closes, and one that says nothing."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest

from bowerbird.client import connect
from bowerbird.client.connection import Connection
from bowerbird.errors import StorageError

REPLY = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"


def whole(asked: socket.socket) -> bytes:
    """A request with its body."""
    text = asked.recv(65536)
    head, _, body = text.partition(b"\r\n\r\n")
    length = int(dict(re.findall(rb"(?im)^([a-z-]+): *(.*?)\r?$", head.lower())).get(b"content-length", 0))
    while text and len(body) < length:
        body += asked.recv(65536)
    return head + b"\r\n\r\n" + body


@contextmanager
def listening(behave: Callable[[int, socket.socket], None]) -> Iterator[tuple[str, list[bytes]]]:
    """A server that reads each request and then does as it is told; its address, and what it read."""
    read: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def run() -> None:
            while True:
                try:
                    asked, _ = server.accept()
                except OSError:
                    return
                with asked:
                    read.append(whole(asked))
                    behave(len(read), asked)

        threading.Thread(target=run, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", read
        server.shutdown(socket.SHUT_RDWR)


def test_a_connection_that_was_closed_is_opened_again_once():
    with listening(lambda number, asked: asked.sendall(REPLY) if number > 1 else None) as (address, read):
        with closing(Connection(address)) as connection:
            assert connection.ask("GET", "/healthz", None, None) == {}
        assert len(read) == 2


def test_a_question_and_events_are_the_same_when_they_are_sent_again():
    with listening(lambda number, asked: asked.sendall(REPLY) if number % 2 == 0 else None) as (
        address,
        read,
    ):
        with closing(connect(address)) as client:
            client.ads(user="u")
        with closing(connect(address)) as client:
            client.send_events(events=[{"user_id": "u", "action": "click", "item_id": "i"}])
        bodies = [json.loads(one.partition(b"\r\n\r\n")[2]) for one in read]
        assert bodies[0] == bodies[1]
        assert bodies[0]["request_id"]
        assert bodies[2] == bodies[3]
        assert bodies[2]["events"][0]["event_id"]


def test_what_deletes_is_not_sent_twice():
    with listening(lambda number, asked: None) as (address, read):
        with (
            closing(connect(address)) as client,
            pytest.raises(StorageError, match="whether it was done is not known"),
        ):
            client.forget_user("u")
        assert len(read) == 1


def test_a_question_nobody_answers_in_time_is_not_sent_twice():
    waited = threading.Event()
    with listening(lambda number, asked: waited.wait(5) and None) as (address, read):
        connection = Connection(address, timeout_s=0.2)
        with closing(connection), pytest.raises(StorageError, match="does not answer"):
            connection.ask("POST", "/v1/ads", None, {"user": "u"})
        assert len(read) == 1
        waited.set()
