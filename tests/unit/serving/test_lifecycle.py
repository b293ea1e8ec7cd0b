"""Connections are closed where that helps, and only there."""

from __future__ import annotations

from unittest.mock import create_autospec

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from bowerbird.serving.lifecycle import ClosingConnections, Lifecycle


@pytest.mark.parametrize(("draining", "expected"), [(False, [False, False, True, False]), (True, [True] * 4)])
def test_every_so_many_replies_one_client_is_asked_to_connect_anew_and_all_are_while_the_server_ends(
    draining: bool, expected: list[bool]
) -> None:
    async def answer(request: Request) -> PlainTextResponse:
        return PlainTextResponse("yes")

    lifecycle = create_autospec(Lifecycle, instance=True, draining=draining)
    app = Starlette(
        routes=[Route("/", answer)], middleware=[Middleware(ClosingConnections, lifecycle=lifecycle, every=3)]
    )
    replies = [TestClient(app).get("/") for _ in range(4)]
    assert [reply.headers.get("connection") == "close" for reply in replies] == expected
