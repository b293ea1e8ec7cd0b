"""The studio's pages: shells made here, filled in the browser from the HTTP API.

The server knows a page's title and what it is about, nothing else; names, titles and pictures come
from ``/v1/...`` and are put in place as text, never as markup.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fastapi import FastAPI
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

FOLDER = Path(__file__).parent

SECTIONS = (
    ("people", "People"),
    ("search", "Search"),
    ("shopping", "Shopping"),
    ("ads", "Ads"),
    ("growth", "Growth"),
    ("signals", "Signals"),
    ("api", "API"),
)
"""Address below /studio/ and title, in the order of the navigation."""


@dataclass(frozen=True)
class About:
    """What every page says of the workspace."""

    name: str
    simulated: bool = False
    """Whether the people are simulated; every page then says so."""
    credit: str = ""
    """Whose pictures these are."""


class Pages:
    """Draws the shells.

    Args:
        about: what every page says.
    """

    def __init__(self, about: About) -> None:
        self._about = about
        self._templates = Environment(
            loader=FileSystemLoader(FOLDER / "templates"), autoescape=True, undefined=StrictUndefined
        )

    def page(self, section: str, title: str, kind: str, subject: str = "") -> HTMLResponse:
        """One page.

        Args:
            section: the part of the navigation it belongs to.
            title: shown in the window.
            kind: what the script draws.
            subject: id of the person or item it is about.
        """
        text = self._templates.get_template("page.html").render(
            about=self._about, sections=SECTIONS, section=section, title=title, kind=kind, subject=subject
        )
        return HTMLResponse(text)

    async def section(self, request: Request) -> Response:
        """A page of the navigation."""
        name = request.path_params["section"]
        title = dict(SECTIONS).get(name)
        if title is None:
            return RedirectResponse("/studio/people")
        return self.page(name, title, name)

    async def person(self, request: Request) -> Response:
        """A person."""
        user_id = request.path_params["user_id"]
        return self.page("people", user_id, "person", user_id)

    async def item(self, request: Request) -> Response:
        """An item."""
        item_id = request.path_params["item_id"]
        return self.page("search", item_id, "item", item_id)

    async def home(self, _: Request) -> Response:
        """The way in."""
        return RedirectResponse("/studio/people")


def revalidated(app: ASGIApp) -> ASGIApp:
    """Files that a browser keeps but asks about each time.

    Told nothing, browsers guess for how long a script stays good; after an upgrade a page then runs old modules
    beside new ones, which do not fit each other.

    Args:
        app: what gives the files, with an ``ETag`` each.
    """

    async def asked_about(scope: Scope, receive: Receive, send: Send) -> None:
        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"cache-control", b"no-cache")]
            await send(message)

        await app(scope, receive, told)

    return asked_about


def add_studio(app: FastAPI, about: About) -> None:
    """Add the pages under ``/studio``, and the way there from ``/``.

    Args:
        app: an application that answers ``/v1/...``.
        about: what every page says of the workspace.
    """
    pages = Pages(about)
    routes = [
        Route("/", pages.home),
        Mount("/static", revalidated(StaticFiles(directory=FOLDER / "static"))),
        Route("/people/{user_id:path}", pages.person),
        Route("/items/{item_id:path}", pages.item),
        Route("/{section}", pages.section),
    ]
    app.router.routes.append(Mount("/studio", routes=routes))
    app.router.routes.append(Route("/", pages.home))
