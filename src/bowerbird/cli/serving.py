"""``bowerbird serve``: the HTTP API and the studio."""

from __future__ import annotations

import errno
import gc
import os
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from multiprocessing import parent_process
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bowerbird.cli.options import WorkspaceOption, workspace_directory
from bowerbird.errors import BowerbirdError

if TYPE_CHECKING:
    from fastapi import FastAPI

    from bowerbird.serving import ServingSettings

LOOPBACK = ("127.0.0.1", "localhost", "::1")
LAST_PORT = 65535
STARTUP_FAILURE = 3
"""What uvicorn takes as: this would fail again."""
TRIM_S = 60.0
"""How often what the live build has, and what is old, is let go of."""
IDLE_S = 0.2
"""How long a consumer that is up to date waits before it looks again."""
HEAPS = 2
"""Heaps that the threads of a server share: its memory then stays flat while events arrive (docs/log.md)."""
_M_ARENA_MAX = -8  # of glibc's malloc.h
_DIRECTORY, _SETTINGS = "BOWERBIRD_SERVE_DIRECTORY", "BOWERBIRD_SERVE_SETTINGS"
_SHARED = "BOWERBIRD_SERVE_SHARED"


def serve(
    workspace: WorkspaceOption = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; anything but this machine asks for an API key.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=LAST_PORT, help="Port to listen on; 0 takes a free one.")
    ] = 8080,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes; each loads the build.")] = 1,
    live: Annotated[
        bool,
        typer.Option(
            "--live",
            help="Answer as of the wall clock. Without it, as of just after the newest event, so that a log that "
            "ended (the demo) answers sensibly.",
        ),
    ] = False,
) -> None:
    """Serve the six surfaces over HTTP, and pages to look at people and their slates.

    Example: bowerbird serve -w demo --port 8080
    """
    import uvicorn

    from bowerbird.serving.logs import log_settings
    from bowerbird.workspace import Workspace
    from bowerbird.workspace.loading import require_built
    from bowerbird.workspace.realtime import opened_state, opened_stream

    space = Workspace.open(workspace_directory(workspace))
    require_built(space.workbench())
    opened_stream(space.settings.realtime, space.workbench().log)  # what is wrong with it is said here,
    opened_state(space.settings.realtime, space.layout)  # not by every worker
    local = host in LOOPBACK
    settings = _resolved(space.settings.serving, live=live, local=local)
    port = _free_port(host, port)
    _announce(host, port, space.layout.state / "api-keys.toml", local=local)
    os.environ[_DIRECTORY] = str(space.layout.root.resolve())
    os.environ[_SETTINGS] = settings.model_dump_json()
    counts = tempfile.TemporaryDirectory(prefix="bowerbird-counts-")
    if workers > 1:
        os.environ[_SHARED] = "1"
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = counts.name
        (space.layout.state / "slates.sqlite").unlink(missing_ok=True)
    try:
        uvicorn.run(
            "bowerbird.cli.serving:application",
            factory=True,
            host=host,
            port=port,
            workers=workers,
            log_config=log_settings(requests=settings.log_requests),
            timeout_graceful_shutdown=10,
            timeout_worker_healthcheck=180,  # a worker that starts on a busy machine must not be taken for hung
            server_header=False,
        )
    except KeyboardInterrupt:  # the ordinary way to stop a server: requests in hand were answered
        typer.echo("Stopped.")
    finally:
        counts.cleanup()


def _resolved(said: ServingSettings, *, live: bool, local: bool) -> ServingSettings:
    """The settings of the file with what the command says and what the address asks for."""
    hosts = ("127.0.0.1", "localhost", "[::1]") if local else ()
    return said.model_copy(
        update={
            "live_clock": live or said.live_clock,
            "require_key": not local or said.require_key,
            "allowed_hosts": said.allowed_hosts or hosts,
        }
    )


def consume(
    workspace: WorkspaceOption = None,
    once: Annotated[bool, typer.Option("--once", help="Stop when everything is read.")] = False,
) -> None:
    """Bring the stream that [realtime] names into the event log, and keep the online state servers read.

    May be killed at any time: the next run carries on, and every event is kept once.

    Example: bowerbird consume -w shop --once
    """
    import time

    from bowerbird import clock
    from bowerbird.workspace import Workspace
    from bowerbird.workspace.realtime import StreamConsumer
    from bowerbird.workspace.releases import releases

    space = Workspace.open(workspace_directory(workspace))
    consumer = StreamConsumer(space.settings.realtime, space.layout, space.workbench().log)
    total, trimmed_s = 0, -TRIM_S
    while True:
        read = consumer.step()
        total += read
        if not read and (once or time.monotonic() - trimmed_s >= TRIM_S):
            built = releases(space.layout)
            consumer.trim(built[-1].as_of if built else 0, clock.now())
            trimmed_s = time.monotonic()
        if not read:
            if once:
                break
            time.sleep(IDLE_S)
    typer.echo(f"{total:,} events read.")


def application() -> FastAPI:
    """The application of one server process; what it serves is in the environment.

    A worker that cannot start says why and ends in the way that ends the whole server, not to be tried again.
    """
    try:
        return _application()
    except BowerbirdError as error:
        if parent_process() is None:
            raise
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(STARTUP_FAILURE)


def _application() -> FastAPI:
    from bowerbird.serving import ServingSettings, keys_of, make_app
    from bowerbird.studio import About, add_studio
    from bowerbird.workspace import Workspace

    _share_heaps()
    space = Workspace.open(os.environ[_DIRECTORY])
    settings = ServingSettings.model_validate_json(os.environ[_SETTINGS])
    keys = keys_of(os.environ, space.layout.state / "api-keys.toml")[0] if settings.require_key else None
    app = make_app(space, settings, keys, shared=_SHARED in os.environ)
    app.state.lifecycle.settle = _settled
    _settled()
    app.router.lifespan_context = _draining(app, settings.drain_s)
    about = space.settings
    add_studio(app, About(about.name, simulated=about.simulated, credit=about.credit))
    return app


def _share_heaps() -> None:
    """Let all threads share two of glibc's heaps: with eight for each processor what one lets go of, others cannot use."""
    import ctypes

    set_option = getattr(ctypes.CDLL(None), "mallopt", None)  # glibc has it
    if set_option is not None:
        set_option(_M_ARENA_MAX, HEAPS)


def _settled() -> None:
    """After loading: give back the memory it needed on the way, and leave what stays out of the search for garbage.

    Reading a log of two million events takes some 350 MB that allocators keep otherwise; looking through what
    stays costs requests time. Requests are answered side by side, so none of them needs threads for its products:
    those would spin while they wait for each other, for two thirds of a processor.
    """
    import ctypes

    import pyarrow as pa
    from threadpoolctl import threadpool_limits

    threadpool_limits(1)

    gc.unfreeze()
    gc.collect()
    gc.freeze()
    pa.default_memory_pool().release_unused()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc has it
    if trim is not None:
        trim(0)


def _draining(app: FastAPI, drain_s: float) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    """The application's lifespan, in which SIGTERM drains first."""
    inner = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with inner(app):
            app.state.lifecycle.drain_on_term(drain_s)
            yield

    return lifespan


def _free_port(host: str, port: int) -> int:
    """The port to listen on, tried before anything is loaded; for 0, one that is free.

    Raises:
        InputError: the address is not this machine's, the port is taken, or not this user's to take.
    """
    from bowerbird.errors import InputError

    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family, socket.SOCK_STREAM) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind((host, port))
            return int(trial.getsockname()[1])
    except (OSError, UnicodeError) as error:  # a name no resolver takes is a UnicodeError
        code = getattr(error, "errno", None)
        reason = getattr(error, "strerror", None) or str(error)
        advice = "give an address of this machine: --host 127.0.0.1, or --host 0.0.0.0 for all of them"
        if code == errno.EADDRINUSE:
            advice = f"choose another port, e.g. --port {port + 1 if port < LAST_PORT else 8080}"
        elif code in (errno.EACCES, errno.EPERM):
            advice = "this user may not take it; choose a port of 1024 or above, e.g. --port 8080"
        raise InputError(f"--host {host} --port {port}: cannot listen there ({reason}); {advice}") from error


def _announce(host: str, port: int, key_file: Path, *, local: bool) -> None:
    from bowerbird.serving import keys_of

    shown = f"[{host}]" if ":" in host else host
    address = f"http://{'localhost' if host in ('0.0.0.0', '::') else shown}:{port}"  # noqa: S104 - compared, not bound
    typer.echo(f"Studio  {address}/studio/")
    typer.echo(f"API     {address}/v1/homefeed?user=USER   described at {address}/openapi.json")
    if not local:
        made = keys_of(os.environ, key_file)[1]
        if made:
            typer.echo(f"API key {made}")
            typer.echo(
                "        shown this once; only its hash is kept. Send it as 'Authorization: Bearer KEY'."
            )
        else:
            typer.echo("API key as in BOWERBIRD_API_KEY or in state/api-keys.toml of the workspace")
    typer.echo("Stop with Ctrl-C.")
