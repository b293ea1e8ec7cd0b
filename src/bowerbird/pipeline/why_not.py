"""Why an item is not in a slate: the stage at which it went, and what it would have taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bowerbird.pipeline.ordering import LAW
from bowerbird.pipeline.runner import Pipeline, Scored
from bowerbird.pipeline.understanding import understood
from bowerbird.records.request import Request

DEEP = 5000
"""How far down its list each source is asked for an item it did not bring."""


@dataclass(frozen=True)
class Reached:
    """How near one source came to bringing the item."""

    source: str
    rank: int | None
    """From 1; None where the item is not even among the :data:`DEEP` best."""
    quota: int


@dataclass(frozen=True)
class WhyNot:
    """One item in one request, stage by stage."""

    item_id: str
    surface: str
    stage: str
    """Where it ended: ``eligible``, ``policy``, ``sources``, ``filter NAME``, ``rank`` or ``shown``."""
    reason: str
    sources: tuple[Reached, ...] = ()
    terms: Mapping[str, float] | None = None
    """What its value is made of, where it came as far as being scored."""
    value: float | None = None
    rank: int | None = None
    """Place by value among the candidates, from 1."""
    candidates: int | None = None
    least_shown: float | None = None
    """The smallest value in the slate, diversity left out."""


def why_not(pipeline: Pipeline, request: Request, item_id: str) -> WhyNot:
    """Why an item is not shown to a person; or where, if it is.

    Runs the request again and looks for the item at each stage; the answer is the slate's own, not a guess.

    Args:
        pipeline: the surface.
        request: who asks for how many items, and when.
        item_id: the item that is missing.

    Raises:
        NotFoundError: the item is not in the catalogue.
        InputError: the request lacks what the surface needs.
    """
    release, kind = pipeline.release, pipeline.settings.eligible
    row = release.item_row(item_id)
    if not release.eligible(kind, request.as_of)[row]:
        created = int(release.created_at[row])
        late = created >= request.as_of
        reason = "it did not exist yet at this time" if late else f"the surface shows {kind} items only"
        return WhyNot(item_id, pipeline.name, "eligible", reason)
    if not release.offered(pipeline.name, kind, request.as_of)[row]:
        assert release.eligibility is not None
        return WhyNot(item_id, pipeline.name, "policy", release.eligibility.reason(pipeline.name, row))
    slate = pipeline.answer(request)
    reached = _reached(pipeline, request, row)
    if item_id in slate.item_ids:
        place = slate.item_ids.index(item_id) + 1
        return WhyNot(item_id, pipeline.name, "shown", f"it is shown, at place {place}", reached)
    for drop in slate.dropped:
        if row in drop.rows:
            why = release.eligibility.reason(pipeline.name, row) if release.eligibility else ""
            reason = f"{drop.reason}: {why}" if drop.stage == LAW and why else drop.reason
            return WhyNot(item_id, pipeline.name, f"filter {drop.stage}", reason, reached)
    scored = pipeline.score(request)
    if row not in scored.candidates.rows:
        return WhyNot(item_id, pipeline.name, "sources", "no source brought it within its quota", reached)
    return _ranked(pipeline, scored, row, slate.item_ids, reached)


def _ranked(
    pipeline: Pipeline, scored: Scored, row: int, shown: tuple[str, ...], reached: tuple[Reached, ...]
) -> WhyNot:
    """It was scored and others were chosen."""
    rows, value = scored.candidates.rows, scored.candidates.scores["value"]
    at = int(np.flatnonzero(rows == row)[0])
    rank = int((value > value[at]).sum()) + 1
    chosen = [pipeline.release.row_of[name] for name in shown]
    least = float(np.min(value[np.isin(rows, chosen)], initial=np.inf)) if chosen else 0.0
    reason = f"{rank - 1} of {len(value)} candidates are worth more to this person"
    if float(value[at]) >= least:
        reason = "it is worth as much as what is shown, but too much like it: diversity chose others"
    return WhyNot(
        pipeline.release.items.vocabulary.id(row),
        pipeline.name,
        "rank",
        reason,
        reached,
        {term: float(values[at]) for term, values in scored.terms.items()},
        float(value[at]),
        rank,
        len(value),
        least,
    )


def _reached(pipeline: Pipeline, request: Request, row: int) -> tuple[Reached, ...]:
    """The item's rank in every source's list, however long."""
    context = understood(pipeline.release, request)
    allowed = pipeline.release.offered(pipeline.name, pipeline.settings.eligible, context.as_of)
    found = []
    for source, quota in pipeline.sources:
        place = np.flatnonzero(source.find(context, min(DEEP, len(allowed)), allowed).rows == row)
        found.append(Reached(source.name, int(place[0]) + 1 if len(place) else None, quota))
    return tuple(found)
