"""All that is known of one item: each signal's value with its version, how sure it is and what it rests on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Evidence", "ItemPortrait", "ItemSignal", "SignalFact"]


@dataclass(frozen=True)
class Evidence:
    """An item that a value rests on."""

    item_id: str
    similarity: float | None = None
    """How near it is; None where nothing was compared."""


@dataclass(frozen=True)
class SignalFact:
    """One thing a signal says of an item."""

    value: str
    name: str = ""
    """What the value is of, e.g. ``colour``; empty where the signal's name says it."""
    confidence: float | None = None
    """Probability or score in [0, 1] as the signal gives it; None where it gives none."""
    abstained: bool = False
    """The signal has a guess and does not stand by it."""
    details: Mapping[str, str] = field(default_factory=dict)
    """What else the signal says of this value."""
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True)
class ItemSignal:
    """What one signal says of one item; without facts, that it says nothing of this one."""

    name: str
    kind: str
    version: str
    producer: str
    as_of: int
    """Microseconds UTC."""
    space: str | None
    """Where its vectors live; None for a signal that holds none."""
    facts: tuple[SignalFact, ...]


@dataclass(frozen=True)
class ItemPortrait:
    """One item with every live signal of it."""

    item_id: str
    row: int
    counts: Mapping[str, int]
    """Events by action before the time asked about."""
    collections: tuple[str, ...]
    """Collections people put it into, most often first."""
    signals: tuple[ItemSignal, ...]
