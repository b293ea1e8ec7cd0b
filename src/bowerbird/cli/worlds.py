"""``bowerbird demo`` and ``bowerbird evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bowerbird.cli.options import JsonOption, SetOption, WorkspaceOption, opened

if TYPE_CHECKING:
    from bowerbird.workspace import Workspace


def demo(
    directory: Annotated[Path, typer.Argument(help="Directory of the workspace.")] = Path("demo"),
    seed: Annotated[int, typer.Option(min=0, help="Another seed is another world of people.")] = 7,
    as_json: JsonOption = False,
) -> None:
    """Make a complete workspace on the demo world: real pictures and words, simulated people.

    Builds and evaluates it and prints a summary. Running it again changes nothing.

    Example: bowerbird demo
    """
    from bowerbird.cli.display import BarProgress, print_json
    from bowerbird.cli.reports import show_evaluation
    from bowerbird.simulation.settings import WorldSettings
    from bowerbird.workspace.demo import demo_workspace

    progress = BarProgress(quiet=as_json)
    space = demo_workspace(directory, WorldSettings(seed=seed), progress=progress)
    space.build(progress=progress)
    found = space.evaluate(progress=progress)
    if as_json:
        print_json(found)
        return
    show_evaluation(found, _page(space))
    _next_commands(directory)


def evaluate(
    days: Annotated[float, typer.Option(min=0.1, help="Length of the test, days.")] = 7.0,
    cases: Annotated[int, typer.Option(min=1, help="Most requests per surface.")] = 200,
    workspace: WorkspaceOption = None,
    overrides: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """How good the answers are: split by time, baselines, cohorts, intervals.

    Models learn from events before the split and are asked about what came after. Writes
    reports/evaluation.json and reports/report.html.

    Example: bowerbird evaluate -w shop
    """
    from bowerbird.cli.display import BarProgress, print_json
    from bowerbird.cli.reports import show_cohorts, show_evaluation
    from bowerbird.workspace.evaluating import EvaluationOptions

    space = opened(workspace, overrides)
    found = space.evaluate(EvaluationOptions(days=days, cases=cases), BarProgress(quiet=as_json))
    if as_json:
        print_json(found)
        return
    show_evaluation(found, _page(space))
    show_cohorts(found)


def _page(space: Workspace) -> Path:
    from bowerbird.workspace.evaluating import PAGE

    return space.layout.reports / PAGE


def _next_commands(directory: Path) -> None:
    typer.echo("\nNext:")
    typer.echo(f"  bowerbird serve -w {directory}")
    typer.echo(f"  bowerbird ask homefeed --user u17 --n 12 --explain -w {directory}")
    typer.echo(f"  bowerbird ask related --item i203 -w {directory}")
    typer.echo(f'  bowerbird ask search "red flowers" -w {directory}')
    typer.echo(f"  bowerbird ask growth --budget 20 -w {directory}")
    typer.echo(f"  bowerbird ask ads --user u17 -w {directory}")
