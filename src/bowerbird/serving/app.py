"""The application: routes, failures, and what stands in front of them."""

from __future__ import annotations

from dataclasses import asdict

import anyio.to_thread
from fastapi import FastAPI, Request
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import bowerbird
from bowerbird.serving.asking import FAILURES, BadJson, asking_routes, bad_json, read_json
from bowerbird.serving.auth import Guard, KeyRing, SameSite
from bowerbird.serving.explanations import KeptSlates, SharedSlates
from bowerbird.serving.failures import install_failures, reply_failure
from bowerbird.serving.ingest import batch_of
from bowerbird.serving.lifecycle import ClosingConnections, Lifecycle
from bowerbird.serving.limits import BodyLimit, Crew, Intake, RateLimit, TokenBuckets
from bowerbird.serving.live import LiveWorkspace
from bowerbird.serving.looking import looking_routes
from bowerbird.serving.metrics import Measured, Telltale
from bowerbird.serving.openapi import complete_openapi
from bowerbird.serving.people import people_routes
from bowerbird.serving.replies import json_reply
from bowerbird.serving.wire import EventBatch, EventsReply, FailureReply, described
from bowerbird.workspace.facade import Workspace
from bowerbird.workspace.settings import ServingSettings

SLATES = "slates.sqlite"
"""In ``state/``: the newest slates of several workers."""
POLICY = (
    "default-src 'none'; img-src 'self' data: blob:; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""What a browser may do with our pages: nothing from elsewhere, no inline script."""


class SafeHeaders:
    """Adds the headers that keep browsers from guessing types and loading strangers' code.

    Args:
        app: whose replies.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("x-content-type-options", "nosniff")
                headers.setdefault("content-security-policy", POLICY)
                headers.setdefault("referrer-policy", "no-referrer")
            await send(message)

        await self._app(scope, receive, with_headers)


def make_app(
    workspace: Workspace,
    settings: ServingSettings | None = None,
    keys: KeyRing | None = None,
    *,
    shared: bool = False,
) -> FastAPI:
    """The HTTP API over a workspace's live build.

    The build is loaded here, so an application that exists is ready.

    Args:
        workspace: what is served.
        settings: the dials.
        keys: who may call; needed when ``settings.require_key``.
        shared: several processes serve the workspace: slates are kept where each can explain them.

    Raises:
        NotReadyError: nothing was built yet.
    """
    settings = settings or workspace.settings.serving
    telltale = Telltale()
    live = LiveWorkspace(workspace, wall_clock=settings.live_clock, record=settings.record_slates)
    live.told_degraded = telltale.degraded.inc
    telltale.show_release(live.edition.release.version)
    most = settings.kept_slates
    kept = SharedSlates(workspace.layout.state / SLATES, most) if shared else KeptSlates(most)
    crew = Crew(settings.threads, settings.max_waiting)

    def switched() -> None:
        kept.clear()
        telltale.show_release(live.edition.release.version)

    lifecycle = Lifecycle(live, switched)
    app = FastAPI(
        title="Bowerbird",
        version=bowerbird.__version__,
        summary=workspace.settings.name,
        description="Ranked, explained answers over content and behaviour.",
        docs_url=None,  # their pages load scripts from elsewhere; the studio has a reference page
        redoc_url=None,
        middleware=_front(settings, keys, telltale, lifecycle),
        lifespan=lifecycle.watching(),
    )
    app.state.lifecycle = lifecycle
    install_failures(app)
    app.add_exception_handler(BadJson, bad_json)
    app.include_router(asking_routes(live, kept, crew, settings.max_budget))
    app.include_router(people_routes(live, crew))
    app.include_router(looking_routes(live, crew))
    _add_events(app, live, crew, telltale, settings)
    # one thread of its own: questions and probes are answered while a release is loaded or somebody is forgotten
    _add_operations(app, live, Crew(1, settings.max_waiting), telltale, lifecycle)
    complete_openapi(app)
    return app


def _front(
    settings: ServingSettings, keys: KeyRing | None, telltale: Telltale, lifecycle: Lifecycle
) -> list[Middleware]:
    """What requests pass before the routes, outermost first."""
    front = [
        Middleware(Measured, telltale=telltale, lines=settings.log_requests),
        Middleware(ClosingConnections, lifecycle=lifecycle),
        Middleware(SafeHeaders),
    ]
    if settings.allowed_hosts:
        front.append(
            Middleware(TrustedHostMiddleware, allowed_hosts=list(settings.allowed_hosts), www_redirect=False)
        )
    front.append(Middleware(SameSite))
    if settings.require_key:
        front.append(Middleware(Guard, ring=keys or KeyRing(())))
    buckets = TokenBuckets(settings.rate_per_s, settings.rate_burst)
    front.append(Middleware(RateLimit, buckets=buckets))
    front.append(Middleware(BodyLimit, max_bytes=settings.max_body_bytes))
    return front


def _add_events(
    app: FastAPI, live: LiveWorkspace, crew: Crew, telltale: Telltale, settings: ServingSettings
) -> None:
    intake = Intake(settings.max_waiting_events)

    async def events(request: Request) -> Response:
        rows = batch_of(await read_json(request), settings.max_events)
        with intake.taking(len(rows)) as welcome:
            if not welcome:
                telltale.events.labels("deferred").inc(len(rows))
                message = (
                    f"{intake.waiting:,} events are on their way to the disk; send these again in a second"
                )
                return reply_failure(429, "backpressure", message, {"retry-after": "1"})
            reply = await crew.run(lambda: live.take(rows))
        counts = {"accepted": reply.accepted, "duplicate": reply.duplicates, "rejected": len(reply.rejected)}
        for outcome, count in counts.items():
            telltale.events.labels(outcome).inc(count)
        return json_reply(reply.model_dump())

    app.add_api_route(
        "/v1/events",
        events,
        methods=["POST"],
        tags=["events"],
        summary="Send what people did. When it answers, what was accepted is on the disk and in the next request's history.",
        responses={200: {"model": EventsReply}, **FAILURES},
        openapi_extra={"requestBody": {"content": {"application/json": {"schema": described(EventBatch)}}}},
    )


def _add_operations(
    app: FastAPI, live: LiveWorkspace, errands: Crew, telltale: Telltale, lifecycle: Lifecycle
) -> None:
    @app.get("/healthz", tags=["operate"], summary="Whether the process lives; restart it when this fails.")
    async def healthz() -> Response:
        return json_reply({"status": "alive", "version": live.edition.release.version})

    @app.get(
        "/readyz",
        tags=["operate"],
        summary="Whether requests should be sent here: a release is loaded, warm and current, and the server is not about to end.",
        responses={503: {"model": FailureReply}},
    )
    async def readyz() -> Response:
        lacks = lifecycle.lacks()
        if lacks:
            return reply_failure(503, "not_ready", "; ".join(lacks), {"retry-after": "1"})
        degraded = await anyio.to_thread.run_sync(lambda: live.degraded)
        return json_reply({"status": "ready", "version": live.edition.release.version, "degraded": degraded})

    @app.get("/metrics", tags=["operate"], summary="Counters for Prometheus.")
    async def metrics() -> Response:
        return Response(telltale.page(), media_type=CONTENT_TYPE_LATEST)

    @app.post(
        "/v1/reload",
        tags=["operate"],
        summary="Load the newest build, check it beside the one that answers, and swap it in; refused, the old one answers on.",
        responses=FAILURES,
    )
    async def reload(unchecked: bool = False) -> Response:
        report = await errands.run(lambda: live.reload(unchecked=unchecked))
        version = live.edition.release.version
        lifecycle.announce(unchecked=unchecked)
        return json_reply({"version": version, "check": asdict(report) if report is not None else None})

    @app.delete(
        "/v1/users/{user_id:path}",
        tags=["operate"],
        summary="Forget a person: log, signals, caches, slates. Says what is pending until the next build.",
        responses=FAILURES,
    )
    async def forget(user_id: str) -> Response:
        return json_reply(asdict(await errands.run(lambda: lifecycle.forget(user_id))))
