"""All that is known of one person, each claim with the events it rests on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = [
    "NearPerson",
    "PersonInterest",
    "PersonMedoid",
    "PersonPortrait",
    "PersonVector",
    "Proof",
    "TimelineBin",
]


@dataclass(frozen=True)
class Proof:
    """One event an interest rests on."""

    item_id: str
    action: str
    at: int
    """Microseconds UTC; a place in the order where the log has no times."""


@dataclass(frozen=True)
class PersonInterest:
    """One interest. Named by a category, or by the item in its middle where nothing has a category."""

    interest: str
    """Path of the category; or the id of the middle item."""
    name: str
    weight: float
    """Share of the person's reported interests; they sum to 1."""
    lift: float | None
    """Engagement over what anybody would have done in their place; None for an interest named by an item."""
    searches: int
    """The person's own searches under it."""
    evidence: tuple[Proof, ...]
    """Newest first; at least three events, searches counted."""
    by: str
    """``category`` or ``taken together``."""


@dataclass(frozen=True)
class PersonMedoid:
    """A cluster of what the person acted on, and the item that stands for it."""

    item_id: str
    importance: float
    """Decayed share of the person's actions; all sum to 1."""
    members: tuple[str, ...]


@dataclass(frozen=True)
class NearPerson:
    """Somebody alike."""

    user_id: str
    similarity: float
    """Cosine, above 0 and at most 1."""
    by: str
    """What was compared: a vector signal, or the items both took."""


@dataclass(frozen=True)
class PersonVector:
    """A live vector signal of people."""

    name: str
    version: str
    producer: str
    space: str
    as_of: int
    present: bool
    """Whether this person has one."""


@dataclass(frozen=True)
class TimelineBin:
    """Events in one stretch of the timeline, by action."""

    since: int
    until: int
    counts: Mapping[str, int]


@dataclass(frozen=True)
class PersonPortrait:
    """One person, as of a time."""

    user_id: str
    as_of: int
    """Microseconds UTC."""
    events: int
    actions: int
    """Positive ones among the events."""
    state: str | None
    """None before the first event, or where events have no times."""
    p_return: float | None
    """Probability of an event within the return model's horizon; None where it could not be learnt."""
    return_days: int
    """That horizon."""
    next_states: Mapping[str, float]
    """Where people of this state were one window later, as shares; empty where unknown."""
    interests: tuple[PersonInterest, ...]
    refused: Mapping[str, str]
    """Interests the person muted or deleted, and which of both."""
    medoids: tuple[PersonMedoid, ...]
    nearest: tuple[NearPerson, ...]
    vectors: tuple[PersonVector, ...]
    expected: tuple[str, ...]
    """Items new to the person that their long-term vector expects of the weeks to come, the likeliest first; empty
    where there is no such vector, or it is younger than the time asked about."""
    timeline: tuple[TimelineBin, ...]
    notes: tuple[str, ...]
    """What is missing, and why."""
