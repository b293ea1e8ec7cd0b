"""``bowerbird bench TASK``: the public benchmark tasks on anybody's files, baselines beside ours.

Heavy modules are imported inside the commands: ``bowerbird --help`` must not wait for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bowerbird.cli.options import names_between_commas
from bowerbird.errors import NotFoundError, did_you_mean

if TYPE_CHECKING:
    import pyarrow as pa
    from scipy import sparse

    from bowerbird.datasets.event_files import EventFile
    from bowerbird.evaluation.bench.fitting import BenchPlan
    from bowerbird.evaluation.bench.report import BenchReport
    from bowerbird.recommenders.guidance import Effort
    from bowerbird.recommenders.interactions import Interactions

__all__ = ["Columns", "Json", "Seeds", "app", "event_file", "item_table", "show"]

app = typer.Typer(
    help="Public benchmark tasks on your own files; every table holds the baselines.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)

NEXT_ITEM_MODELS = "ours,neighbours,sasrec,seqknn,ease-recency,itemknn-recency,pop"
COLLABORATIVE_MODELS = "pop,itemknn,userknn,rp3beta,ease,ials,gfcf,blend"

Events = Annotated[
    Path | None,
    typer.Option(
        help="Events with user_id, item_id [, at | pos, rating, split]: parquet, csv, tsv, jsonl or MovieLens' forms."
    ),
]
Columns = Annotated[
    str,
    typer.Option(
        help="What your columns are called, where that is not well known: user=NAME,item=NAME,time=NAME; "
        "numbers without a header.",
        show_default=False,
    ),
]
Models = Annotated[str, typer.Option(help="Names by comma, or `list` to see what is installed.")]
Seeds = Annotated[int, typer.Option(min=1, help="Runs of each model that draws random numbers.")]
Tune = Annotated[
    bool, typer.Option("--tune", help="Choose settings on validation from each model's small grid.")
]
EffortOption = Annotated[
    str, typer.Option("--effort", help="How long trained models may train: quick, standard or thorough.")
]
Json = Annotated[Path | None, typer.Option("--json", help="Write the same table as JSON to this file.")]


@app.command(
    "next-item", epilog="Example: bowerbird bench next-item --events sequences.parquet --models pop,seqknn"
)
def next_item(
    events: Events = None,
    columns: Columns = "",
    items: Annotated[
        Path | None,
        typer.Option(help="Items with item_id and their words: title, description, category, brand, ..."),
    ] = None,
    protocol: Annotated[
        str,
        typer.Option(help="loo (last event is test), time (global time split) or cold (items never met)."),
    ] = "loo",
    models: Models = NEXT_ITEM_MODELS,
    seeds: Seeds = 3,
    effort: EffortOption = "standard",
    tune: Tune = False,
    refit: Annotated[bool, typer.Option("--refit", help="Add rows fitted on train and validation.")] = False,
    checkpoints: Annotated[
        Path | None,
        typer.Option(help="Folder where training keeps its state: the same command goes on after a kill."),
    ] = None,
    workers: Annotated[
        int, typer.Option(min=1, help="Train on so many workers of a Ray cluster; 1: in this process.")
    ] = 1,
    json: Json = None,
) -> None:
    """Which item comes next, ranked against the whole catalogue."""
    if models == "list":
        _list_models()
        return
    from bowerbird.evaluation.bench.next_item import PROTOCOLS, run_next_item

    _one_of(protocol, (*PROTOCOLS, "cold"))
    plan = replace(
        _plan(models, seeds, tune=tune, refit=refit),
        effort=_effort(effort),
        checkpoints=checkpoints,
        workers=workers,
    )
    read = event_file(events, columns)
    interactions = _with_content(interactions_of(read, events), items, columns)
    if protocol == "cold":
        from bowerbird.evaluation.bench.cold_items import run_cold

        show(run_cold(interactions, plan, _word_table(interactions, items, columns)), json, read.notes)
        return
    show(run_next_item(interactions, plan, protocol), json, read.notes)


@app.command(
    "collaborative",
    epilog="Example: bowerbird bench collaborative --events ratings.csv --protocol microsoft --tune",
)
def collaborative(
    events: Events = None,
    columns: Columns = "",
    protocol: Annotated[str | None, typer.Option(help="microsoft: 75/25 per item, seed 42.")] = None,
    holdout: Annotated[float | None, typer.Option(help="Random share of events for test, e.g. 0.1.")] = None,
    models: Models = COLLABORATIVE_MODELS,
    seeds: Seeds = 3,
    tune: Tune = False,
    json: Json = None,
) -> None:
    """Which held-out items a user took; by the data's split column, else a tenth held out, unless you say otherwise."""
    if models == "list":
        _list_models()
        return
    from bowerbird.evaluation.bench.collaborative import run_collaborative

    _one_of(protocol, (None, "microsoft"))
    if protocol is not None and holdout is not None:
        raise typer.BadParameter("expected --protocol or --holdout, not both", param_hint="--holdout")
    plan, read = _plan(models, seeds, tune=tune, refit=False), event_file(events, columns)
    show(run_collaborative(interactions_of(read, events), plan, protocol, holdout), json, read.notes)


@app.command("ann", epilog="Example: bowerbird bench ann --n-vectors 100000 --dim 128 --json ann.json")
def ann(
    n_vectors: Annotated[int, typer.Option(min=1, help="Vectors to index.")] = 100_000,
    dim: Annotated[int, typer.Option(min=1, help="Width of a vector.")] = 128,
    k: Annotated[int, typer.Option(min=1, help="Neighbours asked for.")] = 10,
    seed: Annotated[int, typer.Option(help="Decides the vectors and the queries.")] = 0,
    vectors: Annotated[
        Path | None, typer.Option(help="Your own vectors, .npy or .parquet, in place of drawn ones.")
    ] = None,
    json: Json = None,
) -> None:
    """Nearest-neighbour search: recall and queries per CPU-second of every index."""
    from bowerbird.evaluation.bench.ann import run_ann

    show(run_ann(n_vectors, dim, seed, k, vectors=vectors), json)


def _plan(models: str, seeds: int, *, tune: bool, refit: bool) -> BenchPlan:
    from bowerbird.cli.display import BarProgress
    from bowerbird.evaluation.bench.fitting import BenchPlan
    from bowerbird.recommenders.recommender import recommender

    names = tuple(names_between_commas(models))
    for name in names:
        try:
            recommender(name)
        except NotFoundError as error:
            raise typer.BadParameter(str(error), param_hint="--models") from error
    return BenchPlan(names, seeds, tune, refit, BarProgress())


def _effort(name: str) -> Effort:
    from bowerbird.recommenders.guidance import EFFORTS

    for effort in EFFORTS:
        if effort == name:
            return effort
    raise typer.BadParameter(f"{name!r} is unknown; {did_you_mean(name, EFFORTS)}", param_hint="--effort")


def _one_of(protocol: str | None, known: Iterable[str | None]) -> None:
    if protocol not in known:
        names = [name for name in known if name]
        raise typer.BadParameter(
            f"{protocol!r} is unknown; {did_you_mean(str(protocol), names)}", param_hint="--protocol"
        )


def event_file(events: Path | None, columns: str, wanted: str = "user_id and item_id") -> EventFile:
    """The events a command was given, in the standard columns.

    Args:
        events: the file.
        columns: what ``--columns`` says.
        wanted: the columns to expect, where no file was given.
    """
    from bowerbird.datasets.column_names import given_names
    from bowerbird.datasets.event_files import read_events

    if events is None:
        raise typer.BadParameter(f"missing; expected a file with {wanted}", param_hint="--events")
    return read_events(events, given_names(columns))


def item_table(items: Path, columns: str) -> pa.Table:
    """The items beside the events, with their ``item_id``."""
    from bowerbird.datasets.column_names import given_names, named_items
    from bowerbird.datasets.tables import read_table

    return named_items(read_table(items), given_names(columns), items.name)


def interactions_of(read: EventFile, events: Path | None, *, liked: bool = False) -> Interactions:
    """Events as interactions.

    Args:
        read: the file's events.
        events: the file, for messages.
        liked: leave out impressions, hides and searches, where the file says what was done.
    """
    import pyarrow as pa

    from bowerbird.datasets.event_files import liked_rows
    from bowerbird.recommenders.interactions import Interactions

    where = events.name if events is not None else "events"
    table = read.table.filter(pa.array(liked_rows(read.table, where))) if liked else read.table
    return Interactions.from_table(table, where)


def _with_content(interactions: Interactions, items: Path | None, columns: str) -> Interactions:
    if items is None:
        return interactions
    from bowerbird.cli.display import BarProgress
    from bowerbird.recommenders.item_content import content_vectors

    table = item_table(items, columns)
    return replace(
        interactions, content=content_vectors(table, interactions.item_ids, items.name, BarProgress())
    )


def _word_table(interactions: Interactions, items: Path | None, columns: str) -> sparse.csr_array | None:
    if items is None:
        return None
    from bowerbird.recommenders.item_content import item_words, word_table

    return word_table(item_words(item_table(items, columns), interactions.item_ids))


def _list_models() -> None:
    from rich.table import Table

    from bowerbird.cli.display import console
    from bowerbird.recommenders.recommender import recommender, recommender_names

    table = Table("model", "what it is", "seeds matter")
    for name in recommender_names():
        model = recommender(name)
        table.add_row(name, model.summary, "yes" if model.uses_seed else "no")
    console.print(table)


def show(report: BenchReport, json: Path | None, notes: Sequence[str] = ()) -> None:
    """Print a report as a table and write it as JSON where asked.

    Args:
        report: the numbers.
        json: the file.
        notes: how the data was read; they come before the report's own.
    """
    from bowerbird.cli.display import console

    report = replace(report, notes=[*notes, *report.notes])
    if json is not None:
        json.parent.mkdir(parents=True, exist_ok=True)
        json.write_text(report.to_json() + "\n", encoding="utf-8")
    console.print(report.render(console.limit))
