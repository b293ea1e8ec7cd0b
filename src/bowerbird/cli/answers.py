"""How answers look in a terminal."""

from __future__ import annotations

from typing import Any

from rich.table import Table
from rich.text import Text

from bowerbird.cli.display import console, plain, visible
from bowerbird.clock import format_time
from bowerbird.pipeline.release import Release
from bowerbird.pipeline.why_not import WhyNot
from bowerbird.records.portrait import Evidence, ItemPortrait, SignalFact
from bowerbird.records.slate import NotificationPlan, Slate, SlateEntry

SHOWN_DROPS = 5
SHOWN_EVIDENCE = 8


def show_slate(slate: Slate, release: Release, *, explain: bool) -> None:
    """Print a slate; with ``explain`` also why, what was dropped and what each stage did."""
    console.print(
        Text.assemble((slate.surface, "bold"), f"{_as_of(slate.as_of, release)}  request {slate.request_id}")
    )
    table = Table(box=None, header_style="bold")
    columns = ["#", "item", "title", "category", "score"]
    prices = [_price(entry, slate.surface, release) for entry in slate.entries]
    columns += ["price"] if any(prices) else []
    columns += ["because"]
    for column in columns:
        table.add_column(
            column, justify="right" if column in ("#", "score", "price") else "left", overflow="fold"
        )
    for entry, price in zip(slate.entries, prices, strict=True):
        item = release.items[release.item_row(entry.item_id)]
        cells = [
            str(entry.position + 1),
            visible(entry.item_id),
            visible(item.title or ""),
            visible(item.category or ""),
            f"{entry.score:.4f}",
        ]
        if "price" in columns:
            cells.append(price)
        why = [f"{one.source}" + (f" of {one.because_of}" if one.because_of else "") for one in entry.because]
        table.add_row(*cells, visible(", ".join(why)))
    console.print(table, highlight=False)
    if not slate.entries:
        console.print("Nothing to show.")
    for note in slate.notes:
        console.print(f"Note: {visible(note)}", highlight=False)
    if explain:
        _show_explanation(slate, release)


def show_why_not(found: WhyNot) -> None:
    """Print where an item ended, and how near each source came to it."""
    console.print(f"{visible(found.item_id)} in {found.surface}: {found.reason}", highlight=False)
    console.print(f"  ended at: {found.stage}", highlight=False)
    if found.value is not None:
        parts = " ".join(f"{name} {value:+.4f}" for name, value in (found.terms or {}).items())
        console.print(
            f"  value {found.value:.4f} = {parts}; place {found.rank} of {found.candidates}, "
            f"the least shown has {found.least_shown:.4f}",
            highlight=False,
        )
    for one in found.sources:
        place = f"place {one.rank}" if one.rank is not None else "not in its list"
        console.print(f"  source {one.source}: {place}, it may bring {one.quota}", highlight=False)


def _as_of(at: int, release: Release) -> str:
    """The time an answer stands at; an order without times has none to show."""
    if release.logical_time or at <= 0:
        return ""
    return f" as of {format_time(at)}"


def _price(entry: SlateEntry, surface: str, release: Release) -> str:
    """What a click on an ad costs its advertiser, or what a product costs."""
    if entry.price is not None:
        return f"{entry.price:.2f}"
    item = release.items[release.item_row(entry.item_id)]
    if surface != "shopping" or item.price is None:
        return ""
    return f"{item.price:.2f} {item.currency or ''}".strip()


def _show_explanation(slate: Slate, release: Release) -> None:
    console.print(Text.assemble("\n", ("Scores", "bold"), ": the terms add up"))
    for entry in slate.entries:
        terms = "  ".join(f"{name} {value:+.4f}" for name, value in entry.terms.items())
        console.print(f"  {visible(entry.item_id)}: {entry.score:.4f} = {terms}", highlight=False)
    if slate.dropped:
        console.print("\nDropped", style="bold")
        for drop in slate.dropped:
            names = release.items.vocabulary.names(drop.rows[:SHOWN_DROPS])
            more = f" and {len(drop.rows) - SHOWN_DROPS} more" if len(drop.rows) > SHOWN_DROPS else ""
            console.print(
                f"  {len(drop.rows)} by {drop.stage}: {drop.reason}: {visible(', '.join(names))}{more}",
                highlight=False,
            )
    console.print("\nStages", style="bold")
    table = Table(box=None, header_style="bold")
    for column in ("stage", "in", "out", "ms", "note"):
        table.add_column(column, justify="left" if column in ("stage", "note") else "right")
    for stage in slate.trace:
        table.add_row(
            stage.stage, str(stage.candidates_in), str(stage.candidates_out), f"{stage.ms:.1f}", stage.note
        )
    console.print(table, highlight=False)


def explained(slate: Slate, release: Release) -> dict[str, Any]:
    """A slate for machines with item ids in place of rows."""
    document = plain(slate)
    document["dropped"] = [
        {"stage": drop.stage, "reason": drop.reason, "items": release.items.vocabulary.names(drop.rows)}
        for drop in slate.dropped
    ]
    return document


def show_plan(plan: NotificationPlan, release: Release) -> None:
    """Print whom to notify and what became of the others."""
    console.print(
        Text.assemble(
            ("growth", "bold"),
            f"{_as_of(plan.as_of, release)}: {len(plan.notifications)} of {plan.budget} notifications,",
            f" {plan.considered:,} people considered",
        )
    )
    table = Table(box=None, header_style="bold")
    for column in ("person", "state", "returns alone", "responds", "gain", "items"):
        table.add_column(column, justify="left" if column in ("person", "state", "items") else "right")
    for one in plan.notifications:
        cells = (
            f"{one.p_return:.0%}",
            f"{one.p_response:.0%}",
            f"{one.gain:.3f}",
            visible(" ".join(one.item_ids)),
        )
        table.add_row(visible(one.user_id), one.state, *cells)
    console.print(table, highlight=False)
    for reason, count in plan.held_back.items():
        console.print(f"Held back: {count:,} {reason}", highlight=False)
    for note in plan.notes:
        console.print(f"Note: {visible(note)}", highlight=False)


def show_portrait(portrait: ItemPortrait, release: Release) -> None:
    """Print every signal of an item: what it says, how sure it is, what it rests on, and who made it."""
    item = release.items[portrait.row]
    console.print(Text.assemble((visible(portrait.item_id), "bold"), f"  {visible(item.title or '')}"))
    facts = [("category", item.category), ("brand", item.brand), ("creator", item.creator_id)]
    facts += [
        ("price", f"{item.price:.2f} {item.currency or ''}".strip() if item.price is not None else None)
    ]
    facts += [(name, str(value)) for name, value in item.attributes.items()]
    facts += [("events", "  ".join(f"{name} {count:,}" for name, count in portrait.counts.items()) or "none")]
    facts += [("collections", ", ".join(portrait.collections) or None)]
    for name, value in facts:
        if value:
            console.print(f"  {visible(name)}: {visible(value)}", highlight=False)
    for signal in portrait.signals:
        made = f"{signal.producer}, version {signal.version[:12]}"
        console.print(Text.assemble("\n", (visible(signal.name), "bold"), f"  by {visible(made)}"))
        for fact in signal.facts:
            console.print(f"  {visible(_said(fact))}", highlight=False)
            if fact.evidence:
                console.print(f"    {visible(_resting_on(fact.evidence, release))}", highlight=False)
        if not signal.facts:
            console.print("  nothing of this item")


def _said(fact: SignalFact) -> str:
    text = f"{fact.name}: {fact.value}" if fact.name else fact.value
    text += f"  {fact.confidence:.0%} sure" if fact.confidence is not None else ""
    text += "  abstained" if fact.abstained else ""
    return "  ".join([text, *(f"{name} {value}" for name, value in fact.details.items())])


def _resting_on(evidence: tuple[Evidence, ...], release: Release) -> str:
    parts = []
    for one in evidence[:SHOWN_EVIDENCE]:
        title = release.items[release.row_of[one.item_id]].title if one.item_id in release.row_of else None
        near = f" {one.similarity:.2f}" if one.similarity is not None else ""
        parts.append(f"{one.item_id}{f' ({title})' if title else ''}{near}")
    return ", ".join(parts)
