"""What one caller may cost: body size, request rate, and questions worked on at the same time."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import anyio
import anyio.to_thread
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bowerbird.errors import BusyError
from bowerbird.serving.failures import reply_failure

KEPT_CALLERS = 10_000
"""Buckets kept; the caller unseen for longest is forgotten first and starts with a full bucket again."""

MOST_DISCARDED = 8
"""A refused body is read to its end, so that whoever sends it gets to read why: at most this many times the limit, ..."""
DISCARDING_S = 10.0
"""... and for at most this long. What sends more finds its connection closed."""

PROBES = ("/healthz", "/readyz")
"""Asked by balancers, often: not counted."""

T = TypeVar("T")


class BodyLimit:
    """Refuses bodies over a size while they arrive, whatever ``Content-Length`` says.

    Args:
        app: what is protected.
        max_bytes: largest body.
    """

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if not declared.isdigit() or len(declared) > 18 or int(declared) > self._max_bytes:
            await self._refuse(scope, receive, send)
            return
        received, whole, too_large, started = 0, False, False, False

        async def counted() -> Message:
            nonlocal received, whole, too_large
            message = await receive()
            received += len(message.get("body", b""))
            whole = not message.get("more_body", False)
            if received > self._max_bytes:
                too_large = True
                return {"type": "http.disconnect"}  # the application stops reading
            return message

        async def unless_too_large(message: Message) -> None:
            nonlocal started
            if too_large and not started:
                return  # whatever the application makes of the cut body is replaced below
            started = True
            await send(message)

        try:
            await self._app(scope, counted, unless_too_large)
        except Exception:
            if not too_large:
                raise
        if too_large and not started:
            await self._refuse(scope, receive, send, whole=whole)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send, *, whole: bool = False) -> None:
        waits = any(name == b"expect" for name, _ in scope["headers"])  # for a word before it sends anything
        if not whole and not waits:
            await self._discard(receive)
        message = f"the request's body is over the limit of {self._max_bytes:,} bytes; send a smaller picture or batch"
        await reply_failure(413, "too_large", message, {"connection": "close"})(scope, receive, send)

    async def _discard(self, receive: Receive) -> None:
        """Read on, keeping nothing: a connection closed with bytes unread is reset, and the answer lost with it."""
        left = MOST_DISCARDED * self._max_bytes
        with anyio.move_on_after(DISCARDING_S):
            while left > 0:
                message = await receive()
                left -= len(message.get("body", b""))
                if not message.get("more_body", False):
                    return


class TokenBuckets:
    """One bucket of requests per caller, refilled at a steady rate.

    Args:
        rate_per_s: requests regained per second.
        burst: requests a full bucket holds.

    Example:
        >>> buckets = TokenBuckets(rate_per_s=2.0, burst=1)
        >>> buckets.wait_s("a", now_s=0.0), buckets.wait_s("a", now_s=0.0), buckets.wait_s("a", now_s=0.5)
        (0.0, 0.5, 0.0)
    """

    def __init__(self, rate_per_s: int | float, burst: int) -> None:
        self._rate = float(rate_per_s)
        self._burst = float(burst)
        self._guard = threading.Lock()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, caller: str, now_s: int | float) -> float:
        """Take one request from a caller's bucket.

        Returns:
            0 when there was one; else the seconds until there will be, and nothing is taken.
        """
        with self._guard:
            left, at = self._buckets.pop(caller, (self._burst, float(now_s)))
            left = min(self._burst, left + (now_s - at) * self._rate)
            granted = left >= 1.0
            self._buckets[caller] = (left - 1.0 if granted else left, float(now_s))
            while len(self._buckets) > KEPT_CALLERS:
                self._buckets.popitem(last=False)
        return 0.0 if granted else (1.0 - left) / self._rate


class RateLimit:
    """Answers 429 with ``Retry-After`` when a caller's bucket is empty. Stands behind the guard of keys.

    Args:
        app: what is protected.
        buckets: one per caller.
    """

    def __init__(self, app: ASGIApp, buckets: TokenBuckets) -> None:
        self._app = app
        self._buckets = buckets

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] == "http" and scope["path"] not in PROBES:
            caller = scope.get("bowerbird.caller") or (scope.get("client") or ("unknown",))[0]
            wait_s = self._buckets.wait_s(caller, time.monotonic())
            if wait_s > 0:
                retry = {"retry-after": str(max(1, round(wait_s + 0.5)))}
                message = f"too many requests from this caller; the next is answered in {wait_s:.1f} s"
                await reply_failure(429, "rate_limited", message, retry)(scope, receive, send)
                return
        await self._app(scope, receive, send)


class Intake:
    """How many events may be on their way to the disk at the same time: beyond it senders are told to wait.

    Args:
        most: events.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._guard = threading.Lock()
        self.waiting = 0
        """Events on their way."""

    @contextmanager
    def taking(self, events: int) -> Iterator[bool]:
        """Whether a batch may come in; it counts while the block runs. A batch alone always may."""
        with self._guard:
            welcome = self.waiting == 0 or self.waiting + events <= self._most
            self.waiting += events if welcome else 0
        try:
            yield welcome
        finally:
            with self._guard:
                self.waiting -= events if welcome else 0


class Crew:
    """The threads that questions, or what takes long, are worked on by, and how many may wait for one.

    Args:
        threads: questions worked on at the same time.
        max_waiting: more than these are turned away.
    """

    def __init__(self, threads: int, max_waiting: int) -> None:
        self._threads = threads
        self._max_waiting = max_waiting
        self._limiter: anyio.CapacityLimiter | None = None

    async def run(self, work: Callable[[], T]) -> T:
        """The result of some work, done in a thread.

        Raises:
            BusyError: too many are waiting already.
        """
        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(self._threads)
        waiting = self._limiter.statistics().tasks_waiting
        if waiting >= self._max_waiting and self._limiter.available_tokens == 0:
            raise BusyError(f"{waiting} questions are waiting already; ask again in a second")
        return await anyio.to_thread.run_sync(work, limiter=self._limiter)
