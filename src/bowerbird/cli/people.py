"""What is understood of a person, in a terminal; and what the person says to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from bowerbird.cli.options import JsonOption, WorkspaceOption, opened

if TYPE_CHECKING:
    from bowerbird.pipeline.release import Release
    from bowerbird.records.person_portrait import PersonPortrait, Proof, TimelineBin
    from bowerbird.workspace.audiences import FoundAudience

SHOWN_INTERESTS = 10
SHOWN_PROOFS = 4
SHOWN_MEDOIDS = 8
MOST_TITLE = 60
"""Characters of a title; shops write whole paragraphs."""
BLOCKS = "▁▂▃▄▅▆▇█"


def mute(
    user_id: Annotated[str, typer.Argument(help="Whose interest.")],
    interest: Annotated[str, typer.Argument(help="Path of a category, as `ask user` shows it.")],
    delete: Annotated[
        bool,
        typer.Option("--delete", help="Forget it instead: what the person did under it no longer counts."),
    ] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Allow it again.")] = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Mute (or delete) one of a person's interests; the next slate obeys.

    Example: bowerbird mute u17 food/bread
    """
    from bowerbird.cli.display import console, print_json, visible

    if delete and undo:
        raise typer.BadParameter("expected --delete or --undo, not both", param_hint="--undo")
    wish = None if undo else "delete" if delete else "mute"
    refused = opened(workspace).refuse_interest(user_id, interest, wish)
    if as_json:
        print_json({"user_id": user_id, "refused": {one.interest: one.wish for one in refused}})
        return
    listed = ", ".join(f"{one.interest} ({one.wish}d)" for one in refused) or "nothing"
    console.print(visible(f"{user_id} refuses: {listed}"), highlight=False)


def show_audience(found: FoundAudience) -> None:
    """Print an audience: who, how alike, and how well held-back seeds were told from others."""
    from rich.table import Table

    from bowerbird.cli.display import console, visible

    table = Table(box=None, header_style="bold")
    for column in ("#", "person", "score"):
        table.add_column(column, justify="left" if column == "person" else "right")
    for place, (user_id, score) in enumerate(zip(found.user_ids, found.scores, strict=True), start=1):
        table.add_row(str(place), visible(user_id), f"{score:.3f}")
    console.print(table, highlight=False)
    unknown = f", {found.seeds_unknown:,} unknown left out" if found.seeds_unknown else ""
    console.print(
        f"{len(found.user_ids):,} people like {found.seeds_known:,} seeds{unknown}, by {found.method} over "
        f"{found.vectors}. Held-back seeds against others: AUC {found.auc:.3f}; by centroid {found.centroid_auc:.3f}.",
        highlight=False,
    )


def show_person(portrait: PersonPortrait, release: Release) -> None:
    """Print a person's state, interests with the events they rest on, people alike and a timeline."""
    from rich.text import Text

    from bowerbird.cli.display import console, visible
    from bowerbird.clock import format_time

    def said(text: str) -> None:
        console.print(visible(text), highlight=False)

    def item(item_id: str) -> str:
        found = release.items[release.item_row(item_id)]
        title = found.title or found.description or ""
        cut = title if len(title) <= MOST_TITLE else f"{title[: MOST_TITLE - 1].rstrip()}…"
        return f"{item_id} ({cut})" if cut else item_id

    when = "" if release.logical_time else f"  as of {format_time(portrait.as_of)}"
    console.print(Text.assemble((visible(portrait.user_id), "bold"), when))
    said(_state(portrait))
    said(f"  {portrait.events:,} events, {portrait.actions:,} of them positive actions")
    if portrait.timeline:
        said(f"  {sparkline(portrait.timeline)}  {_width(portrait.timeline, logical=release.logical_time)}")
    console.print("\nInterests", style="bold")
    _show_interests(portrait, said, item)
    # where interests are not categories, the medoids are the interests
    if portrait.medoids and all(one.by == "category" for one in portrait.interests):
        console.print("\nWhat stands for their clusters", style="bold")
        for one in portrait.medoids[:SHOWN_MEDOIDS]:
            said(f"  {one.importance:4.0%}  {item(one.item_id)}  of {len(one.members)}")
    if portrait.expected:
        console.print("\nWhat the long-term vector expects of the weeks to come", style="bold")
        said("  " + ", ".join(item(one) for one in portrait.expected))
    if portrait.nearest:
        console.print(f"\nPeople alike, by {portrait.nearest[0].by} (cosine; 1 is the same)", style="bold")
        said("  " + ", ".join(f"{one.user_id} {one.similarity:.2f}" for one in portrait.nearest))
    if portrait.vectors:
        console.print("\nVectors", style="bold")
        for one in portrait.vectors:
            said(
                f"  {one.name} {one.version}  {one.producer}{'' if one.present else '; none of this person'}"
            )
    for note in portrait.notes:
        said(f"Note: {note}")


def _show_interests(
    portrait: PersonPortrait, said: Callable[[str], None], item: Callable[[str], str]
) -> None:
    """The largest interests with their evidence, and what the person refused."""
    for one in portrait.interests[:SHOWN_INTERESTS]:
        lift = f"  {one.lift:.1f}x expected" if one.lift is not None else ""
        searched = f", {one.searches} searches" if one.searches else ""
        said(f"  {one.weight:4.0%}  {one.interest if one.by == 'category' else item(one.interest)}{lift}")
        said(f"        {_proofs(one.evidence, item)}{searched}")
    if len(portrait.interests) > SHOWN_INTERESTS:
        said(f"  and {len(portrait.interests) - SHOWN_INTERESTS} smaller ones; --json has all")
    if not portrait.interests:
        said("  none with enough evidence yet")
    for interest, wish in portrait.refused.items():
        said(f"  {wish}d by the person: {interest}")


def _proofs(evidence: tuple[Proof, ...], item: Callable[[str], str]) -> str:
    """The newest items with what was done to them; the same again is counted, not repeated."""
    done: dict[str, Counter[str]] = {}
    for proof in evidence:
        done.setdefault(proof.item_id, Counter())[proof.action] += 1
    told = [
        f"{item(item_id)} "
        + ", ".join(f"{action}{f' {count} times' if count > 1 else ''}" for action, count in actions.items())
        for item_id, actions in list(done.items())[:SHOWN_PROOFS]
    ]
    more = f"; {len(done) - SHOWN_PROOFS} more items" if len(done) > SHOWN_PROOFS else ""
    return "; ".join(told) + more


def sparkline(timeline: tuple[TimelineBin, ...]) -> str:
    """One block per stretch, as high as its share of the busiest one; a dot where nothing happened.

    Example:
        >>> from bowerbird.records.person_portrait import TimelineBin
        >>> sparkline((TimelineBin(0, 1, {"save": 4}), TimelineBin(1, 2, {}), TimelineBin(2, 3, {"save": 1})))
        '█·▂'
    """
    totals = [sum(one.counts.values()) for one in timeline]
    most = max(totals)
    return "".join(BLOCKS[-(-total * len(BLOCKS) // most) - 1] if total else "·" for total in totals)


def _state(portrait: PersonPortrait) -> str:
    parts = [portrait.state or "no state"]
    if portrait.p_return is not None:
        parts.append(f"{portrait.p_return:.0%} likely to come back within {portrait.return_days} days")
    likely = sorted(portrait.next_states.items(), key=lambda one: -one[1])[:3]
    if likely:
        later = ", ".join(f"{name} {share:.0%}" for name, share in likely if share > 0)
        parts.append(f"four weeks later people in this state are {later}")
    return "  " + "; ".join(parts)


def _width(timeline: tuple[TimelineBin, ...], *, logical: bool) -> str:
    width = timeline[0].until - timeline[0].since
    if logical:
        return f"{width:,} event{'s' if width > 1 else ''} a block, oldest first"
    weeks = width // (7 * 86_400_000_000)
    return f"{weeks} weeks a block, oldest first" if weeks > 1 else "a week a block, oldest first"
