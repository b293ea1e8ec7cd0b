"""What the policy of a workspace comes to: items by rule, surface and decision."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from bowerbird.content.eligibility import EVERYWHERE
from bowerbird.errors import NotReadyError
from bowerbird.workspace.workbench import Workbench

__all__ = ["PolicyCount", "PolicyCounts", "policy_counts"]


@dataclass(frozen=True)
class PolicyCount:
    """Items one rule decided on for one surface."""

    rule: str
    surface: str
    decision: str
    items: int
    reason: str


@dataclass(frozen=True)
class PolicyCounts:
    """The policy over a catalogue."""

    items: int
    free: int
    """Items allowed on every surface."""
    decided: tuple[PolicyCount, ...]
    notes: tuple[str, ...]
    """What was not judged, as the build said."""


def policy_counts(bench: Workbench) -> PolicyCounts:
    """Items by rule and surface, most first.

    Raises:
        NotReadyError: the policy was not applied yet.
    """
    card, safety = bench.signals.card("eligibility"), bench.signals.card("safety")
    if card is None or safety is None:
        raise NotReadyError("quality: the policy was not applied yet; run `bowerbird build eligibility`")
    lines = bench.signals.table("eligibility").to_pylist()
    free = sum(line["name"] == EVERYWHERE for line in lines)
    found = Counter(
        (line["rule"], line["name"], line["value"], line["reason"])
        for line in lines
        if line["rule"] is not None
    )
    decided = (
        PolicyCount(rule, surface, decision, items, reason)
        for (rule, surface, decision, reason), items in found.most_common()
    )
    return PolicyCounts(len(bench.items), free, tuple(decided), (safety.note, card.note))
