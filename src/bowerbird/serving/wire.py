"""What travels over HTTP: the forms of requests and replies, with examples."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from bowerbird.clock import parse_time
from bowerbird.errors import InputError
from bowerbird.records.request import MAX_QUERY_CHARACTERS, MAX_SLATE
from bowerbird.records.vocabulary import id_text

LONGEST_ID = 512
LAST_MOMENT = 253_402_300_800_000_000
"""The year 10000 in microseconds: no time on the wire is at or after it."""


def _id(given: object) -> object:
    """A number is the text it was imported as; what is neither is left for the check of texts to refuse."""
    try:
        return id_text(given) if isinstance(given, int | float) else given
    except InputError:
        return given


Id = Annotated[str, BeforeValidator(_id), Field(min_length=1, max_length=LONGEST_ID)]
"""An id; JSON may hold it as a number."""


def moment(text: str | int) -> int:
    """A time on the wire as microseconds UTC: an ISO text, or a whole number of microseconds.

    Raises:
        InputError: it is not understood, before 1970 or after the year 9999.

    Example:
        >>> moment("1970-01-02"), moment(5)
        (86400000000, 5)
    """
    at = text if isinstance(text, int) else parse_time(text)
    if not 0 <= at < LAST_MOMENT:
        raise InputError(f"time {str(text)[:40]!r} is not between the years 1970 and 9999")
    return at


class Question(BaseModel):
    """What a surface is asked. Which fields it needs depends on the surface."""

    model_config = ConfigDict(
        extra="forbid",
        use_attribute_docstrings=True,
        json_schema_extra={
            "examples": [{"user": "u17", "n": 12}, {"query": "red flowers", "n": 24}, {"item": "i203"}]
        },
    )

    user: Id | None = None
    """Who asks."""
    item: Id | None = None
    """The item it is about."""
    query: Annotated[str, Field(max_length=MAX_QUERY_CHARACTERS)] | None = None
    """Words."""
    image: str | None = None
    """A picture's bytes in base64; never a path or an address."""
    without: Annotated[str, Field(max_length=MAX_QUERY_CHARACTERS)] | None = None
    """Words for what is not wanted."""
    only: Annotated[list[Annotated[str, Field(max_length=500)]], Field(max_length=20)] = []
    """Conditions every item must meet: ``category=home/kitchen``, ``price<=50``, ``colour=red``."""
    n: Annotated[int, Field(ge=1, le=MAX_SLATE)] | None = None
    """How many items; the surface's own number when absent."""
    exclude: Annotated[list[Id], Field(max_length=10_000)] = []
    """Items not to show."""
    boost: Annotated[list[Annotated[str, Field(max_length=520)]], Field(max_length=20)] = []
    """Conditions with a strength: ``category=home:0.5`` makes items that meet it worth half a mean value more."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """Of whatever is random."""
    as_of: Annotated[str, Field(max_length=40)] | None = None
    """A time, e.g. 2026-01-31: events at or after it are not used. Not for ads, which reserve money."""
    request_id: Annotated[str, Field(min_length=8, max_length=64, pattern=r"^[A-Za-z0-9_.-]+$")] | None = None
    """An id of the caller's choice, so that a retry is the same request."""
    explain: bool = False
    """Whether to add what was dropped and what each stage did."""
    record: bool = False
    """Whether the server itself notes the slate in the event log as shown to the user, with positions and propensities."""

    @field_validator("query", "without", "user", "item")
    @classmethod
    def _encodable(cls, text: str | None) -> str | None:
        if text is not None:
            text.encode()  # a lone surrogate is no character; UnicodeEncodeError is a ValueError
        return text

    def picture(self) -> bytes | None:
        """The picture's bytes.

        Raises:
            InputError: they are not base64.
        """
        if self.image is None:
            return None
        text = self.image.partition(",")[2] if self.image.startswith("data:") else self.image
        try:
            return base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError) as error:
            raise InputError(
                f"image: not base64 ({error}); send a picture's bytes, base64-encoded"
            ) from error


class GrowthQuestion(BaseModel):
    """A day's notifications to plan."""

    model_config = ConfigDict(
        extra="forbid", use_attribute_docstrings=True, json_schema_extra={"examples": [{"budget": 200}]}
    )

    budget: Annotated[int, Field(ge=0)] = 100
    """Most notifications to send."""
    as_of: Annotated[str, Field(max_length=40)] | None = None
    """A time, e.g. 2026-01-31."""


class Because(BaseModel):
    """One reason an item was considered."""

    source: str
    score: float | None
    item_id: str | None
    """The item that led there, e.g. a past save."""


class Entry(BaseModel):
    """One item of a slate. The terms add up to the score."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    position: int
    """0 is the top."""
    item_id: str
    title: str | None
    category: str | None
    image: str | None
    """Address of the picture on this server."""
    price: float | None
    currency: str | None
    is_ad: bool
    score: float
    terms: dict[str, float]
    probabilities: dict[str, float]
    because: list[Because]
    propensity: float | None
    campaign_id: str | None
    click_price: float | None
    """Ads only: what a click costs, second price."""


class Stage(BaseModel):
    """What one stage did."""

    stage: str
    candidates_in: int
    candidates_out: int
    ms: float
    note: str


class Dropped(BaseModel):
    """Items that were considered and not shown, with the reason."""

    stage: str
    reason: str
    count: int
    items: list[str]
    """The first hundred."""


class SlateReply(BaseModel):
    """A slate."""

    model_config = ConfigDict(
        use_attribute_docstrings=True,
        json_schema_extra={
            "examples": [
                {
                    "request_id": "6f0c3a5b9d2e4f71",
                    "surface": "homefeed",
                    "release": "9f2c81d0a7b3e655",
                    "as_of": "2026-01-31T00:00:00Z",
                    "as_of_us": 1769817600000000,
                    "notes": [],
                    "entries": [],
                }
            ]
        },
    )

    request_id: str
    surface: str
    release: str
    """The release that answered, whole: no answer mixes two."""
    as_of: str
    as_of_us: int
    """Microseconds UTC."""
    notes: list[str]
    """What the answer lacks and why."""
    entries: list[Entry]
    dropped: list[Dropped] | None = None
    weights: dict[str, float] | None = None
    """What each term's column weighs: a term is its weight times the probability."""
    stages: list[Stage] | None = None


class NotificationReply(BaseModel):
    """One message to send."""

    user_id: str
    item_ids: list[str]
    state: str
    p_return: float
    p_response: float
    gain: float
    because: str


class PlanReply(BaseModel):
    """A day's notifications."""

    request_id: str
    as_of: str
    as_of_us: int
    budget: int
    considered: int
    notifications: list[NotificationReply]
    held_back: dict[str, int]
    notes: list[str]


class EventForm(BaseModel):
    """One event. Fields without a name here are kept as attributes."""

    model_config = ConfigDict(
        extra="allow",
        use_attribute_docstrings=True,
        json_schema_extra={
            "examples": [
                {
                    "event_id": "e-1",
                    "user_id": "u17",
                    "item_id": "i203",
                    "action": "save",
                    "surface": "homefeed",
                }
            ]
        },
    )

    user_id: Id
    action: Annotated[str, Field(max_length=40)]
    """impression, closeup, click, save, hide, purchase, add_to_cart, return, rate, search, visit or open."""
    item_id: Id | None = None
    """The item; search and visit may do without."""
    event_id: Id | None = None
    """Sending the same id again changes nothing; without one, equal events at an equal ``at`` count once."""
    at: Annotated[str, Field(max_length=40)] | Annotated[int, Field(strict=True)] | None = None
    """ISO text or microseconds UTC; the server's time when absent."""
    surface: Annotated[str, Field(max_length=100)] | None = None
    position: Annotated[int, Field(ge=0, lt=2**31)] | None = None
    """0 is the top."""
    request_id: Annotated[str, Field(max_length=200)] | None = None
    """The slate it answers; clicks on ads are charged by it."""
    dwell_s: Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)] | None = None
    propensity: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] | None = None
    query: Annotated[str, Field(max_length=MAX_QUERY_CHARACTERS)] | None = None
    collection_id: Id | None = None
    value: Annotated[float, Field(allow_inf_nan=False)] | None = None
    """A rating, or money."""


class EventBatch(BaseModel):
    """Many events."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"events": [{"event_id": "e-1", "user_id": "u17", "item_id": "i203", "action": "save"}]}
            ]
        }
    )

    events: list[EventForm]


class Rejection(BaseModel):
    """An event that was not taken."""

    index: int
    reason: str


class EventsReply(BaseModel):
    """What became of the events. Those accepted are on the disk."""

    accepted: int
    duplicates: int
    rejected: list[Rejection]
    charged: float
    """Money clicks on ads cost."""


class FailureReply(BaseModel):
    """Any failure."""

    error: str
    message: str


def described(model: type[BaseModel]) -> dict[str, Any]:
    """A model's schema with its parts inside, for OpenAPI bodies that are read by hand."""
    return model.model_json_schema()
