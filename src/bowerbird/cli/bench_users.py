"""``bowerbird bench TASK`` for what is understood of people."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bowerbird.cli.bench import Columns, Json, Seeds, app, event_file, item_table, show

__all__ = ["app"]


@app.command(
    "user-probe", epilog="Example: bowerbird bench user-probe --events retail.parquet --horizon-days 14"
)
def user_probe(
    events: Annotated[
        Path | None,
        typer.Option(
            help="Events with user_id, item_id, at [, action, value | price and quantity, category, title]."
        ),
    ] = None,
    columns: Columns = "",
    horizon_days: Annotated[int, typer.Option(min=1, help="Days that are predicted.")] = 14,
    items: Annotated[Path | None, typer.Option(help="Items with item_id [, category, title, price].")] = None,
    models: Annotated[str, typer.Option(help="Names by comma, or `list` to see them.")] = "all",
    seeds: Seeds = 3,
    json: Json = None,
) -> None:
    """One frozen vector per person, graded by fixed probes: churn, categories, products, spending."""
    from bowerbird.cli.display import BarProgress
    from bowerbird.errors import did_you_mean
    from bowerbird.evaluation.bench.user_probe import run_user_probe
    from bowerbird.evaluation.bench.user_probe_rows import CONTENDERS

    if models == "list":
        for name, contender in CONTENDERS.items():
            typer.echo(f"{name:16} {contender.about}")
        return
    chosen = list(CONTENDERS) if models == "all" else [name.strip() for name in models.split(",")]
    for name in chosen:
        if name not in CONTENDERS:
            raise typer.BadParameter(
                f"{name!r} is unknown; {did_you_mean(name, CONTENDERS)}", param_hint="--models"
            )
    read = event_file(events, columns, "user_id, item_id, at")
    report = run_user_probe(
        read.table,
        item_table(items, columns) if items is not None else None,
        horizon_days,
        seeds,
        models=chosen,
        where=events.name if events is not None else "events",
        progress=BarProgress(),
    )
    show(report, json, read.notes)


@app.command("returns", epilog="Example: bowerbird bench returns --events retail.parquet --horizon-days 7")
def returns(
    events: Annotated[Path, typer.Option(help="Events with user_id, item_id, at [, action].")],
    columns: Columns = "",
    horizon_days: Annotated[int, typer.Option(min=1, help="Coming back means within so many days.")] = 7,
    windows: Annotated[int, typer.Option(min=1, help="Windows at the end of the log that are asked.")] = 4,
    json: Json = None,
) -> None:
    """Who comes back within some days, and whether the probability means what it says."""
    from bowerbird.cli.display import BarProgress
    from bowerbird.evaluation.bench.returns import run_returns

    read = event_file(events, columns)
    report = run_returns(read.table, horizon_days, windows, where=events.name, progress=BarProgress())
    show(report, json, read.notes)


@app.command("staleness", epilog="Example: bowerbird bench staleness --events events.parquet --seeds 3")
def staleness(
    events: Annotated[Path, typer.Option(help="Events with user_id, item_id, at [, action].")],
    columns: Columns = "",
    horizon_days: Annotated[int, typer.Option(min=1, help="Days that are predicted.")] = 7,
    future_days: Annotated[
        float, typer.Option(min=1.0, help="Days the long-term objective looks ahead.")
    ] = 28.0,
    seeds: Seeds = 3,
    json: Json = None,
) -> None:
    """How good a person's vector still is when it is days old, beside next-action training."""
    from bowerbird.cli.display import BarProgress
    from bowerbird.evaluation.bench.staleness import run_staleness

    read = event_file(events, columns)
    report = run_staleness(
        read.table,
        horizon_days,
        seeds,
        future_days=future_days,
        where=events.name,
        progress=BarProgress(),
    )
    show(report, json, read.notes)


@app.command(
    "foundation", epilog="Example: bowerbird bench foundation --events events.parquet --items items.parquet"
)
def foundation(
    events: Annotated[
        Path, typer.Option(help="Events with user_id, item_id, at [, action, surface]; one surface without.")
    ],
    columns: Columns = "",
    items: Annotated[
        Path | None,
        typer.Option(help="Items with item_id and their words; without, nothing is known of new items."),
    ] = None,
    seeds: Seeds = 1,
    json: Json = None,
) -> None:
    """One encoder pretrained on all surfaces and tuned to each, beside one trained from scratch for each."""
    from bowerbird.cli.display import BarProgress
    from bowerbird.evaluation.bench.foundation import run_foundation

    read = event_file(events, columns)
    report = run_foundation(
        read.table,
        item_table(items, columns) if items is not None else None,
        seeds,
        where=events.name,
        progress=BarProgress(),
    )
    show(report, json, read.notes)
