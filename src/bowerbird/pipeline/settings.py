"""How a surface's pipeline is declared in ``bowerbird.toml``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from bowerbird.config import Settings
from bowerbird.errors import did_you_mean
from bowerbird.records.event import ACTIONS

COLUMNS = ("retrieval", *ACTIONS)
"""What a value may weigh: the retrieval score, or the probability of an action."""


class SourceSettings(Settings):
    """One source of a surface."""

    quota: Annotated[int, Field(ge=1, le=5000)] = 100
    """At most this many candidates."""
    weight: Annotated[float, Field(ge=0.0)] = 1.0
    """Weight in the retrieval score (reciprocal rank fusion)."""


class DiversitySettings(Settings):
    """How a slate spreads."""

    method: Literal["none", "mmr", "ssd"] = "ssd"
    """``ssd``: sliding spectrum decomposition; ``mmr``: maximal marginal relevance."""
    strength: Annotated[float, Field(ge=0.0, le=10.0)] = 0.3
    """Weight of diversity beside the mean value of the best candidates."""
    window: Annotated[int, Field(ge=2, le=50)] = 8
    """How many neighbouring positions must differ from one another."""


class SpacingSettings(Settings):
    """A price for items of a kind that stand near each other."""

    by: Literal["category", "group", "creator"] = "category"
    """What makes items of a kind: the whole category path, its first part, or who made them."""
    strength: Annotated[float, Field(ge=0.0, le=10.0)] = 0.1
    """Price of an adjacent repeat beside the mean value of the best candidates; it fades with distance."""
    window: Annotated[int, Field(ge=1, le=50)] = 4
    """Positions over which it fades."""


class RuleSettings(Settings):
    """How many of a kind the first places hold, at least or at most."""

    reason: Annotated[str, Field(min_length=1, max_length=200)]
    """Why; explanations say it."""
    first: Annotated[int, Field(ge=1, le=500)] = 10
    """How many places it looks at."""
    of: str = ""
    """Which items: ``new`` (created in the last 7 days), ``cold`` (shown fewer than 20 times in 30 days), or a condition, e.g.
    ``category=home/kitchen``, ``price<=50``."""
    each: Literal["", "category", "group", "creator"] = ""
    """In place of ``of``, with ``most``: at most so many of each."""
    least: Annotated[int, Field(ge=0)] = 0
    """How many there must be, as far as candidates go."""
    most: Annotated[int, Field(ge=0)] | None = None
    """How many there may be."""

    @model_validator(mode="after")
    def _makes_sense(self) -> RuleSettings:
        if bool(self.of) == bool(self.each):
            raise ValueError("a rule names either `of` (which items) or `each` (at most so many of each)")
        if self.each and (self.least or self.most is None):
            raise ValueError("`each` goes with `most` alone")
        if self.least == 0 and self.most is None:
            raise ValueError("a rule says `least` or `most`")
        if self.least > self.first:
            raise ValueError(
                f"least = {self.least} of the first {self.first} places; expected at most as many"
            )
        return self


class ExplorationSettings(Settings):
    """A place that sometimes goes to an item few have met."""

    share: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    """Share of requests in which it does; 0: never."""
    place: Annotated[int, Field(ge=0, le=499)] = 7
    """Which place, 0 the top."""
    strength: Annotated[float, Field(ge=0.0, le=10.0)] = 0.3
    """How much an unknown item may be hoped to be better than is thought, beside the mean value."""


class SurfaceSettings(Settings):
    """One surface: where candidates come from, what may not be shown, what counts, how it spreads."""

    about: str = ""
    """One line for people."""
    n: Annotated[int, Field(ge=1, le=500)] = 25
    """Slate length when the request names none."""
    eligible: Literal["organic", "products", "ads", "all"] = "organic"
    """Which items may appear: everything but ads, items with a price, ads, or everything."""
    sources: dict[str, SourceSettings]
    """Source plugins and their quotas."""
    filters: tuple[str, ...] = ("excluded", "hidden")
    """Filter plugins, in order."""
    value: Annotated[dict[str, float], Field(min_length=1)]
    """Weight per score column: an action's probability, or ``retrieval``."""
    diversity: DiversitySettings = DiversitySettings()
    """How the slate spreads."""
    spacing: SpacingSettings | None = None
    """Soft spacing by kind, after diversity; none unless declared."""
    rules: dict[str, RuleSettings] = Field(default_factory=dict)
    """Limits and guarantees by name, earlier ones first."""
    exploration: ExplorationSettings = ExplorationSettings()
    """The exploration slot; off unless declared."""
    needs: tuple[Literal["user", "item", "query", "image"], ...] = ()
    """What a request must carry; one of ``item``, ``query`` and ``image`` is enough where several are named."""

    @field_validator("value")
    @classmethod
    def _known_columns(cls, value: dict[str, float]) -> dict[str, float]:
        for name in value:
            if name not in COLUMNS:
                raise ValueError(f"unknown score column {name!r}; {did_you_mean(name, COLUMNS)}")
        return value
