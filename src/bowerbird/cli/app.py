"""The command tree. Each command's work is imported when it runs."""

from __future__ import annotations

import typer

from bowerbird.cli import (
    asking,
    bench_content,  # noqa: F401 - registers its tasks
    bench_serving,  # noqa: F401 - registers its tasks
    bench_users,  # noqa: F401 - registers its tasks
    building,
    importing,
    people,
    quality,
    serving,
    worlds,
)
from bowerbird.cli.bench import app as bench_app

app = typer.Typer(
    name="bowerbird",
    help="Content and user understanding: pictures, text and behaviour in; ranked, explained answers out.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command("demo")(worlds.demo)
app.command("init")(building.init)
app.add_typer(importing.app, name="import")
app.command("build")(building.build)
app.add_typer(asking.app, name="ask")
app.add_typer(bench_app, name="bench")
app.command("backfill")(building.backfill)
app.add_typer(quality.app, name="quality")
app.command("rollback")(building.rollback)
app.command("forget")(building.forget)
app.command("evaluate")(worlds.evaluate)
app.command("serve")(serving.serve)
app.command("consume")(serving.consume)
app.command("mute")(people.mute)
app.command("encode")(building.encode)
app.command("signals")(building.signals)
app.command("plugins")(building.plugins)
app.command("version")(building.version)
