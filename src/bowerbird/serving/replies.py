"""Records as replies: plain values that orjson writes. NaN becomes null there."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from urllib.parse import quote

import orjson
from starlette.responses import Response

from bowerbird.clock import format_time
from bowerbird.pipeline.release import Release
from bowerbird.records.candidates import Drop
from bowerbird.records.item import Item
from bowerbird.records.signal import SignalCard
from bowerbird.records.slate import NotificationPlan, Slate, SlateEntry

SHOWN_DROPS = 100


def json_reply(value: Any) -> Response:
    """A JSON response."""
    return Response(orjson.dumps(value), media_type="application/json")


class ItemCards:
    """What a grid shows of each item of a release, each made once.

    Args:
        release: whose items.
    """

    def __init__(self, release: Release) -> None:
        self.release = release
        self._made: dict[int, dict[str, Any]] = {}

    def __getitem__(self, row: int) -> dict[str, Any]:
        card = self._made.get(row)
        if card is None:
            card = self._made[row] = item_card(self.release.items[row])
        return card

    def of(self, item_id: str) -> dict[str, Any]:
        """The card of an item by its id."""
        return self[self.release.row_of[item_id]]


def slate_reply(slate: Slate, cards: ItemCards, *, explain: bool) -> dict[str, Any]:
    """A slate in the form of ``wire.SlateReply``."""
    reply: dict[str, Any] = {
        "request_id": slate.request_id,
        "surface": slate.surface,
        "release": cards.release.version,
        "as_of": format_time(slate.as_of),
        "as_of_us": slate.as_of,
        "notes": slate.notes,
        "entries": [_entry(entry, cards.of(entry.item_id)) for entry in slate.entries],
    }
    if explain:
        reply["dropped"] = [_dropped(drop, cards.release) for drop in slate.dropped]
        reply["weights"] = dict(slate.weights)
        reply["stages"] = [asdict(stage) for stage in slate.trace]
    return reply


def plan_reply(plan: NotificationPlan) -> dict[str, Any]:
    """A plan in the form of ``wire.PlanReply``."""
    return {
        "request_id": plan.request_id,
        "as_of": format_time(plan.as_of),
        "as_of_us": plan.as_of,
        "budget": plan.budget,
        "considered": plan.considered,
        "notifications": [asdict(one) for one in plan.notifications],
        "held_back": dict(plan.held_back),
        "notes": plan.notes,
    }


def item_card(item: Item) -> dict[str, Any]:
    """What a grid shows of an item."""
    return {
        "item_id": item.item_id,
        "title": item.title,
        "category": item.category,
        "image": picture_address(item.item_id) if item.image else None,
        "price": item.price,
        "currency": item.currency,
        "is_ad": item.is_ad,
    }


def picture_address(item_id: str) -> str:
    """Where this server gives an item's picture."""
    return f"/v1/items/{quote(item_id, safe='')}/image"


def signal_reply(card: SignalCard) -> dict[str, Any]:
    """A signal's card."""
    fields = asdict(card)
    fields["as_of"] = format_time(card.as_of)
    fields["space"] = card.space.key if card.space else None
    return fields


def _entry(entry: SlateEntry, card: dict[str, Any]) -> dict[str, Any]:
    return {
        **card,
        "position": entry.position,
        "score": entry.score,
        "terms": dict(entry.terms),
        "probabilities": dict(entry.probabilities),
        "because": [
            {"source": one.source, "score": one.score, "item_id": one.because_of} for one in entry.because
        ],
        "propensity": entry.propensity,
        "campaign_id": entry.campaign_id,
        "click_price": entry.price,
    }


def _dropped(drop: Drop, release: Release) -> dict[str, Any]:
    names = release.items.vocabulary.names(drop.rows[:SHOWN_DROPS])
    return {"stage": drop.stage, "reason": drop.reason, "count": len(drop.rows), "items": names}
