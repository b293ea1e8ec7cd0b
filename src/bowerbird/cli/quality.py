"""``bowerbird quality``: what the policy decided, and how much of what people see breaks a rule."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bowerbird.cli.options import JsonOption, WorkspaceOption, opened

if TYPE_CHECKING:
    from bowerbird.workspace.prevalence import LabelledPrevalence

app = typer.Typer(no_args_is_help=True, help="Quality and safety: the policy's decisions, and prevalence.")


@app.command("policy")
def policy(workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """How many items each rule of [policy] limits or drops, by surface.

    Example: bowerbird quality policy -w shop
    """
    from rich.table import Table

    from bowerbird.cli.display import console, print_json, visible
    from bowerbird.workspace.policy_counts import policy_counts

    counts = policy_counts(opened(workspace).workbench())
    if as_json:
        print_json(counts)
        return
    table = Table(box=None, header_style="bold")
    for column in ("rule", "surface", "decision", "items", "reason"):
        table.add_column(column, justify="right" if column == "items" else "left")
    for one in counts.decided:
        table.add_row(one.rule, one.surface, one.decision, f"{one.items:,}", visible(one.reason))
    if counts.decided:
        console.print(table, highlight=False)
    console.print(f"{counts.items:,} items, {counts.free:,} allowed everywhere", highlight=False)
    for note in counts.notes:
        console.print(f"Note: {visible(note)}", highlight=False)


@app.command("prevalence")
def prevalence(
    of: Annotated[str, typer.Option("--of", help="The score that steers the draw: nsfw or spam.")] = "nsfw",
    risk: Annotated[
        Path | None,
        typer.Option("--risk", help="A table with item_id and risk in [0, 1] to steer it instead."),
    ] = None,
    sample: Annotated[int, typer.Option("--sample", min=2, help="Draws; an item may be drawn twice.")] = 200,
    days: Annotated[
        float | None, typer.Option("--days", min=0.01, help="Count impressions of the last days only.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Another seed draws other items.")] = 7,
    to: Annotated[
        Path | None, typer.Option("--to", help="Write the sample here, for people to label.")
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option("--labels", help="A sample with its column `label` filled in: 1 bad, 0 fine."),
    ] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Which share of impressions is bad: draw a sample, label it, read the share with its interval.

    Example: bowerbird quality prevalence --of spam --sample 200 --to sample.csv
    """
    from bowerbird.cli.display import console, print_json
    from bowerbird.errors import InputError, NotFoundError
    from bowerbird.workspace.prevalence import SampleOptions, labelled_prevalence, write_sample

    if (to is None) == (labels is None):
        raise InputError("prevalence: give --to to draw a sample, or --labels to read a labelled one")
    for name, file in (("--labels", labels), ("--risk", risk)):
        if file is not None and not file.is_file():
            raise NotFoundError(f"{name} {file}: no such file")
    if labels is not None:
        _show_labelled(labelled_prevalence(labels), as_json=as_json)
        return
    assert to is not None
    bench = opened(workspace).workbench()
    drawn, counted = write_sample(bench, to, SampleOptions(of, risk, sample, days, seed))
    if as_json:
        print_json(
            {"items": len(drawn.rows), "draws": int(drawn.draws.sum()), "by": counted, "file": str(to)}
        )
        return
    console.print(
        f"{to}: {len(drawn.rows):,} items in {int(drawn.draws.sum()):,} draws, by risk and {counted}.\n"
        f"Fill in `label` (1 bad, 0 fine), then: bowerbird quality prevalence --labels {to}",
        highlight=False,
    )


def _show_labelled(read: LabelledPrevalence, *, as_json: bool) -> None:
    from bowerbird.cli.display import console, print_json

    if as_json:
        print_json(read)
        return
    found = read.found
    console.print(
        f"Bad share of impressions: {found.share:.3%}, 95 % interval {found.low:.3%} to {found.high:.3%}\n"
        f"From {found.draws:,} labelled draws ({found.bad_draws:,} bad), worth {found.effective:,.0f} plain ones.",
        highlight=False,
    )
    if read.unlabelled:
        console.print(
            f"Note: {read.unlabelled:,} items have no label; this holds if they are like the others.",
            highlight=False,
        )
