"""Counters and latencies for Prometheus. Each application has a registry of its own."""

from __future__ import annotations

import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LATENCY_BOUNDS_S = (0.002, 0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


class Telltale:
    """What the server counts.

    Labels have few values by construction: the route's template, never the path a client chose.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.seconds = Histogram(
            "bowerbird_request_seconds",
            "Seconds from request to reply",
            ("route", "status"),
            buckets=LATENCY_BOUNDS_S,
            registry=self.registry,
        )
        self.in_flight = Gauge(
            "bowerbird_requests_in_flight", "Requests being answered", registry=self.registry
        )
        self.events = Counter("bowerbird_events", "Events received", ("outcome",), registry=self.registry)
        self.release = Gauge(
            "bowerbird_release", "The release that answers", ("version",), registry=self.registry
        )

    def show_release(self, version: str) -> None:
        """Name the release that answers."""
        self.release.clear()
        self.release.labels(version).set(1)

    def page(self) -> bytes:
        """The text Prometheus scrapes."""
        return generate_latest(self.registry)


class Measured:
    """Times every request by route and status. Outermost, so that refusals count too.

    Args:
        app: what is measured.
        telltale: where it is counted.
    """

    def __init__(self, app: ASGIApp, telltale: Telltale) -> None:
        self._app = app
        self._telltale = telltale

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
            self._telltale.seconds.labels(route, status).observe(time.perf_counter() - began)
