"""How an evaluation looks in a terminal."""

from __future__ import annotations

from pathlib import Path

from rich.table import Table
from rich.text import Text

from bowerbird.cli.display import console
from bowerbird.evaluation.outcome import Evaluation
from bowerbird.workspace.summary import brief, surface_rows, truth_rows


def show_evaluation(found: Evaluation, page: Path) -> None:
    """Print what is there, each signal, each surface, the truth, and where the page is."""
    people = "simulated people" if found.simulated else "people"
    console.print(
        Text.assemble(
            "\n",
            (found.workspace, "bold"),
            f": {found.items:,} items, {found.people:,} {people}, {found.events:,} events",
        )
    )
    _show_signals(found)
    _show_surfaces(found)
    if found.truth:
        _show_truth(found)
    for note in found.notes:
        console.print(f"Note: {note}", highlight=False)
    if found.simulated:
        console.print("\nAll people are simulated; pictures and words are real.", highlight=False)
    if found.credit:
        console.print(found.credit, highlight=False)
    console.print(f"Report: {page}", highlight=False, soft_wrap=True)


def _show_signals(found: Evaluation) -> None:
    table = _table("signal", "coverage", "seconds", "note", right=("coverage", "seconds"))
    for line in found.signals:
        seconds = "" if line.seconds is None else f"{line.seconds:.1f}"
        table.add_row(line.name, f"{line.coverage:.0%}", seconds, line.note)
    console.print(table, highlight=False)


def _show_surfaces(found: Evaluation) -> None:
    if not found.surfaces:
        return
    console.print(
        f"\nQuality on held-out events, ± half a 95 % interval over people. {_sentence(found.protocol)}",
        highlight=False,
    )
    table = _table(
        "surface", "metric", "ours", "baseline", "difference", "median / p99", right=("median / p99",)
    )
    missing = []
    for row in surface_rows(found):
        if row.note:
            missing.append(f"{row.surface}: {row.note}")
        else:
            table.add_row(row.surface, row.metric, row.ours, row.baseline, row.difference, row.latency)
    console.print(table, highlight=False)
    for line in missing:
        console.print(line, highlight=False)


def _show_truth(found: Evaluation) -> None:
    console.print("\nAgainst the truth of the simulated people", highlight=False)
    table = _table("what", "n", "ours", "popularity", "random", right=("n",))
    for row in truth_rows(found):
        table.add_row(row.what, row.n, row.ours, row.popularity, row.random)
    console.print(table, highlight=False)


def show_cohorts(found: Evaluation) -> None:
    """Print the numbers of each cohort."""
    rows = [measure for surface in found.surfaces for measure in surface.cohorts]
    if not rows:
        return
    console.print("\nCohorts of homefeed", highlight=False)
    table = _table("cohort", "metric", "n", "ours", "popularity", "definition", right=("n",))
    for one in rows:
        table.add_row(
            one.group, one.metric, f"{one.n:,}", brief(one.ours), brief(one.others["popularity"]), one.about
        )
    console.print(table, highlight=False)


def _table(*columns: str, right: tuple[str, ...] = ()) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    return table


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "." if text else ""
