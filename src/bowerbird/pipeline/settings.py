"""How a surface's pipeline is declared in ``bowerbird.toml``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

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
    needs: tuple[Literal["user", "item", "query", "image"], ...] = ()
    """What a request must carry; one of ``item``, ``query`` and ``image`` is enough where several are named."""

    @field_validator("value")
    @classmethod
    def _known_columns(cls, value: dict[str, float]) -> dict[str, float]:
        for name in value:
            if name not in COLUMNS:
                raise ValueError(f"unknown score column {name!r}; {did_you_mean(name, COLUMNS)}")
        return value
