"""The OpenAPI document: what FastAPI finds in the routes, completed with bodies, replies and an example of each."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, ConfigDict, TypeAdapter
from pydantic.json_schema import JsonSchemaMode

from bowerbird.pipeline.why_not import WhyNot
from bowerbird.serving.asking import SURFACES
from bowerbird.serving.release_check import CheckReport
from bowerbird.serving.wire import EventBatch, EventForm, EventsReply, PlanReply, Question, SlateReply
from bowerbird.workspace.forgetting import ForgetReport

REFERENCE = "#/components/schemas/{model}"


class Health(BaseModel):
    """A process that lives."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"status": "alive", "version": "9f2c81d0a7b3e655"}]}
    )

    status: str
    version: str


class Readiness(BaseModel):
    """A process requests should be sent to."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"status": "ready", "version": "9f2c81d0a7b3e655", "degraded": []}]}
    )

    status: str
    version: str
    degraded: list[str]


class Reloaded(BaseModel):
    """A release that was taken."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"version": "9f2c81d0a7b3e655", "check": None}]}
    )

    version: str
    check: CheckReport | None


class Refusals(BaseModel):
    """What a person refuses now."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"user_id": "u17", "refused": {"food/bread": "mute"}}]}
    )

    user_id: str
    refused: dict[str, str]


BODIES = (Question, EventForm, EventBatch)
REPLIES: dict[tuple[str, str], tuple[str, Any]] = {
    ("post", "/v1/growth"): ("growth", PlanReply),
    ("get", "/v1/why-not/{surface}/{item_id}"): ("why_not", WhyNot),
    ("get", "/v1/explain/{request_id}"): ("explain", SlateReply),
    ("get", "/v1/users/{user_id}/understanding"): ("understanding", None),
    ("post", "/v1/users/{user_id}/interests/mute"): ("mute_interest", Refusals),
    ("post", "/v1/users/{user_id}/interests/delete"): ("delete_interest", Refusals),
    ("post", "/v1/users/{user_id}/interests/allow"): ("allow_interest", Refusals),
    ("get", "/v1/workspace"): ("workspace", None),
    ("get", "/v1/signals"): ("signals", None),
    ("get", "/v1/users"): ("users", None),
    ("get", "/v1/users/{user_id}"): ("user", None),
    ("delete", "/v1/users/{user_id}"): ("forget_user", ForgetReport),
    ("get", "/v1/items/{item_id}"): ("item", None),
    ("post", "/v1/events"): ("send_events", EventsReply),
    ("get", "/healthz"): ("healthz", Health),
    ("get", "/readyz"): ("readyz", Readiness),
    ("post", "/v1/reload"): ("reload", Reloaded),
}
"""Name of the operation, which is the client's method, and what it answers; None for a document described by its example."""
for _surface in SURFACES:
    REPLIES["post", f"/v1/{_surface}"] = (_surface, SlateReply)
    REPLIES["get", f"/v1/{_surface}"] = (f"{_surface}_by_query", SlateReply)
OTHER = {
    ("get", "/v1/items/{item_id}/image"): (
        "item_image",
        "image/jpeg",
        {"type": "string", "format": "binary"},
        "bytes",
    ),
    ("get", "/metrics"): (
        "metrics",
        "text/plain",
        {"type": "string"},
        'bowerbird_release{version="9f2c81d0a7b3e655"} 1.0',
    ),
}
"""Name, media type, schema and example of what is no JSON."""
EXAMPLES: dict[str, Any] = {
    "why_not": {
        "item_id": "i203",
        "surface": "homefeed",
        "stage": "rank",
        "reason": "its value is below the least shown",
    },
    "understanding": {
        "user_id": "u17",
        "as_of": "2026-01-31T00:00:00Z",
        "interests": [{"path": "food/bread", "weight": 0.31}],
    },
    "workspace": {
        "name": "demo",
        "simulated": True,
        "version": "9f2c81d0a7b3e655",
        "items": 1966,
        "people": 1714,
    },
    "signals": {
        "signals": [
            {"name": "item_vector", "entity": "item", "version": "9f2c81d0", "rows": 1966, "coverage": 1.0}
        ]
    },
    "users": {
        "total": 1,
        "of": 1714,
        "states": {"core": 1},
        "people": [{"user_id": "u17", "state": "core", "events": 210, "actions": 31}],
    },
    "user": {
        "user_id": "u17",
        "state": "core",
        "events": 210,
        "actions": 31,
        "interests": [],
        "clusters": [],
        "history": [],
    },
    "item": {
        "item_id": "i203",
        "title": "rye bread",
        "category": "food/bread",
        "interests": [],
        "signals": [],
    },
    "forget_user": {
        "kind": "user",
        "name": "u17",
        "removed": {"event log": 210},
        "pending": ["cooccurrence"],
        "left": [],
        "until_retention": {},
    },
    "send_events": {"accepted": 1, "duplicates": 0, "rejected": [], "charged": 0.0},
    "growth": {
        "request_id": "6f0c3a5b9d2e4f71",
        "as_of": "2026-01-31T00:00:00Z",
        "as_of_us": 1769817600000000,
        "budget": 20,
        "considered": 1714,
        "notifications": [],
        "held_back": {},
        "notes": [],
    },
}


def complete_openapi(app: FastAPI) -> None:
    """Make an application describe itself whole: no reference leads nowhere, everything has an example."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            found = get_openapi(
                title=app.title,
                version=app.version,
                summary=app.summary,
                description=app.description,
                routes=app.routes,
            )
            _complete(found)
            app.openapi_schema = found
        return app.openapi_schema

    app.openapi = document


def _complete(document: dict[str, Any]) -> None:
    answered = {one for _, one in REPLIES.values() if one is not None}
    adapters: list[tuple[Any, JsonSchemaMode, TypeAdapter[Any]]] = [
        (one, "serialization", TypeAdapter(one)) for one in sorted(answered, key=lambda one: one.__name__)
    ]
    adapters.extend((one, "validation", TypeAdapter[Any](one)) for one in BODIES)
    _, shared = TypeAdapter.json_schemas(adapters, ref_template=REFERENCE)
    schemas = document["components"]["schemas"]
    schemas.update(shared.get("$defs", {}))
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            key = (method, path)
            if key in OTHER:
                name, media, schema, example = OTHER[key]
                operation["operationId"] = name
                operation["responses"]["200"]["content"] = {media: {"schema": schema, "example": example}}
                continue
            name, reply = REPLIES[key]
            operation["operationId"] = name
            schema = {"type": "object"} if reply is None else {"$ref": REFERENCE.format(model=reply.__name__)}
            example = EXAMPLES.get(name) or (schemas[reply.__name__]["examples"][0] if reply else {})
            operation["responses"]["200"]["content"] = {
                "application/json": {"schema": schema, "example": example}
            }
            _complete_body(operation, schemas)


def _complete_body(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    """A body's schema by reference, with its own example."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None:
        return
    name = content["schema"].get("title") or content["schema"]["$ref"].rpartition("/")[2]
    content["schema"] = {"$ref": REFERENCE.format(model=name)}
    content["example"] = schemas[name]["examples"][0]
