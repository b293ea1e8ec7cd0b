"""``bowerbird import``: files in the standard columns, picture folders, named public sets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bowerbird.cli.options import JsonOption, WorkspaceOption, opened

if TYPE_CHECKING:
    from bowerbird.workspace.importing import ImportReport

app = typer.Typer(
    no_args_is_help=True, help="Take in items, users, events, campaigns, or a named public data set."
)


@app.callback(invoke_without_command=True)
def take_in(
    named: Annotated[
        tuple[str, Path] | None,
        typer.Option("--dataset", help="NAME FOLDER of a public set; as `import dataset NAME FOLDER`."),
    ] = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Take in items, users, events, campaigns, or a named public data set.

    Example: bowerbird import --dataset movielens ~/ml-1m
    """
    if named is not None:
        dataset(named[0], named[1], workspace)
        raise typer.Exit


Files = Annotated[
    list[Path] | None, typer.Argument(help="parquet, csv, tsv, jsonl or xlsx; items also a folder.")
]
Columns = Annotated[
    str,
    typer.Option(
        help="What the files call the standard columns, where that is not well known: item_id=NAME,title=NAME.",
        show_default=False,
    ),
]
Unknown = Annotated[
    str, typer.Option(help="Events about items not in the catalogue: reject, drop, or create the items.")
]


@app.command("items")
def items(
    files: Files = None,
    images: Annotated[Path | None, typer.Option(help="Folder or parquet with the pictures.")] = None,
    columns: Columns = "",
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take in items, with their pictures.

    Columns: item_id, title, description, image (path or bytes), created_at, creator_id, category (a/b/c),
    price, currency, brand, attributes, url, is_ad, campaign_id; all but item_id may be missing. Others are
    kept as attributes.

    Example: bowerbird import items products.csv --images photos/
    """
    _import("items", files, workspace, as_json, columns, images=images)


@app.command("users")
def users(
    files: Files = None,
    columns: Columns = "",
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take in people: user_id, country, locale, created_at, attributes.

    Example: bowerbird import users people.parquet
    """
    _import("users", files, workspace, as_json, columns)


@app.command("events")
def events(
    files: Files = None,
    columns: Columns = "",
    unknown: Unknown = "reject",
    action: Annotated[
        str, typer.Option(help="Action of events in a file without an action column.")
    ] = "click",
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take in what happened: user_id, item_id, action, at, surface, position, request_id, ...

    Without `at`, a `pos` column or the order of rows is the order. Well-known other names (userId, product_id,
    timestamp, ...) are found; others are said.

    Example: bowerbird import events clicks.parquet --unknown create --columns user=shopper_no,time=when
    """
    _import("events", files, workspace, as_json, columns, unknown=unknown, action=action)


@app.command("campaigns")
def campaigns(
    files: Files = None,
    columns: Columns = "",
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take in advertising campaigns: campaign_id, bid, daily_budget, total_budget, starts_at, ends_at, audience.

    An audience is one that `bowerbird.toml` declares under [audiences]; without one everybody is shown the ads.

    Example: bowerbird import campaigns campaigns.csv
    """
    _import("campaigns", files, workspace, as_json, columns)


@app.command("taxonomy")
def taxonomy(
    tree: Annotated[
        Path | None, typer.Argument(help="A table with path (a/b/c), perhaps aliases (word|word).")
    ] = None,
    edits: Annotated[
        Path | None, typer.Option("--edits", help="A table with action (alias, rename, merge), path, to.")
    ] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take in a tree of categories, or edits to the one there is; the next build follows.

    Example: bowerbird import taxonomy --edits merges.csv
    """
    from bowerbird.cli.display import print_json
    from bowerbird.stores.lock import workspace_lock
    from bowerbird.workspace.taxonomy import import_taxonomy

    layout = opened(workspace).layout
    with workspace_lock(layout, "import taxonomy"):
        report = import_taxonomy(layout, tree, edits)
    if as_json:
        print_json(report)
        return
    typer.echo(f"taxonomy {report.version}: {report.nodes:,} nodes, {report.edits:,} edits in all")
    typer.echo(f"{report.moved:,} items lead elsewhere than their category says; run `bowerbird build`")
    if report.outside:
        typer.echo(f"{report.outside:,} items have a category outside the tree; each is a node of its own")


@app.command("dataset")
def dataset(
    name: Annotated[str, typer.Argument(help="A public set, e.g. movielens; `list` shows all.")],
    path: Annotated[Path | None, typer.Argument(help="The folder it was downloaded to.")] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take in a named public data set.

    Example: bowerbird import dataset movielens ~/ml-1m
    """
    from bowerbird import plugins
    from bowerbird.cli.display import BarProgress
    from bowerbird.clock import now
    from bowerbird.datasets.import_batch import load_importer
    from bowerbird.errors import InputError
    from bowerbird.workspace.importing import ImportOptions

    if name == "list":
        for known in plugins.names("importers"):
            importer = load_importer(known)
            typer.echo(f"{known}: {importer.summary} ({importer.licence})")
        return
    if path is None:
        raise InputError(f"import dataset {name}: name the folder it lies in")
    space = opened(workspace)
    report = space.import_dataset(name, path, ImportOptions(as_of=now()), BarProgress(quiet=as_json))
    _show(report, as_json)


def _import(
    kind: str,
    files: list[Path] | None,
    workspace: Path | None,
    as_json: bool,
    columns: str,
    **options: object,
) -> None:
    from bowerbird.cli.display import BarProgress
    from bowerbird.clock import now
    from bowerbird.datasets.column_names import given_names
    from bowerbird.workspace.importing import ImportOptions

    given = ImportOptions(as_of=now(), columns=given_names(columns, kind), **options)  # type: ignore[arg-type]
    report = opened(workspace).import_files(kind, files or [], given, BarProgress(quiet=as_json))
    _show(report, as_json)


def _show(report: ImportReport, as_json: bool) -> None:
    from bowerbird.cli.display import print_json

    if as_json:
        print_json(report)
        return
    for kind, rows in report.rows.items():
        rejected = report.rejected.get(kind, 0)
        typer.echo(f"{kind}: {rows:,} rows in, {report.stored.get(kind, 0):,} stored, {rejected:,} rejected")
        for reason, count in sorted(report.reasons.get(kind, {}).items(), key=lambda pair: -pair[1]):
            typer.echo(f"  {count:,} rejected: {reason}")
    if report.created:
        typer.echo(f"items: {report.created:,} made from the ids of events")
    if report.pictures or report.without_picture:
        typer.echo(f"pictures: {report.pictures:,} stored")
        for reason, count in sorted(report.without_picture.items(), key=lambda pair: -pair[1]):
            typer.echo(f"  {count:,} without: {reason}")
    if report.report is not None:
        typer.echo(f"Rejected rows, with reasons: {report.report}")
