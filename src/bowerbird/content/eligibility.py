"""Eligibility: what a declared policy lets each surface show, by what was measured of an item.

A rule says when it holds, what follows and where::

    [policy.unsafe]
    when = ["nsfw > 0.8"]
    action = "drop"
    reason = "looks unsafe for work"

Of all rules that hold for an item on a surface the strictest decides: ``drop`` over ``limit`` over ``allow``. A
measure that was not taken of an item decides nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Float32, Int8, Int16
from pydantic import Field, field_validator

from bowerbird.config import Settings
from bowerbird.errors import did_you_mean

__all__ = ["DEFAULT_POLICY", "EVERYWHERE", "FACTS", "Eligibility", "PolicyRule", "decided"]

FACTS = (
    "width",
    "height",
    "shorter_side",
    "sharpness",
    "contrast",
    "bands",
    "colourfulness",
    "text_share",
    "spam",
    "nsfw",
)
"""What a rule may ask about."""
EVERYWHERE = "every surface"
"""What stands for all surfaces in a table."""
_ALLOW, _LIMIT, _DROP = 0, 1, 2
_DECISIONS = ("allow", "limit", "drop")
_CONDITION = re.compile(r"\s*(\w+)\s*(<=|>=|<|>)\s*(-?\d+(?:\.\d+)?)\s*")


class PolicyRule(Settings):
    """One rule of the policy."""

    when: Annotated[tuple[str, ...], Field(min_length=1)]
    """Conditions that must all hold, each a measure, ``<``, ``<=``, ``>`` or ``>=``, and a number: ``sharpness < 20``."""
    action: Literal["allow", "limit", "drop"]
    """``drop``: never shown. ``limit``: at most one place in ten of a slate. ``allow``: the rule is switched off."""
    surfaces: tuple[str, ...] = ()
    """Where the rule holds; on every surface when empty."""
    reason: Annotated[str, Field(min_length=1)]
    """What people are told."""

    @field_validator("when")
    @classmethod
    def _readable(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for condition in value:
            read = _CONDITION.fullmatch(condition)
            if read is None:
                raise ValueError(f"{condition!r} is not understood; expected e.g. 'sharpness < 20'")
            if read.group(1) not in FACTS:
                raise ValueError(f"unknown measure {read.group(1)!r}; {did_you_mean(read.group(1), FACTS)}")
        return value

    def asks(self) -> set[str]:
        """The measures it reads."""
        return {read.group(1) for one in self.when if (read := _CONDITION.fullmatch(one))}

    def holds(self, facts: Mapping[str, Float32[np.ndarray, "item"]], items: int) -> Bool[np.ndarray, "item"]:
        """The items for which every condition holds; never where a measure is missing (NaN)."""
        met = np.ones(items, dtype=bool)
        for condition in self.when:
            read = _CONDITION.fullmatch(condition)
            assert read is not None
            name, sign, text = read.groups()
            values, limit = facts.get(name, np.full(items, np.nan, dtype=np.float32)), float(text)
            strict = values < limit if sign[0] == "<" else values > limit
            met &= strict | (values == np.float32(limit)) if sign.endswith("=") else strict
        return met


_SUGGESTING = ("homefeed", "ads")
DEFAULT_POLICY: dict[str, dict[str, object]] = {
    "unsafe": {"when": ["nsfw > 0.8"], "action": "drop", "reason": "looks unsafe for work"},
    "perhaps_unsafe": {
        "when": ["nsfw > 0.5"],
        "action": "drop",
        "surfaces": [*_SUGGESTING],
        "reason": "may be unsafe for work, and nobody asked for it",
    },
    "spam": {"when": ["spam > 0.8"], "action": "drop", "reason": "its words look like spam"},
    "perhaps_spam": {
        "when": ["spam > 0.6"],
        "action": "limit",
        "reason": "its words look a little like spam",
    },
    "blurred": {
        "when": ["sharpness < 12", "contrast >= 0.05"],
        "action": "limit",
        "surfaces": [*_SUGGESTING],
        "reason": "its picture is blurred",
    },
    "blank": {
        "when": ["contrast < 0.02"],
        "action": "limit",
        "surfaces": [*_SUGGESTING],
        "reason": "its picture shows next to nothing",
    },
    "tiny": {
        "when": ["shorter_side < 48"],
        "action": "limit",
        "surfaces": [*_SUGGESTING],
        "reason": "its picture is tiny",
    },
    "mostly_text": {
        "when": ["text_share > 0.5"],
        "action": "limit",
        "surfaces": [*_SUGGESTING],
        "reason": "its picture is mostly text",
    },
}
"""What ``bowerbird init`` writes; a rule of ``bowerbird.toml`` with the same name takes its place."""


@dataclass(frozen=True)
class Eligibility:
    """The policy's decision on every item for every surface.

    Args:
        rules: name and reason of each rule.
        decisions: by surface, 0 allow, 1 limit, 2 drop for each item.
        deciding: by surface, the rule that decided; -1 where none did.
    """

    rules: tuple[tuple[str, str], ...]
    decisions: Mapping[str, Int8[np.ndarray, "item"]]
    deciding: Mapping[str, Int16[np.ndarray, "item"]]

    def dropped(self, surface: str) -> Bool[np.ndarray, "item"] | None:
        """Items a surface never shows; None where it is not under the policy."""
        found = self.decisions.get(surface)
        return None if found is None else found == _DROP

    def limited(self, surface: str) -> Bool[np.ndarray, "item"] | None:
        """Items a surface shows a few of; None where it is not under the policy."""
        found = self.decisions.get(surface)
        return None if found is None else found == _LIMIT

    def reason(self, surface: str, row: int) -> str:
        """Which rule decided on an item, and why; empty where none did."""
        at = int(self.deciding[surface][row]) if surface in self.deciding else -1
        return "" if at < 0 else f"{self.rules[at][1]} (policy.{self.rules[at][0]})"

    def to_table(self, ids: Sequence[str]) -> pa.Table:
        """A line for each item and surface that is not simply allowed, and one for each item that is everywhere."""
        lines: list[tuple[str, str, str, str | None, str | None]] = []
        free = np.ones(len(ids), dtype=bool)
        for surface, decision in self.decisions.items():
            for row in np.flatnonzero(decision != _ALLOW).tolist():
                free[row] = False
                rule, reason = self.rules[self.deciding[surface][row]]
                lines.append((ids[row], surface, _DECISIONS[decision[row]], rule, reason))
        lines += [(ids[row], EVERYWHERE, "allow", None, None) for row in np.flatnonzero(free).tolist()]
        columns = list(zip(*lines, strict=True)) or [()] * 5
        names = ("item_id", "name", "value", "rule", "reason")
        table = pa.table(
            {name: pa.array(column, pa.string()) for name, column in zip(names, columns, strict=True)}
        )
        return table.replace_schema_metadata({"surfaces": "\n".join(self.decisions)})

    @staticmethod
    def from_table(table: pa.Table, row_of: Mapping[str, int], items: int) -> Eligibility:
        """The decisions of a table made by :meth:`to_table`; items it does not know are allowed."""
        surfaces = [
            one for one in (table.schema.metadata or {}).get(b"surfaces", b"").decode().split("\n") if one
        ]
        decisions = {one: np.zeros(items, dtype=np.int8) for one in surfaces}
        deciding = {one: np.full(items, -1, dtype=np.int16) for one in surfaces}
        rules: dict[tuple[str, str], int] = {}
        for line in table.to_pylist():
            row = row_of.get(line["item_id"], -1)
            if row < 0 or line["rule"] is None:
                continue
            decisions[line["name"]][row] = _DECISIONS.index(line["value"])
            rule = (line["rule"], line["reason"])
            deciding[line["name"]][row] = rules.setdefault(rule, len(rules))
        return Eligibility(tuple(rules), decisions, deciding)


def decided(
    policy: Mapping[str, PolicyRule],
    facts: Mapping[str, Float32[np.ndarray, "item"]],
    surfaces: Sequence[str],
    items: int,
) -> Eligibility:
    """The decision on every item for every surface.

    Args:
        policy: the rules by name; of two that are equally strict, the first decides.
        facts: measures by name, NaN where one was not taken.
        surfaces: which surfaces there are.
        items: how many items.
    """
    decisions = {one: np.zeros(items, dtype=np.int8) for one in surfaces}
    deciding = {one: np.full(items, -1, dtype=np.int16) for one in surfaces}
    for number, rule in enumerate(policy.values()):
        holds, weight = rule.holds(facts, items), _DECISIONS.index(rule.action)
        for surface in rule.surfaces or surfaces:
            if surface in decisions:
                stricter = holds & (decisions[surface] < weight)
                decisions[surface][stricter] = weight
                deciding[surface][stricter] = number
    return Eligibility(tuple((name, rule.reason) for name, rule in policy.items()), decisions, deciding)
