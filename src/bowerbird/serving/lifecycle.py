"""From start to end of a server process: when it is ready, how it takes a new release, how it leaves.

A balancer asks ``/readyz`` before it sends requests here. On SIGTERM the answer becomes 503 at once, requests
are answered on for ``drain_s`` seconds with connections closed behind them, and only then the server stops
listening: so nobody who asks first loses a request.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from types import FrameType

import anyio.to_thread
from fastapi import FastAPI
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bowerbird.errors import BowerbirdError
from bowerbird.serving.live import LiveWorkspace
from bowerbird.workspace.forgetting import ForgetReport
from bowerbird.workspace.releases import announce, announced

log = logging.getLogger(__name__)

WATCH_S = 0.5
"""How often a worker looks whether another one took a new release."""
CLOSE_EVERY = 200
"""Replies of a worker after which one client is asked to connect anew, so that load spreads over all workers."""


class Lifecycle:
    """What a server process says of itself.

    Args:
        live: what answers.
        switched: called when a release announced elsewhere was taken here.
    """

    def __init__(self, live: LiveWorkspace, switched: Callable[[], None]) -> None:
        self._live = live
        self._switched = switched
        self.settle: Callable[[], object] = lambda: None
        """Called when a release was loaded and the process is about to answer from it."""
        self.draining = False
        """Whether the process is about to end."""
        self._seen = announced(live.workspace.layout)
        self._one_at_a_time = threading.Lock()
        self._refused = ""

    def lacks(self) -> list[str]:
        """Why requests should go elsewhere; empty when the server is ready."""
        found = ["the server is about to end"] if self.draining else []
        return found + ([self._refused] if self._refused else [])

    def announce(self, *, unchecked: bool) -> None:
        """Tell the other processes to take the release that was just taken here."""
        version = self._live.edition.release.version
        self._seen, self._refused = announce(self._live.workspace.layout, version, unchecked=unchecked), ""
        self._switched()
        self.settle()

    def forget(self, user_id: str) -> ForgetReport:
        """Forget a person here; forgetting tells the other processes itself.

        Raises:
            NotFoundError: nobody has that id.
            BusyError: another process holds the workspace.
        """
        with self._one_at_a_time:  # what it announces was taken here already
            report = self._live.forget(user_id)
            self._seen, self._refused = announced(self._live.workspace.layout), ""
        self._switched()
        self.settle()
        return report

    def take_announced(self) -> bool:
        """Take the release another process announced, if there is one; returns whether it was taken.

        A release that is not fit is refused here too: the old one answers on and ``/readyz`` says so.
        """
        with self._one_at_a_time:
            newest = announced(self._live.workspace.layout)
            if newest is None or newest == self._seen:
                return False
            self._seen = newest
            try:
                self._live.reload(unchecked=newest.unchecked)
            except BowerbirdError:
                self._refused = f"release {newest.version} was announced and is not fit to answer here"
                log.exception("release refused", extra={"release": newest.version})
                return False
            self._refused = ""
        self._switched()
        self.settle()
        log.info("release taken", extra={"release": self._live.edition.release.version})
        return True

    def watching(self) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
        """The application's lifespan: follow announcements while it runs."""

        @asynccontextmanager
        async def lifespan(_: FastAPI) -> AsyncIterator[None]:
            log.info("ready", extra={"release": self._live.edition.release.version})
            watch = asyncio.create_task(self._watch())
            try:
                yield
            finally:
                watch.cancel()
                with suppress(asyncio.CancelledError):
                    await watch
                log.info("ended")

        return lifespan

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(WATCH_S)
            try:
                await anyio.to_thread.run_sync(self.take_announced)
            except OSError as error:  # the disk; the next look may succeed
                log.warning("announcements cannot be read", extra={"why": type(error).__name__})

    def drain_on_term(self, drain_s: float) -> None:
        """Let SIGTERM first make the server unready, and end it ``drain_s`` seconds later.

        To be called while the server's own handler is installed: in the lifespan, in the main thread.
        """
        stop = signal.getsignal(signal.SIGTERM)
        loop = asyncio.get_running_loop()

        def begin(number: int, frame: FrameType | None) -> None:
            if not callable(stop):
                return
            if self.draining:  # asked twice: at once
                stop(number, frame)
                return
            self.draining = True
            log.info("draining", extra={"seconds": drain_s})
            loop.call_soon_threadsafe(loop.call_later, drain_s, stop, number, frame)

        signal.signal(signal.SIGTERM, begin)


class ClosingConnections:
    """Asks clients to close their connections: all of them while the server is about to end, else now and then.

    Workers share one socket, and a connection stays with whom it was opened to. Those of a worker that was killed
    move to the others; were they kept for ever, its successor would get next to nothing to do.

    Args:
        app: whose replies.
        lifecycle: knows when the server ends.
        every: replies of this worker from one closed connection to the next.
    """

    def __init__(self, app: ASGIApp, lifecycle: Lifecycle, every: int = CLOSE_EVERY) -> None:
        self._app = app
        self._lifecycle = lifecycle
        self._every, self._replies = every, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        self._replies += 1
        close = self._lifecycle.draining or self._replies % self._every == 0

        async def closing(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["connection"] = "close"
            await send(message)

        await self._app(scope, receive, closing if close else send)
