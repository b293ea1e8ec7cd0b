"""Reading everything a live build and its log know of one person."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float32, Float64, Int8, Int64

from bowerbird.arrays import normalise, top_k
from bowerbird.clock import DAY_US
from bowerbird.errors import NotReadyError
from bowerbird.pipeline.refusals import without_deleted
from bowerbird.pipeline.release import Release
from bowerbird.pipeline.understanding import person_context
from bowerbird.records.event import ACTIONS
from bowerbird.records.history import History
from bowerbird.records.person_portrait import (
    NearPerson,
    PersonInterest,
    PersonMedoid,
    PersonPortrait,
    PersonVector,
    Proof,
    TimelineBin,
)
from bowerbird.records.request import Context, Interest, Request
from bowerbird.records.signal import Vectors
from bowerbird.signals.sequences import Sequences
from bowerbird.users.interests import (
    Exposure,
    InterestSettings,
    interest_profile,
    last_visit,
    node_popularity,
    popularity_moment,
)
from bowerbird.users.returns import ReturnModel, ReturnSettings
from bowerbird.users.states import STATES, WINDOW_DAYS, activity_states, state_transitions
from bowerbird.users.taken_together import interests_together, shared_items
from bowerbird.workspace.workbench import Workbench

__all__ = ["Crowd", "PersonPortraits"]

NEAREST = 8
"""People alike that are named."""
TASTE = "user_vector"
"""What people alike are sought by where it is there: people who share an interest are near in it; in the universal vector
how often people come weighs more."""
EXPECTED = 8
"""Items of the weeks to come that are named."""
MOST_PROOFS = 24
"""Events shown per interest; all are counted."""
MOST_BINS = 52
"""Stretches of a timeline: weeks, or longer ones that cover a longer life."""
TOGETHER = "taken together"


@dataclass(frozen=True, eq=False)
class Crowd:
    """Everybody at one time: what is computed once for many people."""

    release: Release
    as_of: int

    @cached_property
    def sequences(self) -> Sequences:
        """Everybody's sequences, the newest events in them."""
        return self.release.sequences.whole()

    @cached_property
    def states(self) -> Int8[np.ndarray, "user"]:
        """State codes; -1 for everybody where events have no times."""
        if self.release.logical_time:
            return np.full(len(self.release.people), -1, dtype=np.int8)
        return activity_states(self.sequences, self.as_of)

    @cached_property
    def popularity(self) -> Float64[np.ndarray, "node"] | None:
        """Share of everybody's engagement per category; None without categories."""
        labels = self.release.interests
        if labels is None:
            return None
        return node_popularity(self.sequences, labels, popularity_moment(self.sequences, self.as_of))

    @cached_property
    def returns(self) -> tuple[Float32[np.ndarray, "user"] | None, str]:
        """Everybody's probability to return, or why it is not known."""
        if self.release.logical_time:
            return None, "events have an order but no times: no state and no return probability"
        try:
            return ReturnModel.fitted(self.sequences, self.as_of).probabilities(
                self.sequences, self.as_of
            ), ""
        except NotReadyError as error:
            return None, str(error)

    @cached_property
    def transitions(self) -> Int64[np.ndarray, "before after"]:
        """People by their state one window ago and now."""
        before = activity_states(self.sequences, self.as_of - WINDOW_DAYS * DAY_US)
        return state_transitions(before, self.states)


class PersonPortraits:
    """All that is known of people, by a live build and the events since.

    Args:
        bench: the workspace's stores, for the signals of people.
        release: what answers.
    """

    def __init__(self, bench: Workbench, release: Release) -> None:
        self._bench = bench
        self._release = release
        self._cards = [
            card for card in bench.signals.cards() if card.entity == "user" and card.kind == "vector"
        ]
        self._held: dict[str, Vectors] = {}
        self._unit: dict[str, Float32[np.ndarray, "user dim"]] = {}
        self._crowd = Crowd(release, release.as_of)

    def of(self, user_id: str, as_of: int | None = None) -> PersonPortrait:
        """One person as of a time.

        Args:
            user_id: who.
            as_of: events at or after it are not used; the build's time when None.

        Raises:
            NotFoundError: nobody has that id.
        """
        release, crowd = self._release, self._crowd_at(self._release.as_of if as_of is None else as_of)
        row, as_of = release.people.row(user_id), crowd.as_of
        context = person_context(
            release, Request("homefeed", as_of, user_id=user_id), row, with_interests=True
        )
        clusters, about = self._clusters(context)
        p_return, why = crowd.returns
        refusals = release.preferences.of(user_id) if release.preferences is not None else ()
        state = int(crowd.states[row])
        notes = [note for note in (why, about) if note]
        return PersonPortrait(
            user_id=user_id,
            as_of=as_of,
            events=len(release.sequences.times(row, as_of)),
            actions=len(context.history),
            state=STATES[state] if state >= 0 else None,
            p_return=float(p_return[row]) if p_return is not None and state >= 0 else None,
            return_days=ReturnSettings().horizon_days,
            next_states=self._next_states(crowd, state),
            interests=self._interests(crowd, row, context, clusters),
            refused={one.interest: one.wish for one in refusals if one.at < as_of},
            medoids=self._medoids(clusters),
            nearest=self._nearest(crowd, row),
            vectors=tuple(self._vector(card.name, row) for card in self._cards),
            expected=self._expected(context),
            timeline=self._timeline(crowd, row),
            notes=tuple(notes),
        )

    def _crowd_at(self, as_of: int) -> Crowd:
        if self._crowd.as_of != as_of:
            self._crowd = Crowd(self._release, as_of)
        return self._crowd

    def _clusters(self, context: Context) -> tuple[tuple[Interest, ...], str]:
        """Clusters by item vectors; by what people take together where items have none."""
        if context.interests or self._release.cooccurrence is None:
            return context.interests, ""
        found = interests_together(context.history, self._release.cooccurrence.table, context.as_of)
        return found, "no item vectors: clusters are of items that people take together" if found else ""

    def _medoids(self, clusters: tuple[Interest, ...]) -> tuple[PersonMedoid, ...]:
        names = self._release.items.vocabulary
        return tuple(
            PersonMedoid(
                names.id(one.medoid), one.importance, tuple(names.names(np.array(one.members, np.int32)))
            )
            for one in clusters
        )

    def _interests(
        self, crowd: Crowd, row: int, context: Context, clusters: tuple[Interest, ...]
    ) -> tuple[PersonInterest, ...]:
        release, labels = self._release, self._release.interests
        if labels is None or crowd.popularity is None:
            return self._named_by_items(context.history, clusters)
        refusals = release.preferences.of(release.people.id(row)) if release.preferences is not None else ()
        read_at = last_visit(release.sequences.times(row, crowd.as_of), crowd.as_of)
        whole = Exposure.of(release.sequences, row, read_at)
        exposure = Exposure(
            whole.impressions, without_deleted(release, whole.answers, refusals, crowd.as_of), whole.hides
        )
        found = interest_profile(context.history, labels, read_at, crowd.popularity, exposure)
        return tuple(
            PersonInterest(
                one.node,
                one.name,
                one.weight,
                one.lift,
                len(one.searched_at),
                self._proofs(one.evidence),
                "category",
            )
            for one in found
        )

    def _named_by_items(self, history: History, clusters: tuple[Interest, ...]) -> tuple[PersonInterest, ...]:
        """Where nothing has a category, clusters with enough events are the interests."""
        least, found = InterestSettings().least_evidence, []
        for one in clusters:
            own = np.isin(history.rows, one.members)
            if own.sum() >= least:
                steps = History(history.rows[own], history.at[own], history.actions[own])
                item = self._release.items[one.medoid]
                found.append((one, item.title or item.item_id, item.item_id, steps))
        total = sum(one.importance for one, *_ in found)
        return tuple(
            PersonInterest(item_id, title, one.importance / total, None, 0, self._proofs(steps), TOGETHER)
            for one, title, item_id, steps in found
        )

    def _proofs(self, steps: History) -> tuple[Proof, ...]:
        ids, newest = self._release.items.vocabulary.ids, steps.last(MOST_PROOFS)
        columns = (newest.rows.tolist(), newest.actions.tolist(), newest.at.tolist())
        return tuple(Proof(ids[row], ACTIONS[code], at) for row, code, at in zip(*columns, strict=True))[::-1]

    def _next_states(self, crowd: Crowd, state: int) -> dict[str, float]:
        if state < 0:
            return {}
        moved = crowd.transitions[state]
        total = int(moved.sum())
        return {name: float(moved[code]) / total for code, name in enumerate(STATES)} if total else {}

    def _vector(self, name: str, row: int) -> PersonVector:
        card = next(card for card in self._cards if card.name == name)
        vectors = self._vectors(name)
        key = card.space.key if card.space is not None else ""
        present = row < len(vectors) and bool(vectors.present[row])
        return PersonVector(name, card.version, card.producer, key, card.as_of, present)

    def _vectors(self, name: str) -> Vectors:
        if name not in self._held:
            self._held[name] = self._bench.signals.vectors(name, self._bench.people)
        return self._held[name]

    def _directions(self, name: str) -> Float32[np.ndarray, "user dim"]:
        """Unit vectors, whatever the space: a similarity that people read is a cosine, 1 for the same."""
        if name not in self._unit:
            self._unit[name] = normalise(self._vectors(name).matrix)
        return self._unit[name]

    def _nearest(self, crowd: Crowd, row: int) -> tuple[NearPerson, ...]:
        """By cosine of the taste vector, else of another live vector this person has, else by the items both took."""
        names = self._release.people
        for card in sorted(self._cards, key=lambda card: card.name != TASTE):
            vectors = self._vectors(card.name)
            if row < len(vectors) and vectors.present[row]:
                unit = self._directions(card.name)
                similarity = unit @ unit[row]
                similarity[~vectors.present] = -np.inf
                by = card.name
                break
        else:
            similarity, by = shared_items(crowd.sequences.histories(crowd.as_of), row), "the items both took"
        similarity[row] = -np.inf
        found = top_k(similarity, NEAREST)
        return tuple(
            NearPerson(names.id(one), float(similarity[one]), by)
            for one in found.tolist()
            if similarity[one] > 0
        )

    def _expected(self, context: Context) -> tuple[str, ...]:
        """Items the trained long-term vector is nearest to, less what the person met already."""
        release = self._release
        trained = release.long_term
        vector = trained.of(context.user_row, context.as_of) if trained is not None else None
        if trained is None or vector is None or context.refused is not None:
            return ()
        allowed = release.offered("homefeed", "organic", context.as_of)
        allowed = allowed & ~np.isin(np.arange(len(allowed)), context.history.rows)
        rows = trained.index.search(vector, EXPECTED, allowed)[0][0]
        return tuple(release.items.vocabulary.names(rows[rows >= 0].tolist()))

    def _timeline(self, crowd: Crowd, row: int) -> tuple[TimelineBin, ...]:
        """Events by action in equal stretches: weeks, fewer longer ones for a longer life, steps without times."""
        track = crowd.sequences.activity
        span = track.span(row, crowd.as_of)
        at, codes = track.at[span], track.actions[span]
        if not at.size:
            return ()
        if self._release.logical_time:  # a place in the log says nothing of when: every step is one unit
            at = np.arange(at.size, dtype=np.int64)
            width, end = -(-at.size // MOST_BINS), int(at.size)
        else:
            weeks = -(-(crowd.as_of - int(at[0])) // (7 * DAY_US))
            width, end = -(-weeks // MOST_BINS) * 7 * DAY_US, crowd.as_of
        place = (end - 1 - at) // width
        bins = []
        for back in range(int(place.max()), -1, -1):
            counts = np.bincount(codes[place == back], minlength=len(ACTIONS))
            met = {name: int(counts[code]) for code, name in enumerate(ACTIONS) if counts[code]}
            bins.append(TimelineBin(end - (back + 1) * width, end - back * width, met))
        return tuple(bins)
