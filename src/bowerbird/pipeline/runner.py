"""The runner: sources -> blend -> filters -> scores -> value -> diversity -> slate, each stage traced."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float32

from bowerbird import plugins
from bowerbird.clock import format_time
from bowerbird.errors import InputError, NotReadyError
from bowerbird.pipeline.conditions import meeting
from bowerbird.pipeline.ordering import LAW, Ordered, Ordering, scale_of
from bowerbird.pipeline.release import Release
from bowerbird.pipeline.settings import SurfaceSettings
from bowerbird.pipeline.understanding import understood
from bowerbird.ranking.value import reciprocal_rank_fusion, value_terms
from bowerbird.records.candidates import Candidates
from bowerbird.records.request import Context, Request
from bowerbird.records.slate import Attribution, Slate, SlateEntry, StageTrace
from bowerbird.retrieval.blend import blended
from bowerbird.retrieval.source import Source
from bowerbird.slate.filters import REASONS, Filter

LATE_FILTERS = ("near_duplicate_in_slate", "limited")
"""Filters that read the value column and so run after scoring."""

NONE_ELIGIBLE = {
    "products": "no item has a price or a picture, so none is a product",
    "ads": "no item is an advertisement",
    "organic": "no item existed at this time",
    "all": "no item existed at this time",
}
"""Why a surface has nothing to choose from, by the kind of items it may show."""
UNREAD = {
    "words": "no item has words, so words find nothing",
    "text": "words are only matched, not understood: no item has a text vector",
    "image": "the picture was not looked at: no item has a picture",
}
"""What becomes of a query of a kind that no item has, by its space."""


class Trace:
    """Times stages and counts candidates. Wall times are for people; no answer depends on them."""

    def __init__(self) -> None:
        self.stages: list[StageTrace] = []
        self._began = time.perf_counter()

    def done(self, stage: str, before: int, after: int, note: str = "") -> None:
        """A stage ended."""
        ended = time.perf_counter()
        self.stages.append(StageTrace(stage, before, after, (ended - self._began) * 1000, note))
        self._began = ended


@dataclass(frozen=True)
class Scored:
    """Candidates with their value and the terms it is the sum of."""

    context: Context
    candidates: Candidates
    terms: Mapping[str, Float32[np.ndarray, "n"]]
    actions: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pipeline:
    """One surface over one release.

    Args:
        name: the surface.
        settings: its declaration.
        release: what it reads.
    """

    name: str
    settings: SurfaceSettings
    release: Release
    _sources: tuple[tuple[Source, int], ...] = field(init=False, repr=False)
    _filters: tuple[tuple[str, Filter], ...] = field(init=False, repr=False)
    _ordering: Ordering = field(init=False, repr=False)

    def __post_init__(self) -> None:
        sources = tuple(
            (plugins.load("sources", name)(self.release), declared.quota)
            for name, declared in self.settings.sources.items()
        )
        names = [name for name in self.settings.filters if name != LAW]
        names += [LAW] if self.release.limited(self.name).any() else []
        filters: tuple[tuple[str, Filter], ...] = tuple(
            (name, plugins.load("filters", name)) for name in names
        )
        object.__setattr__(self, "_sources", sources)
        object.__setattr__(self, "_filters", filters)
        object.__setattr__(self, "_ordering", Ordering(self.name, self.settings, self.release))

    @property
    def sources(self) -> tuple[tuple[Source, int], ...]:
        """The sources with their quotas."""
        return self._sources

    def answer(self, request: Request) -> Slate:
        """The slate for a request.

        Raises:
            InputError: the request lacks what the surface needs.
            NotFoundError: it names an unknown item.
        """
        trace = Trace()
        scored = self.score(request, trace)
        kept = scored.candidates
        ordered = self._ordering.places(kept, request)
        entries = self._entries(scored, ordered)
        trace.done("diversity", len(kept), len(entries), self.settings.diversity.method)
        return Slate(
            request_id=request.request_id or request_fingerprint(request, self.release.version),
            surface=self.name,
            as_of=request.as_of,
            entries=entries,
            trace=tuple(trace.stages),
            dropped=(*kept.dropped, *ordered.passed),
            notes=(*scored.notes, *ordered.notes),
            weights={name: self.settings.value.get(name, 1.0) for name in scored.terms},
        )

    def score(self, request: Request, trace: Trace | None = None) -> Scored:
        """Candidates found, filtered and valued, not yet ordered into a slate."""
        trace = trace or Trace()
        self._require(request)
        context = understood(self.release, request)
        trace.done("understand", 0, 0, f"{len(context.history)} actions, {len(context.interests)} interests")
        candidates = self._found(context, trace)
        candidates = self._filtered(context, candidates, trace, late=False)
        candidates, terms, actions, notes = self._valued(context, candidates)
        trace.done("score", len(candidates), len(candidates), "; ".join(notes))
        before = candidates.rows
        candidates = self._filtered(context, candidates, trace, late=True)
        if len(candidates) != len(before):
            left = np.isin(before, candidates.rows)
            terms = {name: values[left] for name, values in terms.items()}
        return Scored(context, candidates, terms, actions, (*notes, *self._lacking(context)))

    def _require(self, request: Request) -> None:
        has = {
            "user": request.user_id,
            "item": request.item_id,
            "query": (request.query or "").strip() or None,  # blank words ask for nothing
            "image": request.image,
        }
        needs = self.settings.needs
        either = [name for name in ("item", "query", "image") if name in needs]
        if either and all(has[name] is None for name in either):
            named = " or ".join(either)
            raise InputError(f"{self.name}: the request has no {named}; expected {named}")
        if "user" in needs and request.user_id is None:
            raise InputError(f"{self.name}: the request has no user; expected user")
        if len(self.release.items) == 0:
            raise NotReadyError(
                f"{self.name}: the catalogue is empty; run `bowerbird import items FILE` and `bowerbird build`"
            )

    def _found(self, context: Context, trace: Trace) -> Candidates:
        release, request = self.release, context.request
        allowed = release.eligible(self.settings.eligible, context.as_of)
        offered = release.offered(self.name, self.settings.eligible, context.as_of)
        if (kept_off := int(allowed.sum() - offered.sum())) > 0:
            trace.done("policy", int(allowed.sum()), int(offered.sum()), f"{kept_off:,} kept off by [policy]")
            allowed = offered
        if request.only:
            allowed = allowed & meeting(release.items, request.only, release.facets)
        asked = request.query is not None or request.item_id is not None or request.image is not None
        if context.refused is not None and not asked:  # who asks for it by name gets it all the same
            before, allowed = int(allowed.sum()), allowed & ~context.refused
            trace.done("interests refused", before, int(allowed.sum()), "muted or deleted by the person")
        found = []
        for source, quota in self._sources:
            one = source.find(context, quota, allowed)
            found.append(one)
            trace.done(f"source {source.name}", quota, len(one.rows))
        candidates = blended(found)
        trace.done("blend", sum(len(one.rows) for one in found), len(candidates))
        return candidates

    def _filtered(self, context: Context, candidates: Candidates, trace: Trace, *, late: bool) -> Candidates:
        for name, filter_ in self._filters:
            if (name in LATE_FILTERS) != late or len(candidates) == 0:
                continue
            before = len(candidates)
            facts = self.release
            gone = filter_(context, candidates, facts)  # pyright: ignore[reportArgumentType] - cached_property
            candidates = candidates.without(gone, name, REASONS.get(name, name))
            trace.done(f"filter {name}", before, len(candidates))
        return candidates

    def _valued(
        self, context: Context, candidates: Candidates
    ) -> tuple[Candidates, dict[str, Float32[np.ndarray, "n"]], tuple[str, ...], tuple[str, ...]]:
        weights = dict(self.settings.value)
        columns: dict[str, Float32[np.ndarray, "n"]] = {}
        scorer = self.release.scorer
        actions: tuple[str, ...] = ()
        notes: tuple[str, ...] = ()
        if scorer is not None and any(name in scorer.actions for name in weights):
            columns.update(scorer.probabilities(context, candidates.rows))
            actions = scorer.actions
            missing = [name for name in weights if name != "retrieval" and name not in actions]
            if missing:
                notes = (
                    f"the ranker does not predict {', '.join(missing)}: too few in the log; the value is without",
                )
        elif any(name != "retrieval" for name in weights):
            weights = {"retrieval": 1.0}
            notes = ("no ranker: ordered by the retrieval score (reciprocal rank fusion of the sources)",)
        if "retrieval" in weights:
            declared = {name: source.weight for name, source in self.settings.sources.items()}
            columns["retrieval"] = reciprocal_rank_fusion(candidates, declared)
        known = {name: weight for name, weight in weights.items() if name in columns}
        scored = candidates.with_scores(**columns)
        terms = value_terms(scored, known)
        if context.request.boosts:
            terms["boost"] = self._boost(context, candidates, terms)
        value = np.stack(list(terms.values())).sum(axis=0, dtype=np.float64).astype(np.float32)
        return scored.with_scores(value=value), terms, actions, notes

    def _boost(
        self, context: Context, candidates: Candidates, terms: Mapping[str, Float32[np.ndarray, "n"]]
    ) -> Float32[np.ndarray, "n"]:
        """What the request adds to the value of items that meet its conditions."""
        total = np.zeros(len(candidates), np.float32)
        scale = scale_of(np.stack(list(terms.values())).sum(axis=0))
        for condition, strength in context.request.boosts:
            met = meeting(self.release.items, (condition,), self.release.facets, candidates.rows)
            total[met] += np.float32(strength * scale)
        return total

    def _entries(self, scored: Scored, ordered: Ordered) -> tuple[SlateEntry, ...]:
        picked = ordered.picks
        candidates, ids = scored.candidates.take(picked), self.release.items.vocabulary.ids
        because = attributions(candidates, ids)
        terms = {name: values[picked].tolist() for name, values in scored.terms.items()}
        added = {name: values.tolist() for name, values in ordered.added.items()}
        probabilities = {name: candidates.scores[name].tolist() for name in scored.actions}
        propensity = None if ordered.propensity is None else ordered.propensity.tolist()
        entries = []
        for position, row in enumerate(candidates.rows.tolist()):
            own = {name: values[position] for name, values in terms.items()}
            own |= {name: values[position] for name, values in added.items() if values[position]}
            entries.append(
                SlateEntry(
                    position=position,
                    item_id=ids[row],
                    score=sum(own.values()),
                    terms=own,
                    probabilities={name: values[position] for name, values in probabilities.items()},
                    because=because[position],
                    propensity=None if propensity is None else propensity[position],
                )
            )
        return tuple(entries)

    def _lacking(self, context: Context) -> tuple[str, ...]:
        release, request = self.release, context.request
        notes = [f"{name}: {why}" for name, why in release.lacks.items()]
        if not release.eligible(self.settings.eligible, context.as_of).any():
            notes.append(f"{self.name}: {NONE_ELIGIBLE[self.settings.eligible]}")
        elif self.settings.eligible == "products" and not release.priced:
            notes.append(
                f"{self.name}: no item has a price, so every item with a picture is taken for a product"
            )
        if request.query and release.lexical is not None:
            read = release.lexical.corrections(request.query)
            notes += [f"{word!r} is in no item and was read as {other!r}" for word, other in read.items()]
        for space, given in (("text", request.query), ("image", request.image)):
            if given is not None and space not in context.query_vectors:
                kind = "words" if space == "text" and release.lexical is None else space
                notes.append(f"{self.name}: {UNREAD[kind]}")
        if request.as_of < release.as_of and (release.cooccurrence is not None or release.scorer is not None):
            notes.append(
                f"what is learnt (co-visitation, ranker) knows events up to {format_time(release.as_of)}, after the "
                "time asked about; `bowerbird evaluate` keeps them apart"
            )
        if request.user_id is not None and len(context.history) == 0:
            notes.append(f"user {request.user_id!r} has no history before this time: popular and fresh items")
        return tuple(notes)


def attributions(candidates: Candidates, ids: tuple[str, ...]) -> list[tuple[Attribution, ...]]:
    """Per candidate, which sources found it, and by which item."""
    found: list[list[Attribution]] = [[] for _ in range(len(candidates))]
    for source, scores, evidence in zip(
        candidates.sources, candidates.source_scores.tolist(), candidates.evidence.tolist(), strict=True
    ):
        for place, (score, row) in enumerate(zip(scores, evidence, strict=True)):
            if not math.isnan(score):  # this source found it
                found[place].append(Attribution(source, score, ids[row] if row >= 0 else None))
    return [tuple(one) for one in found]


def request_fingerprint(request: Request, version: str) -> str:
    """A request id that is the same for the same question to the same release."""
    parts = (
        version,
        request.surface,
        request.as_of,
        request.user_id,
        request.item_id,
        request.query,
        request.without,
        request.only,
        request.n,
    )
    image = hashlib.blake2b(request.image or b"", digest_size=8).hexdigest()
    return hashlib.blake2b(
        repr((*parts, image, request.seed, request.exclude, *request.boosts)).encode(), digest_size=8
    ).hexdigest()
