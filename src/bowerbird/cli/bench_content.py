"""``bowerbird bench TASK`` for what is understood from pictures and words."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bowerbird.cli.bench import Columns, Json, Seeds, app, event_file, interactions_of, item_table, show
from bowerbird.cli.options import names_between_commas

__all__ = ["app"]

_PICTURES = typer.Option(help="Pictures: a folder, a parquet of bytes, or a pattern of such files.")
Images = Annotated[Path, _PICTURES]
ImageSets = Annotated[list[Path], _PICTURES]
Items = Annotated[Path, typer.Option(help="Items with item_id and their words: title, tags, category, ...")]
Tune = Annotated[
    bool | None,
    typer.Option(
        "--tune/--no-tune",
        help="Let the encoders' last layers learn too; by default from 2,000 (knn) or 3,000 pictures on.",
    ),
]
Kept = Annotated[
    Path | None,
    typer.Option(help="A folder where encoded pictures stay, so that a later run, or a killed one, goes on."),
]


@app.command(
    "encode", epilog="Example: bowerbird bench encode --images photos/ --texts captions.csv --limit 500"
)
def encode(
    images: Annotated[
        Path | None,
        typer.Option(help="Pictures: a folder, a parquet of bytes or a pattern; drawn ones if absent."),
    ] = None,
    texts: Annotated[
        Path | None,
        typer.Option(
            help="A table with text or caption [, group or image, for recall]; made-up ones if absent."
        ),
    ] = None,
    limit: Annotated[int, typer.Option(min=2, help="Most pictures; texts: ten times as many.")] = 500,
    small: Annotated[bool, typer.Option("--small", help="EfficientNet-Lite0 in place of Lite2.")] = False,
    threads: Annotated[int, typer.Option(min=1, help="Workers of ours.")] = 2,
    seed: Annotated[int, typer.Option(help="Decides which pictures and texts.")] = 0,
    json: Json = None,
) -> None:
    """Pictures and texts to vectors: inputs per CPU-second beside torch, onnxruntime and the network alone."""
    from bowerbird.cli.display import BarProgress
    from bowerbird.evaluation.bench.encode import run_encode

    report = run_encode(images, limit, seed, threads, texts=texts, small=small, progress=BarProgress())
    show(report, json)


@app.command(
    "image-text",
    epilog="Example: bowerbird bench image-text --images photos/ --captions captions.csv --seeds 1",
)
def image_text(
    images: ImageSets,
    captions: Annotated[
        list[Path],
        typer.Option(help="A table with image, caption [, split]; one for each --images, in their order."),
    ],
    fit: Annotated[
        tuple[Path, Path] | None,
        typer.Option(help="Train on these pictures and captions instead, to measure transfer."),
    ] = None,
    seeds: Seeds = 1,
    epochs: Annotated[int | None, typer.Option(min=1, help="Epochs of each training.")] = None,
    tune: Tune = None,
    kept: Kept = None,
    json: Json = None,
) -> None:
    """Texts find pictures and pictures find texts; several sets are also trained together."""
    from bowerbird.cli.display import BarProgress
    from bowerbird.evaluation.bench.image_text import run_image_text

    if len(images) != len(captions):
        raise typer.BadParameter(
            f"{len(captions)} for {len(images)} --images; expected one each", param_hint="--captions"
        )
    sets = list(zip(images, captions, strict=True))
    report = run_image_text(sets, seeds, fit=fit, epochs=epochs, tune=tune, kept=kept, progress=BarProgress())
    show(report, json)


@app.command(
    "looks",
    epilog="Example: bowerbird bench looks --scenes 'rooms-*.parquet' --products products/ --pairs in_room.csv",
)
def looks(
    scenes: Annotated[Path, typer.Option(help="Pictures of scenes: a folder, a parquet or a pattern.")],
    products: Annotated[Path, typer.Option(help="Pictures of products, likewise.")],
    pairs: Annotated[Path, typer.Option(help="A table with a scene and a product column [, split].")],
    seeds: Seeds = 3,
    folds: Annotated[int, typer.Option(min=2, help="Parts the scenes are cut into for each seed.")] = 5,
    limit: Annotated[int, typer.Option(min=4, help="Most scenes.")] = 1000,
    regions: Annotated[str, typer.Option(help="Plugin that proposes regions.")] = "multi-scale",
    json: Json = None,
) -> None:
    """Which products of a catalogue are in a photographed scene."""
    from bowerbird.cli.display import BarProgress
    from bowerbird.evaluation.bench.looks import LooksPlan, run_looks

    plan = LooksPlan(seeds, folds, limit, regions=regions, progress=BarProgress())
    show(run_looks(scenes, products, pairs, plan), json)


@app.command(
    "attributes",
    epilog="Example: bowerbird bench attributes --images photos/ --labels styles.csv --columns colour,usage",
)
def attributes(
    images: Images,
    labels: Annotated[Path, typer.Option(help="A table that names pictures, with label columns [, split].")],
    columns: Annotated[str, typer.Option(help="Label columns by comma.")],
    seeds: Seeds = 3,
    json: Json = None,
) -> None:
    """Several label columns read off pictures, with calibrated confidence and abstention."""
    from bowerbird.cli.display import BarProgress
    from bowerbird.evaluation.bench.attributes import AttributesPlan, run_attributes

    plan = AttributesPlan(seeds, progress=BarProgress())
    show(run_attributes(images, labels, names_between_commas(columns), plan), json)


@app.command(
    "knn", epilog="Example: bowerbird bench knn --images photos/ --labels labels.csv --columns colour,kind"
)
def knn(
    images: Images,
    labels: Annotated[Path, typer.Option(help="A table with image, label columns [, split].")],
    columns: Annotated[str, typer.Option(help="Label columns, by comma.")] = "label",
    seed: Annotated[int, typer.Option(help="Draws a missing split and the training.")] = 0,
    tune: Tune = None,
    kept: Kept = None,
    json: Json = None,
) -> None:
    """Classes of pictures by neighbours and by a linear probe, frozen features beside the unified space."""
    from bowerbird.cli.display import BarProgress
    from bowerbird.evaluation.bench.knn import run_knn

    names = names_between_commas(columns)
    show(run_knn(images, labels, names, seed, tune=tune, kept=kept, progress=BarProgress()), json)


@app.command(
    "search",
    epilog="Example: bowerbird bench search --items products.csv --queries queries.csv --labels labels.csv",
)
def search(
    items: Annotated[Path | None, typer.Option(help="A table with id, title and other words.")] = None,
    queries: Annotated[
        Path | None, typer.Option(help="A table with query_id and query; absent where labels hold the words.")
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(help="Graded pairs, or sessions with query, item, rank and clicked.")
    ] = None,
    size: Annotated[
        int | None, typer.Option(min=100, help="Time a drawn catalogue of this many items instead.")
    ] = None,
    encoder: Annotated[str, typer.Option(help="Text encoder plugin; the default one when empty.")] = "",
    seeds: Seeds = 3,
    json: Json = None,
) -> None:
    """Words find items: BM25, dense, reciprocal rank fusion, learned fusion; quality and time."""
    from bowerbird.cli.display import BarProgress
    from bowerbird.evaluation.bench import search as task

    plan = task.SearchPlan(seeds, encoder=encoder, progress=BarProgress())
    if size is not None:
        drawn = task.drawn_catalogue(size), task.drawn_vectors(size, task.TIMED_DIM)
        show(task.measured_search(drawn[0], plan, drawn[1]), json)
        return
    if items is None or labels is None:
        raise typer.BadParameter("missing; expected --items and --labels, or --size", param_hint="--items")
    show(task.run_search(items, queries, labels, plan), json)


@app.command(
    "graph", epilog="Example: bowerbird bench graph --events saves.parquet --items items.parquet --seeds 3"
)
def graph(
    events: Annotated[Path, typer.Option(help="Who keeps what: collection_id or user_id, and item_id.")],
    items: Items,
    columns: Columns = "",
    seeds: Seeds = 3,
    json: Json = None,
) -> None:
    """From one item of a collection to another: by content, by walks over the graph, by both."""
    from dataclasses import replace

    from bowerbird.cli.display import BarProgress
    from bowerbird.evaluation.bench.fitting import BenchPlan
    from bowerbird.evaluation.bench.graph import run_graph
    from bowerbird.recommenders.interactions import Interactions
    from bowerbird.recommenders.item_content import content_vectors

    read = event_file(events, columns)
    table, progress = read.table, BarProgress()
    if "collection_id" in table.column_names and table["collection_id"].null_count == 0:
        table = table.select(["collection_id", "item_id"]).rename_columns(["user_id", "item_id"])
    kept = Interactions.from_table(table, events.name)
    content = content_vectors(item_table(items, columns), kept.item_ids, items.name, progress)
    plan = BenchPlan(("graph",), seeds, progress=progress)
    show(run_graph(replace(kept, content=content), plan), json, read.notes)


@app.command(
    "neighbour-loss",
    epilog="Example: bowerbird bench neighbour-loss --events orders.parquet --items items.parquet --seeds 3",
)
def neighbour_loss(
    events: Annotated[Path, typer.Option(help="user_id, item_id [, at or pos] [, split].")],
    items: Items,
    columns: Columns = "",
    own_split: Annotated[
        bool,
        typer.Option("--own-split/--hide", help="New items of the file's test split, or a fifth hidden."),
    ] = True,
    seeds: Seeds = 3,
    json: Json = None,
) -> None:
    """Items nobody has met, by content alone and by towers trained without and with what is kept together."""
    from dataclasses import replace

    from bowerbird.cli.display import BarProgress
    from bowerbird.evaluation.bench.fitting import BenchPlan
    from bowerbird.evaluation.bench.neighbour_loss import run_neighbour_loss
    from bowerbird.recommenders.item_content import content_vectors, item_words

    read = event_file(events, columns)
    met, table = interactions_of(read, events, liked=True), item_table(items, columns)
    content = content_vectors(table, met.item_ids, items.name, BarProgress())
    plan = BenchPlan(("neighbour-loss",), seeds, progress=BarProgress())
    met = replace(met, content=content, split=met.split if own_split else None)
    show(run_neighbour_loss(met, item_words(table, met.item_ids), plan), json, read.notes)


@app.command(
    "near-duplicates",
    epilog="Example: bowerbird bench near-duplicates --images photos/ --limit 2000 --copies 300",
)
def near_duplicates(
    images: Images,
    limit: Annotated[int, typer.Option(min=8, help="Most pictures of the catalogue.")] = 2000,
    copies: Annotated[int, typer.Option(min=1, help="Pictures that get a light and a strong copy.")] = 300,
    seeds: Seeds = 1,
    json: Json = None,
) -> None:
    """Which altered copies are found among a catalogue; the copies are made here, from a seed."""
    from bowerbird.cli.display import BarProgress
    from bowerbird.evaluation.bench.near_duplicates import run_near_duplicates

    show(run_near_duplicates(images, limit, copies, seeds, progress=BarProgress()), json)
