"""What a failure looks like from outside and in the log."""

from __future__ import annotations

import logging

import anyio
from fastapi import FastAPI, Request

from bowerbird.serving.failures import install_failures


def test_a_caller_who_hangs_up_while_sending_leaves_no_stack_trace(caplog):
    app = FastAPI()
    install_failures(app)

    @app.post("/")
    async def take(request: Request) -> int:
        return len(await request.body())

    sent = []

    async def receive():
        return {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": [], "app": app}
    with caplog.at_level(logging.ERROR):
        anyio.run(app, scope, receive, send)
    assert sent[0]["status"] == 400
    assert caplog.records == []
