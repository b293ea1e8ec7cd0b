"""Bench commands of serving: what scoring costs."""

from __future__ import annotations

from typing import Annotated

import typer

from bowerbird.cli.bench import Json, app, show


@app.command("score", epilog="Example: bowerbird bench score --history 100 --candidates 200")
def score(
    history: Annotated[list[int] | None, typer.Option(min=1, help="Steps of a history; repeatable.")] = None,
    candidates: Annotated[
        list[int] | None, typer.Option(min=1, help="Candidates of a request; repeatable.")
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Requests timed per row and seed.")] = 10,
    seeds: Annotated[int, typer.Option(min=1, help="Draws of weights, histories and candidates.")] = 3,
    json: Json = None,
) -> None:
    """Candidates per CPU-second when a history is encoded once for all of them, beside the naive way."""
    from bowerbird.cli.display import BarProgress
    from bowerbird.evaluation.bench.score import run_score

    shapes = (tuple(history or (100, 256)), tuple(candidates or (200, 1000)))
    show(run_score(*shapes, repeats, seeds, BarProgress()), json)
