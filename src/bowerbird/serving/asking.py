"""Routes that ask: the item surfaces, growth, and why a slate is what it is."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import orjson
from fastapi import APIRouter, Request
from starlette.datastructures import QueryParams, UploadFile
from starlette.responses import Response

from bowerbird.errors import InputError
from bowerbird.serving.explanations import Explanations
from bowerbird.serving.failures import reply_failure
from bowerbird.serving.limits import Crew
from bowerbird.serving.live import LiveWorkspace
from bowerbird.serving.replies import json_reply, plan_reply, slate_reply
from bowerbird.serving.wire import FailureReply, GrowthQuestion, PlanReply, Question, SlateReply, described

SURFACES = {
    "homefeed": "What should this person see now.",
    "related": "What goes with this item.",
    "search": "What answers these words, this picture, or both.",
    "shopping": "Which products are in or like this picture, and what goes with them.",
    "ads": "Which ads, for whom, at what price. Showing one reserves its price.",
}
LISTS = ("exclude", "only", "boost")
"""Fields of a question that may be given several times."""
FAILURES: dict[int | str, dict[str, Any]] = {
    status: {"model": FailureReply} for status in (400, 401, 404, 413, 422, 429, 503)
}


class BadJson(Exception):  # noqa: N818 - a turn of the road, answered with 400; not one of the library's errors
    """The body is no JSON."""


async def bad_json(_: Request, error: Exception) -> Response:
    """The answer to a body that is no JSON."""
    return reply_failure(400, "bad_json", str(error))


def asking_routes(live: LiveWorkspace, kept: Explanations, crew: Crew, max_budget: int) -> APIRouter:
    """The routes of the six surfaces and of explanations."""
    router = APIRouter(prefix="/v1", tags=["ask"])
    for surface, about in SURFACES.items():
        _add_surface(router, surface, about, _Answerer(surface, live, kept, crew))

    async def growth(question: GrowthQuestion) -> Response:
        if question.budget > max_budget:
            raise InputError(
                f"budget = {question.budget}: this server plans at most {max_budget} notifications at a time"
            )
        return json_reply(plan_reply(await crew.run(lambda: live.plan(question.budget, question.as_of))))

    about = "Whom to notify today, with which items, under a budget."
    router.add_api_route(
        "/growth", growth, methods=["POST"], summary=about, responses={200: {"model": PlanReply}, **FAILURES}
    )

    async def explain(request_id: str) -> Response:
        return Response(kept.find(request_id), media_type="application/json")

    async def missing(surface: str, item_id: str, request: Request) -> Response:
        question = question_of(request.query_params)
        return json_reply(asdict(await crew.run(lambda: live.why_not(surface, question, item_id))))

    router.add_api_route(
        "/why-not/{surface}/{item_id:path}",
        missing,
        summary="Why an item is not in the slate a question gets: the stage it ended at, and how near it came.",
        responses=FAILURES,
        openapi_extra={"parameters": _query_parameters()},
    )
    about = "Why a slate is what it is: sources, evidence, terms, what was dropped, what each stage did."
    router.add_api_route(
        "/explain/{request_id}", explain, summary=about, responses={200: {"model": SlateReply}, **FAILURES}
    )
    return router


class _Answerer:
    """Answers one surface.

    Args:
        surface: which.
        live: what answers.
        kept: where slates are remembered.
        crew: whose threads work.
    """

    def __init__(self, surface: str, live: LiveWorkspace, kept: Explanations, crew: Crew) -> None:
        self._surface = surface
        self._live = live
        self._kept = kept
        self._crew = crew

    async def get(self, request: Request) -> Response:
        return await self._answer(question_of(request.query_params), None)

    async def post(self, request: Request) -> Response:
        question, image = await _read(request)
        return await self._answer(question, image)

    async def _answer(self, question: Question, image: bytes | None) -> Response:
        return await self._crew.run(lambda: self._work(question, image))

    def _work(self, question: Question, image: bytes | None) -> Response:
        slate, cards = self._live.ask(self._surface, question, image)
        self._kept.keep(slate, cards)
        return json_reply(slate_reply(slate, cards, explain=question.explain))


def _add_surface(router: APIRouter, surface: str, about: str, answerer: _Answerer) -> None:
    replies: dict[int | str, dict[str, Any]] = {200: {"model": SlateReply}, **FAILURES}
    router.add_api_route(
        f"/{surface}",
        answerer.get,
        methods=["GET"],
        summary=about,
        responses=replies,
        name=f"{surface} by query string",
        openapi_extra={"parameters": _query_parameters()},
    )
    form = {
        "type": "object",
        "properties": {"image": {"type": "string", "format": "binary"}, "query": {"type": "string"}},
    }
    content = {"application/json": {"schema": described(Question)}, "multipart/form-data": {"schema": form}}
    router.add_api_route(
        f"/{surface}",
        answerer.post,
        methods=["POST"],
        summary=about,
        responses=replies,
        name=f"{surface} by JSON or form",
        openapi_extra={"requestBody": {"content": content}},
    )


def question_of(parameters: QueryParams) -> Question:
    """The question of a query string.

    Validated as the body of a POST is; FastAPI's own reading of a model from the query string costs five
    times as much.
    """
    fields: dict[str, Any] = {}
    for name, value in parameters.multi_items():
        if name in LISTS:
            fields.setdefault(name, []).append(value)
        else:
            fields[name] = value
    return Question.model_validate(fields)


def _query_parameters() -> list[dict[str, Any]]:
    """How OpenAPI describes the fields of a question in a query string."""
    fields = described(Question)["properties"]
    return [
        {
            "name": name,
            "in": "query",
            "required": False,
            "schema": field,
            "description": field.get("description", ""),
        }
        for name, field in fields.items()
    ]


async def _read(request: Request) -> tuple[Question, bytes | None]:
    """The question of a body: JSON, or a form with a picture as a file."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return await _read_form(request)
    return Question.model_validate(await read_json(request)), None


async def read_json(request: Request) -> Any:
    """A body's JSON.

    Raises:
        InputError: the body does not say that it is JSON. Other sites' pages may make a browser send bodies
            without a type, but not this one.
        BadJson: it is not JSON; NaN and infinities are not.
    """
    body = await request.body()
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and (kind or body):
        raise InputError(f"content-type {kind[:60]!r} is not understood; send application/json")
    try:
        return orjson.loads(body or b"{}")
    except orjson.JSONDecodeError as error:
        raise BadJson(f"the body is not JSON: {error}") from error


async def _read_form(request: Request) -> tuple[Question, bytes | None]:
    async with request.form(max_files=1, max_fields=20) as form:
        fields: dict[str, Any] = {}
        image = None
        for name, value in form.multi_items():
            if isinstance(value, UploadFile):
                if name != "image":
                    raise InputError(f"form: a file came as {name[:60]!r}; send the picture as 'image'")
                image = await value.read()
            elif name in LISTS:
                fields.setdefault(name, []).append(value)
            elif value != "":
                fields[name] = value
    return Question.model_validate(fields), image
