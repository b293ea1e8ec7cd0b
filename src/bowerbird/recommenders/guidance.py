"""What a trained model may use besides train: validation to stop by and to blend by, and how much effort."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, get_args, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float64, Int32

from bowerbird.arrays import bounded_slices
from bowerbird.metrics import target_rank
from bowerbird.randomness import generator
from bowerbird.recommenders.interactions import Interactions
from bowerbird.recommenders.recommender import FittedRecommender, Histories, Recommender
from bowerbird.telemetry import SILENT, Progress

__all__ = ["EFFORTS", "Effort", "Guidance", "GuidedRecommender", "HeldOut", "fitted_with", "held_out"]

Effort = Literal["quick", "standard", "thorough"]
EFFORTS: tuple[Effort, ...] = get_args(Effort)
MOST_CASES = 5_000
"""Validation cases of one kind; more cost time and hardly move a mean."""
MOST_OF_ONE = 500
"""Validation cases of one kind from one person: somebody with half of all events is still one person, and each of their cases is as
long as their history."""
MOST_EVENTS = 2_000_000
"""Events of all histories of a batch."""
OWN_SHARE = 0.1
"""Share of users whose last event is held back where no validation part is given."""


@dataclass(frozen=True)
class Guidance:
    """Beside train: what published protocols let a model look at while it is being fitted."""

    valid: Interactions | None = None
    """Events after train, to choose epochs and blend weights by; never learnt from. None: the model holds
    back some of train itself."""
    valid_from: int | None = None
    """Where validation begins, microseconds UTC, when the split is one by time."""
    effort: Effort = "standard"
    """How long training may take: quick, standard or thorough."""
    progress: Progress = SILENT
    """Where training says how far it is."""
    checkpoints: Path | None = None
    """A folder where training keeps its state, one file per run; the same run goes on from it."""
    workers: int = 1
    """Workers of a Ray cluster that train an encoder together; 1: this process."""


@runtime_checkable
class GuidedRecommender(Protocol):
    """A recommender that is trained; :func:`fitted_with` finds it by this method."""

    def fit_guided(self, train: Interactions, seed: int, guidance: Guidance) -> FittedRecommender:
        """Like ``fit``, with validation to choose by."""
        ...


def fitted_with(model: Recommender, train: Interactions, seed: int, guidance: Guidance) -> FittedRecommender:
    """The model fitted, with guidance where it takes some."""
    if isinstance(model, GuidedRecommender):
        return model.fit_guided(train, seed, guidance)
    return model.fit(train, seed)


@dataclass(frozen=True)
class HeldOut:
    """Histories and the item that came next: what a model chooses by."""

    histories: Histories
    target: Int32[np.ndarray, " case"]
    seen_out: bool
    """Whether items of the history leave the ranking."""

    def parts(self, size: int) -> Iterator[tuple[slice, Histories]]:
        """The cases in batches of at most a size, and of at most :data:`MOST_EVENTS` events unless one alone has more."""
        lengths = np.bincount(self.histories.users, minlength=self.target.size)
        for part in bounded_slices(lengths, size, MOST_EVENTS):
            yield part, self.histories.part(part.start, part.stop)

    def ndcg(self, fitted: FittedRecommender) -> Float64[np.ndarray, " case"]:
        """NDCG@10 of each case under full ranking."""
        gains = np.zeros(self.target.size)
        for part, histories in self.parts(batch_size(self.histories.items_total)):
            scores = fitted.scores(histories)
            if self.seen_out:
                scores[histories.users, histories.items] = -np.inf
            gains[part] = target_rank.ndcg(target_rank.pessimistic_ranks(scores, self.target[part]), 10)
        return gains


def batch_size(items_total: int) -> int:
    """Histories whose scores take 16 MB."""
    return max(1, 4_000_000 // max(1, items_total))


def held_out(train: Interactions, guidance: Guidance, seed: int) -> tuple[Interactions, HeldOut | None]:
    """What to learn from and what to choose by.

    With a validation part, each of its events is a case that reads everything its user did before; where
    the split is by time, a user's first one is asked at the moment validation begins, the others right
    after the event before, and both kinds count alike. Without one, the last event of a tenth of the users
    is held back.

    Args:
        train: all that may be learnt from.
        guidance: may hold a validation part.
        seed: draws the cases, and the users held back.

    Returns:
        The events to learn from, and the cases; None where nobody has three events.
    """
    random = generator(seed, "held-out")
    valid = guidance.valid
    if valid is None or len(valid) == 0:
        counts = np.bincount(train.users, minlength=train.users_total)
        able = np.flatnonzero(counts >= 3)
        if able.size == 0:
            return train, None
        size = min(able.size, max(200, min(MOST_CASES, round(OWN_SHARE * able.size))))
        held = np.zeros(train.users_total, dtype=bool)
        held[random.choice(able, size, replace=False)] = True
        last = held[train.users] & (train.ages() == 0)
        return train.where(~last), _cases(
            train.where(~last), train.where(last), None, train.repeats == 0, random
        )
    return train, _cases(train, valid, guidance.valid_from, train.repeats == 0, random)


def _cases(
    train: Interactions,
    valid: Interactions,
    valid_from: int | None,
    seen_out: bool,
    random: np.random.Generator,
) -> HeldOut:
    ages = valid.ages()
    totals = np.bincount(valid.users, minlength=valid.users_total)
    first = ages == totals[valid.users] - 1
    chosen = np.concatenate([_some(first, random), _some(~first & _few_of_each(valid, random), random)])
    return HeldOut(
        _histories(train, valid, chosen, totals[valid.users] - 1 - ages, valid_from),
        valid.items[chosen],
        seen_out,
    )


def _few_of_each(valid: Interactions, random: np.random.Generator) -> Bool[np.ndarray, " event"]:
    """At most :data:`MOST_OF_ONE` events of each person, by chance; nothing is drawn where nobody has more."""
    kept = np.ones(len(valid), dtype=bool)
    for person in np.flatnonzero(np.bincount(valid.users) > MOST_OF_ONE):
        own = np.flatnonzero(valid.users == person)
        kept[random.choice(own, own.size - MOST_OF_ONE, replace=False)] = False
    return kept


def _some(mask: Bool[np.ndarray, " event"], random: np.random.Generator) -> np.ndarray:
    places = np.flatnonzero(mask)
    return places if places.size <= MOST_CASES else np.sort(random.choice(places, MOST_CASES, replace=False))


def _histories(
    train: Interactions,
    valid: Interactions,
    chosen: np.ndarray,
    before: np.ndarray,
    valid_from: int | None,
) -> Histories:
    """The events before each chosen event of validation: all of train, and ``before`` of validation."""
    users = np.concatenate([train.users, valid.users])
    order = np.argsort(users, kind="stable")
    bounds = np.searchsorted(users[order], np.arange(train.users_total + 1))
    in_train = np.bincount(train.users, minlength=train.users_total)
    people = valid.users[chosen]
    lengths = in_train[people] + before[chosen]
    case = np.repeat(np.arange(chosen.size, dtype=np.int32), lengths)
    place = np.arange(case.size) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    rows = order[bounds[people][case] + place]
    items = np.concatenate([train.items, valid.items])[rows]
    at = asked_at = None
    if train.at is not None and valid.at is not None:
        at = np.concatenate([train.at, valid.at])[rows]
        asked_at = np.full(chosen.size, valid_from if valid_from is not None else np.iinfo(np.int64).min)
        ends = np.cumsum(lengths) - 1
        some = lengths > 0
        last = np.full(chosen.size, np.iinfo(np.int64).min)
        last[some] = at[ends[some]]
        asked_at = np.maximum(asked_at, last)
    return Histories(case, items, int(chosen.size), train.items_total, at, asked_at)
