"""Requests: what a surface was asked; and the context every stage of a pipeline reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float32, Int32

from bowerbird.errors import InputError
from bowerbird.records.history import History
from bowerbird.records.signal import Vectors

MAX_SLATE = 500
MAX_QUERY_CHARACTERS = 10_000
MOST_BOOST = 10.0
"""Largest strength of a boost, either way."""
MOST_BOOSTS = 20
"""Boosts of one request."""


@dataclass(frozen=True)
class Wish:
    """What an answer must not be, and must be."""

    exclude: tuple[str, ...] = ()
    """Item ids not to show."""
    without: str | None = None
    """Words for what is not wanted."""
    only: tuple[str, ...] = ()
    """Conditions every item must meet, e.g. ``category=home/kitchen`` or ``price<=50``."""
    boosts: tuple[tuple[str, float], ...] = ()
    """Conditions with strengths: items that meet one are worth so many mean values more (or less)."""


ANYTHING = Wish()


def boosts_of(texts: Iterable[str]) -> tuple[tuple[str, float], ...]:
    """Boosts as people write them: a condition, a colon, a strength.

    Raises:
        InputError: one has no strength, or too many are given.

    Example:
        >>> boosts_of(["category=home/kitchen:0.5"])
        (('category=home/kitchen', 0.5),)
    """
    found = []
    for text in texts:
        condition, _, strength = text.rpartition(":")
        try:
            found.append((condition, float(strength)))
        except ValueError as error:
            raise InputError(
                f"boost {text[:60]!r}: expected CONDITION:STRENGTH, e.g. category=home:0.5"
            ) from error
    if len(found) > MOST_BOOSTS:
        raise InputError(f"boost: found {len(found)}; at most {MOST_BOOSTS} are read")
    return tuple(found)


@dataclass(frozen=True)
class Request:
    """One question to a surface.

    Raises:
        InputError: ``n``, the query's length or a boost is out of range.
    """

    surface: str
    as_of: int
    """Microseconds UTC: events at or after it are not used."""
    user_id: str | None = None
    item_id: str | None = None
    query: str | None = None
    image: bytes | None = None
    without: str | None = None
    """Words for what is not wanted."""
    only: tuple[str, ...] = ()
    """Conditions every item must meet, e.g. ``category=home/kitchen`` or ``price<=50``."""
    n: int = 25
    seed: int = 0
    exclude: tuple[str, ...] = ()
    """Item ids the caller does not want."""
    boosts: tuple[tuple[str, float], ...] = ()
    """Conditions with strengths: an item that meets one is worth so many times the mean value of the best more."""
    explain: bool = False
    request_id: str = ""

    def __post_init__(self) -> None:
        if not 1 <= self.n <= MAX_SLATE:
            raise InputError(f"n = {self.n}: a slate has 1 to {MAX_SLATE} items")
        for condition, strength in self.boosts:
            if not abs(strength) <= MOST_BOOST:
                raise InputError(
                    f"boost {condition[:40]!r} = {strength}: expected a strength from -{MOST_BOOST:g} to {MOST_BOOST:g}"
                )
        for name, text in (("query", self.query), ("without", self.without)):
            if text is not None and len(text) > MAX_QUERY_CHARACTERS:
                raise InputError(
                    f"{name} has {len(text):,} characters; at most {MAX_QUERY_CHARACTERS:,} are read, shorten it"
                )


@dataclass(frozen=True)
class Interest:
    """One of a person's interests as a cluster of what they engaged with (PinnerSage)."""

    medoid: int
    """Item row that stands for the cluster."""
    importance: float
    """Decayed share of the person's engagement, all interests sum to 1."""
    members: tuple[int, ...]
    """Item rows of the cluster: the evidence."""


@dataclass(frozen=True)
class Context:
    """A request with everything known about it at ``as_of``: what stages read.

    Built once by the pipeline; stages never change it.
    """

    request: Request
    user_row: int = -1
    """-1 for nobody or somebody unknown."""
    anchor_row: int = -1
    """Row of the item the request is about; -1 for none."""
    history: History = field(default_factory=History.empty)
    """Positive actions."""
    interests: tuple[Interest, ...] = ()
    shown: Int32[np.ndarray, "shown"] = field(default_factory=lambda: np.empty(0, np.int32))
    """Item rows shown lately, oldest first, repeats kept."""
    hidden: Int32[np.ndarray, "hidden"] = field(default_factory=lambda: np.empty(0, np.int32))
    refused: Bool[np.ndarray, "item"] | None = None
    """True at items of interests the person muted or deleted; None when there are none."""
    user_vectors: Vectors | None = None
    """One row: the person's decayed mean in the item space."""
    query_vectors: Mapping[str, Vectors] = field(default_factory=dict)
    """Space name to one row: the query's words and picture, encoded."""

    @property
    def as_of(self) -> int:
        """The request's time, microseconds UTC."""
        return self.request.as_of


def no_scores(n: int) -> Float32[np.ndarray, "n"]:
    """A score column of nothing known: all NaN."""
    return np.full(n, np.nan, dtype=np.float32)
