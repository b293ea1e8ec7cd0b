"""Commands about a workspace itself: init, build, signals, plugins, version."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from bowerbird.cli.options import JsonOption, SetOption, WorkspaceOption, opened, time_or_none

if TYPE_CHECKING:
    from bowerbird.workspace.backfilling import BackfillLine
    from bowerbird.workspace.engines import Engine


def init(directory: Annotated[Path, typer.Argument(help="Directory to make.")]) -> None:
    """Make an empty workspace.

    Example: bowerbird init shop
    """
    from bowerbird.workspace import Workspace

    workspace = Workspace.create(directory)
    typer.echo(f"Workspace {workspace.settings.name!r} in {directory}. Next:")
    typer.echo(f"  bowerbird import items FILE -w {directory}")
    typer.echo(f"  bowerbird build -w {directory}")


def build(
    signal: Annotated[
        list[str] | None,
        typer.Argument(help="Signals, or the groups content, users, models; all when none are named."),
    ] = None,
    as_of: Annotated[
        str | None, typer.Option(help="Use only events before this time, e.g. 2026-01-31.")
    ] = None,
    workspace: WorkspaceOption = None,
    overrides: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring signals, indexes and models up to date; only what changed is redone.

    Example: bowerbird build content
    """
    from rich.table import Table

    from bowerbird.cli.display import BarProgress, console, print_json

    space = opened(workspace, overrides)
    results = space.build(signal or (), time_or_none(as_of), BarProgress(quiet=as_json))
    if as_json:
        print_json(results)
        return
    table = Table(box=None, header_style="bold")
    for column in ("signal", "outcome", "coverage", "seconds", "note"):
        table.add_column(column, justify="right" if column in ("coverage", "seconds") else "left")
    for result in results:
        card = result.card
        coverage = f"{card.coverage:.0%}" if card is not None and card.kind != "model" else ""
        note = result.why or (card.note if card is not None else "")
        if result.people is not None:
            redone = f"{result.people[0]:,} of {result.people[1]:,} people redone"
            note = f"{redone}; {note}" if note else redone
        table.add_row(result.name, result.outcome, coverage, f"{result.seconds:.1f}", note)
    console.print(table, highlight=False)


def backfill(
    signal: Annotated[str, typer.Argument(help="The signal to make anew, e.g. text_vector.")],
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Only say what it will take: rows, seconds, bytes.")
    ] = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a signal and everything made from it anew beside what is live, then switch to all of it at once.

    Write the new encoder or setting into bowerbird.toml first. Until the switch servers answer from what is
    live, also those that start; killed, it carries on where it was.

    Example: bowerbird backfill text_vector --estimate
    """
    from bowerbird.cli.display import BarProgress, print_json
    from bowerbird.workspace.backfilling import backfill_estimate

    space = opened(workspace)
    if estimate:
        lines = backfill_estimate(space.layout, space.settings, signal)
        if as_json:
            print_json(lines)
        else:
            _show_estimate(lines)
        return
    results = space.backfill(signal, BarProgress(quiet=as_json))
    if as_json:
        print_json(results)
        return
    made = [one for one in results if one.outcome == "built"]
    typer.echo(f"Live: {', '.join(one.name for one in made) or 'nothing new, all of it was up to date'}.")


def _show_estimate(lines: list[BackfillLine]) -> None:
    from rich.table import Table

    from bowerbird.cli.display import console

    if not lines:
        typer.echo("All of it is up to date.")
        return
    table = Table(box=None, header_style="bold")
    for column in ("signal", "rows", "to compute", "seconds", "MB", "known from"):
        table.add_column(column, justify="left" if column in ("signal", "known from") else "right")

    def shown(value: float | None, form: str) -> str:
        return "?" if value is None else format(value, form)

    for line in lines:
        size = None if line.bytes is None else line.bytes / 2**20
        numbers = (
            shown(line.rows, ","),
            shown(line.new_rows, ","),
            shown(line.seconds, ".1f"),
            shown(size, ".1f"),
        )
        table.add_row(line.name, *numbers, line.basis)
    seconds = sum(line.seconds or 0.0 for line in lines)
    size = sum(line.bytes or 0 for line in lines) / 2**20
    table.add_row("together", "", "", f"{seconds:.1f}", f"{size:.1f}", "what is not known is left out")
    console.print(table, highlight=False)


def rollback(workspace: WorkspaceOption = None) -> None:
    """Make the release before the live one live again; servers take it with POST /v1/reload.

    Example: bowerbird rollback -w shop
    """
    manifest = opened(workspace).rollback()
    typer.echo(f"Release {manifest.version} is live again.")
    for part, version in manifest.stamps.items():
        typer.echo(f"  {part:<14} {version}")


def forget(
    user: Annotated[str | None, typer.Option(help="Id of a person.")] = None,
    item: Annotated[str | None, typer.Option(help="Id of an item.")] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove a person or an item from everywhere: log, signals, pictures, caches, reports, older versions.

    What was learnt from them is named; `bowerbird build` replaces it, and nothing leads back behind that.

    Servers of the workspace are told; each has forgotten when it has loaded what is left, which takes it about as long as its start.

    Example: bowerbird forget --user u17
    """
    from bowerbird.cli.display import print_json

    report = opened(workspace).forget(user=user, item=item)
    if as_json:
        print_json(report)
    else:
        for store, count in report.removed.items():
            typer.echo(f"{store:<24} {count:>8,}")
        if report.pending:
            typer.echo(f"Pending until `bowerbird build`: {', '.join(report.pending)}")
        typer.echo(
            "Servers of this workspace were told: each answers from what it knew until it has loaded what is left."
        )
        for path in report.left:
            typer.echo(f"STILL HOLDS IT: {path}")
    if report.left:
        raise typer.Exit(1)


def encode(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="Folders of pictures, pictures, parquet of their bytes; or tables with a text column."
        ),
    ],
    to: Annotated[Path, typer.Option("--to", help="Parquet file to write: id, vector, space.")],
    encoder: Annotated[
        str | None, typer.Option(help="Encoder plugin; `bowerbird plugins` lists them.")
    ] = None,
    precision: Annotated[
        str | None, typer.Option(help="float or int8; what suits this processor if absent.")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Workers side by side.")] = 2,
    engine: Annotated[
        str, typer.Option(help="local, or ray: every processor of a Ray cluster, to the same bytes.")
    ] = "local",
    as_json: JsonOption = False,
) -> None:
    """Pictures or texts as a parquet of vectors, for other tools; a killed run carries on.

    Example: bowerbird encode photos/ --to vectors.parquet
    """
    from bowerbird.cli.display import BarProgress, print_json
    from bowerbird.workspace.encode_files import encode_files
    from bowerbird.workspace.engines import ENGINES

    if engine not in ENGINES:
        raise typer.BadParameter(f"found {engine!r}, expected {' or '.join(ENGINES)}", param_hint="--engine")
    progress = BarProgress(quiet=as_json)
    found = encode_files(
        files, to, encoder, precision, threads=threads, engine=cast("Engine", engine), progress=progress
    )
    if as_json:
        print_json(found)
        return
    typer.echo(f"{found.vectors:,} vectors of {found.space} in {to}")
    for reason, count in found.failed.items():
        typer.echo(f"{count:,} left out: {reason}")
    if found.report:
        typer.echo(f"each is named in {found.report}")


def signals(workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """List every live signal: version, coverage, time, space, what it is made from.

    Example: bowerbird signals -w shop
    """
    from rich.table import Table

    from bowerbird.cli.display import console, print_json
    from bowerbird.clock import format_time

    cards = opened(workspace).signals()
    if as_json:
        print_json(cards)
        return
    if not cards:
        typer.echo("Nothing is built yet; run `bowerbird build`.")
        return
    table = Table(box=None, header_style="bold")
    for column in ("signal", "of", "rows", "coverage", "as of", "version"):
        table.add_column(column, no_wrap=True, justify="right" if column in ("rows", "coverage") else "left")
    table.add_column("space; made from", overflow="fold")
    for card in cards:
        made_from = ", ".join(card.inputs)
        table.add_row(
            card.name,
            card.entity,
            f"{card.rows:,}",
            f"{card.coverage:.0%}",
            format_time(card.as_of)[:10] if card.as_of else "",
            card.version[:8],
            f"{card.space.key}; {made_from}" if card.space else made_from,
        )
    console.print(table, highlight=False)


def plugins(as_json: JsonOption = False) -> None:
    """List installed plugins: encoders, sources, filters, importers, recommenders.

    Example: bowerbird plugins
    """
    from bowerbird import plugins as installed
    from bowerbird.cli.display import print_json

    found = {group: installed.names(group) for group in installed.GROUPS}
    if as_json:
        print_json(found)
        return
    for group, about in installed.GROUPS.items():
        typer.echo(f"{group} ({about}): {', '.join(found[group])}")


def version() -> None:
    """Print the version.

    Example: bowerbird version
    """
    import bowerbird

    typer.echo(bowerbird.__version__)
