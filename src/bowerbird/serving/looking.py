"""Routes that show what there is: items, pictures, people, signals, the workspace itself."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from bowerbird.clock import format_time
from bowerbird.errors import NotFoundError
from bowerbird.serving.asking import FAILURES
from bowerbird.serving.limits import Crew
from bowerbird.serving.live import LiveWorkspace
from bowerbird.serving.profiles import Profiles
from bowerbird.serving.replies import json_reply, signal_reply

_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"BM", "image/bmp"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
)


def picture_type(data: bytes) -> str:
    """The media type of a picture, by its first bytes; plain bytes when it is none we know.

    Example:
        >>> picture_type(b"GIF89a..."), picture_type(b"<svg onload=...>")
        ('image/gif', 'application/octet-stream')
    """
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for start, kind in _SIGNATURES if data.startswith(start)), "application/octet-stream")


def looking_routes(live: LiveWorkspace, crew: Crew) -> APIRouter:
    """The routes that read and ask nothing."""
    router = APIRouter(prefix="/v1", tags=["look"], responses=FAILURES)
    profiles = Profiles(live)

    @router.get("/workspace", summary="What this server serves.")
    async def workspace() -> Response:
        return json_reply(_about(live))

    @router.get("/signals", summary="Every live signal and model.")
    async def signals() -> Response:
        cards = await crew.run(live.cards)
        return json_reply({"signals": [signal_reply(card) for card in cards]})

    @router.get("/users", summary="A page of the people, most active first.")
    async def users(
        query: Annotated[str, Query(max_length=200)] = "",
        state: Annotated[str | None, Query(max_length=40)] = None,
        offset: Annotated[int, Query(ge=0, le=10**9)] = 0,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> Response:
        return json_reply(await crew.run(lambda: profiles.people(query, state, offset, limit)))

    @router.get("/users/{user_id:path}", summary="One person: state, interests with evidence, history.")
    async def user(user_id: str) -> Response:
        return json_reply(await crew.run(lambda: profiles.person(user_id)))

    @router.get("/items/{item_id:path}/image", summary="An item's picture, as it was imported.")
    async def image(item_id: str, request: Request) -> Response:
        release = live.edition.release  # read once: a reload may swap it meanwhile
        name = await crew.run(lambda: release.items[release.item_row(item_id)].image)
        if not name:
            raise NotFoundError(f"item {item_id!r} has no picture")
        tag = f'"{name}"'
        headers = {"etag": tag, "cache-control": "private, max-age=3600", "content-disposition": "inline"}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        data = await crew.run(lambda: live.edition.media.get(name))
        return Response(data, headers=headers, media_type=picture_type(data))

    @router.get("/items/{item_id:path}", summary="One item: facts, interests, counts, near-duplicates.")
    async def item(item_id: str) -> Response:
        return json_reply(await crew.run(lambda: profiles.item(item_id)))

    return router


def _about(live: LiveWorkspace) -> dict[str, Any]:
    release, settings = live.edition.release, live.workspace.settings
    return {
        "name": settings.name,
        "simulated": settings.simulated,
        "credit": settings.credit,
        "version": release.version,
        "now": format_time(live.now),
        "items": len(release.items),
        "people": len(release.people),
        "surfaces": {name: one.about for name, one in settings.surfaces.items()},
        "campaigns": len(release.campaigns),
        "lacks": dict(release.lacks),
    }
