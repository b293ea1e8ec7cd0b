"""Bench commands of serving: what scoring costs, and which ranker is better on a workspace's own log."""

from __future__ import annotations

from typing import Annotated

import typer

from bowerbird.cli.bench import Json, Seeds, app, show
from bowerbird.cli.options import WorkspaceOption, names_between_commas, opened


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


@app.command("ranker", epilog="Example: bowerbird bench ranker -w demo --kinds trees,neural")
def ranker(
    workspace: WorkspaceOption = None,
    kinds: Annotated[
        str, typer.Option(help="Kinds of rankers by comma: trees, neural (needs torch).")
    ] = "trees,neural",
    seeds: Seeds = 1,
    candidates: Annotated[int, typer.Option(min=1, help="Candidates of a timed request.")] = 500,
    json: Json = None,
) -> None:
    """Rankers trained on a built workspace's impressions: AUC, log loss, calibration of each head, cost of a request."""
    from bowerbird.cli.display import BarProgress
    from bowerbird.errors import InputError, did_you_mean
    from bowerbird.evaluation.bench.ranker import KINDS, run_ranker
    from bowerbird.workspace.loading import loaded_release
    from bowerbird.workspace.workbench import Workbench

    named = names_between_commas(kinds)
    if not named:
        raise InputError(f"bench ranker: no kind is named; expected some of {', '.join(KINDS)}")
    for name in named:
        if name not in KINDS:
            raise InputError(f"bench ranker: unknown kind {name!r}; {did_you_mean(name, KINDS)}")
    space = opened(workspace)
    bench = Workbench(space.layout, space.settings)
    release = loaded_release(bench, with_ranker=False)
    report = run_ranker(
        release,
        bench.events,
        tuple(kind for kind in KINDS if kind in named),
        seeds,
        candidates,
        BarProgress(),
    )
    show(report, json)
