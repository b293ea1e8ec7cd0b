"""What slates are worth in the simulated world: their true preference, and the lift of one policy over another."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64

from bowerbird.errors import InputError
from bowerbird.randomness import generator
from bowerbird.simulation.choice import examination, fatigue
from bowerbird.simulation.truth import Truth

__all__ = ["Lift", "Policy", "TrueValue", "lift", "true_value"]

Policy = Callable[[str], Sequence[str]]
"""From a user id to the item ids of their slate, best first."""

_RESAMPLES = 1000


@dataclass(frozen=True)
class TrueValue:
    """Mean true preference of slates over people, with a 95 % bootstrap interval over people."""

    mean: float
    low: float
    high: float
    people: int


@dataclass(frozen=True)
class Lift:
    """Positive actions per session under two policies, for the same people with the same random numbers.

    Attributes:
        actions_a: openings per session under the first policy.
        actions_b: openings per session under the second.
        lift: ``actions_a / actions_b - 1``.
        low: lower end of its 95 % bootstrap interval over people.
        high: upper end.
        people: number of people.
    """

    actions_a: float
    actions_b: float
    lift: float
    low: float
    high: float
    people: int


def true_value(slates: Mapping[str, Sequence[str]], truth: Truth, as_of: int, seed: int = 0) -> TrueValue:
    """How much people truly like the items of their slates: the mean over people of the mean over items.

    Position and fatigue play no part, so slates of different policies compare item by item.

    Args:
        slates: item ids per user id; an empty slate is worth 0.
        truth: what was planted.
        as_of: time of the slates, microseconds UTC.
        seed: of the bootstrap.

    Raises:
        InputError: there are no slates.
        NotFoundError: a user or an item is not in the simulated world.
    """
    if not slates:
        raise InputError("true_value: no slates; expected at least one user id with item ids")
    moment = truth.model.moment(as_of)
    users = truth.user_rows(list(slates))
    per_person = np.zeros(len(slates))
    for row, items in enumerate(slates.values()):
        if len(items):
            liked = truth.model.preference(users[row : row + 1], truth.item_rows(items), moment)
            per_person[row] = float(liked.mean())
    resampled = _bootstrap_weights(len(slates), seed) @ per_person
    low, high = np.quantile(resampled, [0.025, 0.975])
    return TrueValue(mean=float(per_person.mean()), low=float(low), high=float(high), people=len(slates))


def lift(
    policy_a: Policy,
    policy_b: Policy,
    user_ids: Sequence[str],
    truth: Truth,
    as_of: int,
    *,
    sessions: int = 5,
    seed: int = 0,
) -> Lift:
    """How many more positive actions one policy brings than another, by simulating sessions.

    Each person has the same number of sessions under both policies; a random number belongs to a person, session and
    position, so both policies meet the same luck and the difference has less noise (common random numbers). An item is
    opened with ``b(position) * preference * f(exposures)``; a repeated slate tires people, whichever policy repeats it.

    Args:
        policy_a: the policy of interest.
        policy_b: what it is compared with, e.g. popularity.
        user_ids: the people.
        truth: what was planted.
        as_of: time of the slates, microseconds UTC.
        sessions: sessions per person.
        seed: of the luck and of the bootstrap.

    Raises:
        InputError: no people, or nobody opens anything under ``policy_b``, so the ratio has no meaning.
        NotFoundError: a user or an item is not in the simulated world.
    """
    if not user_ids:
        raise InputError("lift: no people; expected at least one user id")
    opened_a = _openings(policy_a, user_ids, truth, as_of, sessions=sessions, seed=seed)
    opened_b = _openings(policy_b, user_ids, truth, as_of, sessions=sessions, seed=seed)
    if not opened_b.any():
        raise InputError(
            f"lift: none of {len(user_ids)} people opened anything under policy_b; "
            "expected at least one opening; ask more people or sessions"
        )
    weights = _bootstrap_weights(len(user_ids), seed)
    below = weights @ opened_b
    kept = below > 0
    low, high = np.quantile((weights @ opened_a)[kept] / below[kept] - 1.0, [0.025, 0.975])
    return Lift(
        actions_a=float(opened_a.mean()) / sessions,
        actions_b=float(opened_b.mean()) / sessions,
        lift=float(opened_a.mean() / opened_b.mean() - 1.0),
        low=float(low),
        high=float(high),
        people=len(user_ids),
    )


def _openings(
    policy: Policy, user_ids: Sequence[str], truth: Truth, as_of: int, *, sessions: int, seed: int
) -> Float64[np.ndarray, "user"]:
    """Openings of each person in all sessions."""
    moment, choice = truth.model.moment(as_of), truth.settings.choice
    users = truth.user_rows(user_ids)
    opened = np.zeros(len(user_ids))
    for row, user_id in enumerate(user_ids):
        items = truth.item_rows(policy(user_id))
        if not items.shape[0]:
            continue
        liked = truth.model.preference(users[row : row + 1], items, moment)
        looked = examination(np.arange(items.shape[0]), choice)
        # a slate that shows the same item twice tires as much as two slates
        within = np.array([int((items[:at] == item).sum()) for at, item in enumerate(items)])
        times = np.array([int((items == item).sum()) for item in items])
        seen = (within[None, :] + times[None, :] * np.arange(sessions)[:, None]).astype(np.float32)
        chance: Float32[np.ndarray, "session n"] = looked * liked * fatigue(seen, choice)
        # positions are drawn one after another, so a shorter slate meets the same luck as a longer one
        luck = generator(seed, "luck", user_id).random((items.shape[0], sessions)).T
        opened[row] = float((luck < chance).sum())
    return opened


def _bootstrap_weights(people: int, seed: int) -> Float64[np.ndarray, "resample user"]:
    """How often each person is drawn in each resample, over the number of people."""
    rng = generator(seed, "bootstrap")
    return rng.multinomial(people, np.full(people, 1.0 / people), size=_RESAMPLES) / people
