"""How the client's connection takes a server that closes, and one that says nothing."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest

from bowerbird.client.connection import Connection
from bowerbird.errors import StorageError

REPLY = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"


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
                    read.append(asked.recv(65536))
                    behave(len(read), asked)

        threading.Thread(target=run, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", read
        server.shutdown(socket.SHUT_RDWR)


def test_a_connection_that_was_closed_is_opened_again_once():
    with listening(lambda number, asked: asked.sendall(REPLY) if number > 1 else None) as (address, read):
        with closing(Connection(address)) as connection:
            assert connection.ask("GET", "/healthz", None, None) == {}
        assert len(read) == 2


def test_a_question_nobody_answers_in_time_is_not_sent_twice():
    waited = threading.Event()
    with listening(lambda number, asked: waited.wait(5) and None) as (address, read):
        connection = Connection(address, timeout_s=0.2)
        with closing(connection), pytest.raises(StorageError, match="does not answer"):
            connection.ask("POST", "/v1/ads", None, {"user": "u"})
        assert len(read) == 1
        waited.set()
