"""What the server takes and answers, as typed dictionaries. Written by docs/client_text.py."""

from __future__ import annotations

from typing import NotRequired, TypedDict


class Because(TypedDict):
    """One reason an item was considered."""

    source: str
    score: float | None
    item_id: str | None


class CheckReport(TypedDict):
    """What was found."""

    version: str
    recall: dict[str, float]
    replayed: int
    overlap: float
    score_drift: float
    feature_drift: float
    missing_features: float


class Dropped(TypedDict):
    """Items that were considered and not shown, with the reason."""

    stage: str
    reason: str
    count: int
    items: list[str]


class Entry(TypedDict):
    """One item of a slate. The terms add up to the score."""

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


class EventBatch(TypedDict):
    """Many events."""

    events: list[EventForm]


class EventForm(TypedDict):
    """One event. Fields without a name here are kept as attributes."""

    user_id: str
    action: str
    """impression, closeup, click, save, hide, purchase, add_to_cart, return, rate, search, visit or open."""
    item_id: NotRequired[str | None]
    """The item; search and visit may do without."""
    event_id: NotRequired[str | None]
    """Sending the same id again changes nothing; without one, equal events at an equal ``at`` count once."""
    at: NotRequired[str | int | None]
    """ISO text or microseconds UTC; the server's time when absent."""
    surface: NotRequired[str | None]
    position: NotRequired[int | None]
    """0 is the top."""
    request_id: NotRequired[str | None]
    """The slate it answers; clicks on ads are charged by it."""
    dwell_s: NotRequired[float | None]
    propensity: NotRequired[float | None]
    query: NotRequired[str | None]
    collection_id: NotRequired[str | None]
    value: NotRequired[float | None]
    """A rating, or money."""


class EventsReply(TypedDict):
    """What became of the events. Those accepted are on the disk."""

    accepted: int
    duplicates: int
    rejected: list[Rejection]
    charged: float


class FailureReply(TypedDict):
    """Any failure."""

    error: str
    message: str


class ForgetReport(TypedDict):
    """What was removed where, and what is not done yet."""

    kind: str
    name: str
    removed: dict[str, int]
    pending: list[str]
    left: list[str]
    until_retention: NotRequired[dict[str, int]]


class GrowthQuestion(TypedDict):
    """A day's notifications to plan."""

    budget: NotRequired[int]
    """Most notifications to send."""
    as_of: NotRequired[str | None]
    """A time, e.g. 2026-01-31."""


class Health(TypedDict):
    """A process that lives."""

    status: str
    version: str


class InterestWish(TypedDict):
    """An interest a person mutes, deletes or wants back."""

    interest: str
    """Path of the category, as in the person's interests."""


class NotificationReply(TypedDict):
    """One message to send."""

    user_id: str
    item_ids: list[str]
    state: str
    p_return: float
    p_response: float
    gain: float
    because: str


class PlanReply(TypedDict):
    """A day's notifications."""

    request_id: str
    as_of: str
    as_of_us: int
    budget: int
    considered: int
    notifications: list[NotificationReply]
    held_back: dict[str, int]
    notes: list[str]


class Question(TypedDict):
    """What a surface is asked. Which fields it needs depends on the surface."""

    user: NotRequired[str | None]
    """Who asks."""
    item: NotRequired[str | None]
    """The item it is about."""
    query: NotRequired[str | None]
    """Words."""
    image: NotRequired[str | None]
    """A picture's bytes in base64; never a path or an address."""
    without: NotRequired[str | None]
    """Words for what is not wanted."""
    only: NotRequired[list[str]]
    """Conditions every item must meet: ``category=home/kitchen``, ``price<=50``, ``colour=red``."""
    n: NotRequired[int | None]
    """How many items; the surface's own number when absent."""
    exclude: NotRequired[list[str]]
    """Items not to show."""
    boost: NotRequired[list[str]]
    """Conditions with a strength: ``category=home:0.5`` makes items that meet it worth half a mean value more."""
    seed: NotRequired[int]
    """Of whatever is random."""
    as_of: NotRequired[str | None]
    """A time, e.g. 2026-01-31: events at or after it are not used. Not for ads, which reserve money."""
    request_id: NotRequired[str | None]
    """An id of the caller's choice, so that a retry is the same request."""
    explain: NotRequired[bool]
    """Whether to add what was dropped and what each stage did."""
    record: NotRequired[bool]
    """Whether the server itself notes the slate in the event log as shown to the user, with positions and propensities."""


class Reached(TypedDict):
    """How near one source came to bringing the item."""

    source: str
    rank: int | None
    quota: int


class Readiness(TypedDict):
    """A process requests should be sent to."""

    status: str
    version: str
    degraded: list[str]


class Refusals(TypedDict):
    """What a person refuses now."""

    user_id: str
    refused: dict[str, str]


class Rejection(TypedDict):
    """An event that was not taken."""

    index: int
    reason: str


class Reloaded(TypedDict):
    """A release that was taken."""

    version: str
    check: CheckReport | None


class SlateReply(TypedDict):
    """A slate."""

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
    dropped: NotRequired[list[Dropped] | None]
    weights: NotRequired[dict[str, float] | None]
    """What each term's column weighs: a term is its weight times the probability."""
    stages: NotRequired[list[Stage] | None]


class Stage(TypedDict):
    """What one stage did."""

    stage: str
    candidates_in: int
    candidates_out: int
    ms: float
    note: str


class WhyNot(TypedDict):
    """One item in one request, stage by stage."""

    item_id: str
    surface: str
    stage: str
    reason: str
    sources: NotRequired[list[Reached]]
    terms: NotRequired[dict[str, float] | None]
    value: NotRequired[float | None]
    rank: NotRequired[int | None]
    candidates: NotRequired[int | None]
    least_shown: NotRequired[float | None]
