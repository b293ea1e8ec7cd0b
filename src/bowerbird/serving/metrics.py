"""Counters and latencies for Prometheus. Each application has a registry of its own."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bowerbird.serving.logs import REQUESTS
from bowerbird.stores.atomic import runs

requests = logging.getLogger(REQUESTS)

SHARED = "PROMETHEUS_MULTIPROC_DIR"
"""Environment variable that names the folder where workers put their counts; the client library reads it too."""
LATENCY_BOUNDS_S = (0.002, 0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


class Telltale:
    """What the server counts.

    Labels have few values by construction: the route's template, never the path a client chose. Where several
    workers serve, any of them shows the sum of all.
    """

    def __init__(self) -> None:
        self._shared = os.environ.get(SHARED)
        if self._shared:
            _forget_dead(Path(self._shared))
        self._version = ""
        self.registry = CollectorRegistry()
        self.seconds = Histogram(
            "bowerbird_request_seconds",
            "Seconds from request to reply",
            ("route", "status"),
            buckets=LATENCY_BOUNDS_S,
            registry=self.registry,
        )
        self.in_flight = Gauge(
            "bowerbird_requests_in_flight",
            "Requests being answered",
            registry=self.registry,
            multiprocess_mode="livesum",
        )
        self.events = Counter("bowerbird_events", "Events received", ("outcome",), registry=self.registry)
        self.degraded = Counter(
            "bowerbird_degraded_answers",
            "Answers that lacked the online state and say so",
            registry=self.registry,
        )
        self.release = Gauge(
            "bowerbird_release",
            "Processes that answer from a release",
            ("version",),
            registry=self.registry,
            multiprocess_mode="livesum",
        )

    def show_release(self, version: str) -> None:
        """Name the release that answers."""
        if self._version:
            self.release.labels(self._version).set(0)
        self.release.labels(version).set(1)
        self._version = version

    def page(self) -> bytes:
        """The text Prometheus scrapes."""
        if not self._shared:
            return generate_latest(self.registry)
        everybody = CollectorRegistry()
        MultiProcessCollector(everybody, self._shared)
        return generate_latest(everybody)


def _forget_dead(folder: Path) -> None:
    """What a killed worker had in hand is in nobody's hand."""
    for path in folder.glob("gauge_live*.db"):
        number = path.stem.rpartition("_")[2]
        if number.isdigit() and not runs(int(number)):
            mark_process_dead(int(number), str(folder))


class Measured:
    """Times every request by route and status. Outermost, so that refusals count too.

    Args:
        app: what is measured.
        telltale: where it is counted.
        lines: whether each request is a line of the log too.
    """

    def __init__(self, app: ASGIApp, telltale: Telltale, *, lines: bool = False) -> None:
        self._app = app
        self._telltale = telltale
        self._lines = lines

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), "500"

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        self._telltale.in_flight.inc()
        try:
            await self._app(scope, receive, noting)
        finally:
            self._telltale.in_flight.dec()
            route = getattr(scope.get("route"), "path", None) or "other"
            seconds = time.perf_counter() - began
            self._telltale.seconds.labels(route, status).observe(seconds)
            if self._lines:
                caller = scope.get("bowerbird.caller")
                told = {
                    "route": route,
                    "status": int(status),
                    "ms": round(1000 * seconds, 1),
                    "caller": caller,
                }
                requests.info("request", extra=told)
