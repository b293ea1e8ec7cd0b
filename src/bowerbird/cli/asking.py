"""``bowerbird ask``: one question to a surface, answered in the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bowerbird.cli.options import JsonOption, WorkspaceOption, opened, time_or_none

app = typer.Typer(
    no_args_is_help=True,
    help="Ask a surface: homefeed, related, search, shopping, growth, ads; or what is known of an item.",
)

User = Annotated[str | None, typer.Option("--user", help="Who asks.")]
Item = Annotated[str | None, typer.Option("--item", help="The item it is about.")]
Image = Annotated[Path | None, typer.Option("--image", help="A picture file.")]
Length = Annotated[int | None, typer.Option("--n", min=1, max=500, help="How many items.")]
AsOf = Annotated[
    str | None, typer.Option("--as-of", help="A time, e.g. 2026-01-31; the build's own by default.")
]
Explain = Annotated[bool, typer.Option("--explain", help="Show sources, evidence, terms, drops and stages.")]


@app.command("homefeed")
def homefeed(
    user: User = None,
    n: Length = None,
    as_of: AsOf = None,
    exclude: Annotated[
        list[str] | None, typer.Option("--exclude", help="An item not to show. Repeatable.")
    ] = None,
    boost: Annotated[
        list[str] | None,
        typer.Option("--boost", help="CONDITION:STRENGTH, e.g. category=home:0.5. Repeatable."),
    ] = None,
    explain: Explain = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """What should this person see now.

    Example: bowerbird ask homefeed --user u17 --n 12 --explain
    """
    from bowerbird.records.request import Wish, boosts_of

    wish = Wish(exclude=tuple(exclude or ()), boosts=boosts_of(boost or ()))
    _ask("homefeed", workspace, as_json, explain, user=user, n=n, as_of=as_of, wish=wish)


@app.command("related")
def related(
    item: Item = None,
    user: User = None,
    n: Length = None,
    as_of: AsOf = None,
    explain: Explain = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """What goes with this item.

    Example: bowerbird ask related --item i203
    """
    _ask("related", workspace, as_json, explain, item=item, user=user, n=n, as_of=as_of)


@app.command("search")
def search(
    query: Annotated[str | None, typer.Argument(help="Words.")] = None,
    image: Image = None,
    without: Annotated[
        str | None, typer.Option("--not", help="Words for what is not wanted, e.g. short sleeves.")
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", help="A condition, e.g. category=home, price<=50, colour=red. Repeatable."),
    ] = None,
    user: User = None,
    n: Length = None,
    as_of: AsOf = None,
    explain: Explain = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """What answers these words, this picture, or both.

    Example: bowerbird ask search "red flowers" --image photo.jpg --not roses
    """
    from bowerbird.records.request import Wish

    wish = Wish(without=without, only=tuple(only or ()))
    _ask(
        "search",
        workspace,
        as_json,
        explain,
        query=query,
        image=image,
        user=user,
        n=n,
        as_of=as_of,
        wish=wish,
    )


@app.command("shopping")
def shopping(
    image: Image = None,
    item: Item = None,
    query: Annotated[str | None, typer.Option("--query", help="Words.")] = None,
    user: User = None,
    n: Length = None,
    as_of: AsOf = None,
    explain: Explain = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Which products are in or like this picture, and what goes with them.

    Example: bowerbird ask shopping --image room.jpg
    """
    _ask(
        "shopping",
        workspace,
        as_json,
        explain,
        image=image,
        item=item,
        query=query,
        user=user,
        n=n,
        as_of=as_of,
    )


@app.command("ads")
def ads(
    user: User = None,
    n: Length = None,
    as_of: AsOf = None,
    explain: Explain = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Which ads, for whom, at what price; budgets are held, never exceeded.

    Example: bowerbird ask ads --user u17
    """
    _ask("ads", workspace, as_json, explain, user=user, n=n, as_of=as_of)


@app.command("growth")
def growth(
    budget: Annotated[int, typer.Option("--budget", min=0, help="Most notifications to send.")] = 100,
    as_of: AsOf = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Whom to notify, with which items, under a budget.

    Example: bowerbird ask growth --as-of 2026-01-31 --budget 200
    """
    from bowerbird.cli.answers import show_plan
    from bowerbird.cli.display import print_json

    space = opened(workspace)
    plan = space.plan_notifications(budget, time_or_none(as_of))
    if as_json:
        print_json(plan)
    else:
        show_plan(plan, space.answers.release)


@app.command("why-not")
def why_not(
    missing: Annotated[str, typer.Option("--item", help="The item that is not shown.")],
    user: User = None,
    surface: Annotated[str, typer.Option(help="homefeed, related, search or shopping.")] = "homefeed",
    about: Annotated[str | None, typer.Option("--about", help="The item asked about (related).")] = None,
    query: Annotated[str | None, typer.Option("--query", help="Words (search, shopping).")] = None,
    n: Length = None,
    as_of: AsOf = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Why an item is not shown to a person: the stage it ended at, and how near it came.

    Example: bowerbird ask why-not --user u17 --item i203
    """
    from bowerbird.cli.answers import show_why_not
    from bowerbird.cli.display import print_json

    found = opened(workspace).why_not(
        missing, surface, user=user, item=about, query=query, n=n, as_of=time_or_none(as_of)
    )
    if as_json:
        print_json(found)
    else:
        show_why_not(found)


@app.command("item")
def item(
    item_id: Annotated[str, typer.Argument(help="The item's id.", metavar="ITEM")],
    as_of: AsOf = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """All that is known of an item: every signal with version, confidence and evidence.

    Example: bowerbird ask item i203
    """
    from bowerbird.cli.answers import show_portrait
    from bowerbird.cli.display import print_json

    space = opened(workspace)
    portrait = space.portrait(item_id, time_or_none(as_of))
    if as_json:
        print_json(portrait)
    else:
        show_portrait(portrait, space.answers.release)


@app.command("user")
def user_understanding(
    user_id: Annotated[str, typer.Argument(help="Who.")],
    as_of: AsOf = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """All that is understood of a person: interests with evidence, state, people alike, a timeline.

    Example: bowerbird ask user u17
    """
    from bowerbird.cli.display import print_json
    from bowerbird.cli.people import show_person

    space = opened(workspace)
    portrait = space.understanding(user_id, time_or_none(as_of))
    if as_json:
        print_json(portrait)
    else:
        show_person(portrait, space.answers.release)


@app.command("audience")
def audience(
    seeds: Annotated[
        Path,
        typer.Option("--seeds", help="The list: a table with user_id, or a text file with an id a line."),
    ],
    n: Annotated[int, typer.Option("--n", min=1, help="Most people to find.")] = 1000,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Who is most like the people of a list.

    Example: bowerbird ask audience --seeds buyers.csv --n 1000
    """
    from bowerbird.cli.display import print_json
    from bowerbird.cli.people import show_audience
    from bowerbird.workspace.audience_steps import people_listed

    found = opened(workspace).audience(people_listed(seeds, f"--seeds {seeds}"), n)
    if as_json:
        print_json(found)
    else:
        show_audience(found)


def _ask(
    surface: str,
    workspace: Path | None,
    as_json: bool,
    explain: bool,
    *,
    image: Path | None = None,
    as_of: str | None = None,
    **question: object,
) -> None:
    from bowerbird.cli.answers import explained, show_slate
    from bowerbird.cli.display import print_json
    from bowerbird.errors import NotFoundError

    if image is not None and not image.is_file():
        raise NotFoundError(f"--image {image}: no such file")
    picture = image.read_bytes() if image is not None else None
    space = opened(workspace)
    slate = space.ask(surface, image=picture, as_of=time_or_none(as_of), **question)  # type: ignore[arg-type]
    if as_json:
        print_json(explained(slate, space.answers.release) if explain else slate)
    else:
        show_slate(slate, space.answers.release, explain=explain)
