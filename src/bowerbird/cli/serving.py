"""``bowerbird serve``: the HTTP API and the studio."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bowerbird.cli.options import WorkspaceOption, workspace_directory

if TYPE_CHECKING:
    from fastapi import FastAPI

LOOPBACK = ("127.0.0.1", "localhost", "::1")
IDLE_S = 0.2
"""How long a consumer that is up to date waits before it looks again."""
_DIRECTORY, _SETTINGS = "BOWERBIRD_SERVE_DIRECTORY", "BOWERBIRD_SERVE_SETTINGS"


def serve(
    workspace: WorkspaceOption = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; anything but this machine asks for an API key.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")
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

    from bowerbird.serving import ServingSettings
    from bowerbird.workspace import Workspace
    from bowerbird.workspace.loading import require_built

    space = Workspace.open(workspace_directory(workspace))
    require_built(space.workbench())
    local = host in LOOPBACK
    settings = ServingSettings(
        live_clock=live,
        require_key=not local,
        allowed_hosts=("127.0.0.1", "localhost", "[::1]") if local else (),
    )
    port = _free_port(host, port)
    _announce(host, port, space.layout.state / "api-keys.toml", local=local)
    os.environ[_DIRECTORY] = str(space.layout.root.resolve())
    os.environ[_SETTINGS] = settings.model_dump_json()
    try:
        uvicorn.run(
            "bowerbird.cli.serving:application",
            factory=True,
            host=host,
            port=port,
            workers=workers,
            log_level="warning",
            timeout_graceful_shutdown=10,
            server_header=False,
        )
    except KeyboardInterrupt:  # the ordinary way to stop a server: requests in hand were answered
        typer.echo("Stopped.")


def consume(
    workspace: WorkspaceOption = None,
    once: Annotated[bool, typer.Option("--once", help="Stop when everything is read.")] = False,
) -> None:
    """Bring the stream that [realtime] names into the event log, and keep the online state servers read.

    May be killed at any time: the next run carries on, and every event is kept once.

    Example: bowerbird consume -w shop --once
    """
    import time

    from bowerbird.workspace import Workspace
    from bowerbird.workspace.realtime import StreamConsumer

    space = Workspace.open(workspace_directory(workspace))
    consumer = StreamConsumer(space.settings.realtime, space.layout, space.workbench().log)
    total = 0
    while True:
        read = consumer.step()
        total += read
        if not read:
            if once:
                break
            time.sleep(IDLE_S)
    typer.echo(f"{total:,} events read.")


def application() -> FastAPI:
    """The application of one server process; what it serves is in the environment."""
    from bowerbird.serving import ServingSettings, keys_of, make_app
    from bowerbird.studio import About, add_studio
    from bowerbird.workspace import Workspace

    space = Workspace.open(os.environ[_DIRECTORY])
    settings = ServingSettings.model_validate_json(os.environ[_SETTINGS])
    keys = keys_of(os.environ, space.layout.state / "api-keys.toml")[0] if settings.require_key else None
    app = make_app(space, settings, keys)
    about = space.settings
    add_studio(app, About(about.name, simulated=about.simulated, credit=about.credit))
    return app


def _free_port(host: str, port: int) -> int:
    """The port to listen on, tried before anything is loaded; for 0, one that is free.

    Raises:
        InputError: the address is not this machine's, or the port is taken.
    """
    from bowerbird.errors import InputError

    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family, socket.SOCK_STREAM) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind((host, port))
            return int(trial.getsockname()[1])
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(
            f"--host {host} --port {port}: cannot listen there ({reason}); choose another port, e.g. --port {port + 1}"
        ) from error


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
