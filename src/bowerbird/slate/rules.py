"""Rules: how many of a kind a slate may hold at most, and must hold at least, each with its reason.

A rule says nothing about scores: the order stays that of value and diversity, and an item that a rule would not
have at a place is passed over there, or one that a guarantee still needs comes forward.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int, Int64

from bowerbird.errors import InputError

__all__ = ["Held", "Rule", "Ruled", "may_move_up", "ruled"]


@dataclass(frozen=True)
class Rule:
    """One rule over the first places of a slate.

    Args:
        name: what it is called.
        reason: why it is there, for explanations.
        first: how many places it looks at.
        least: how many of the kind must be among them, as far as there are any.
        most: how many of the kind may be among them.
        every: with ``most``: beyond it, one more for each so many places; 0 for none.
        of: which candidates are of the kind; for ``most``, numbers instead of marks make every number a kind of
            its own (at most two of *each* creator), negative for none.
    """

    name: str
    reason: str
    first: int
    least: int = 0
    most: int | None = None
    every: int = 0
    of: Bool[np.ndarray, "item"] | Int[np.ndarray, "item"] | None = None

    def allows(self, held: int, places: int) -> bool:
        """Whether one more of the kind may be among the first ``places``, where ``held`` are before it.

        Example:
            >>> tenth = Rule("tenth", "one place in ten", first=500, most=1, every=10)
            >>> [tenth.allows(0, 1), tenth.allows(1, 19), tenth.allows(1, 20)]
            [True, False, True]
        """
        if self.most is None or places > self.first:
            return True
        return held < max(self.most, places // self.every if self.every else 0)


@dataclass(frozen=True)
class Held:
    """What one rule did."""

    rule: Rule
    passed_over: Int64[np.ndarray, "passed"]
    """Candidates that stand later than they would have, or not at all."""
    brought_forward: Int64[np.ndarray, "brought"]
    """Candidates that stand earlier."""


@dataclass(frozen=True)
class Ruled:
    """An order that holds to rules."""

    order: Int64[np.ndarray, "pick"]
    held: tuple[Held, ...]


def ruled(order: Int64[np.ndarray, "ranked"], rules: Sequence[Rule], n: int) -> Ruled:
    """The first ``n`` of an order, changed as little as rules ask.

    At each place the first candidate of the order is taken that no ``most`` forbids; where as many places are left as
    guarantees still need, the first of their kinds. A guarantee never breaks a ``most``; where both cannot hold, the
    guarantee stays short. Where everything left is forbidden, the slate ends. Rules look at places, not at ``n``, so a
    shorter slate is a prefix of a longer one.

    Args:
        order: candidates, best first; deeper than ``n``, so that there is something to choose from.
        rules: earlier ones come first where guarantees compete.
        n: slate length.

    Raises:
        InputError: a rule looks at no place, or needs more than it looks at.

    Cost: O(n * rules) and what is passed over.

    Example:
        >>> one_fresh = Rule("fresh", "new items need a chance", first=2, least=1, of=np.array([False, False, True]))
        >>> ruled(np.array([0, 1, 2]), [one_fresh], n=3).order.tolist()
        [0, 2, 1]
    """
    for rule in rules:
        if rule.first < 1 or not 0 <= rule.least <= rule.first:
            raise InputError(
                f"{rule.name}: least = {rule.least} among the first {rule.first}; expected 0 to first, first >= 1"
            )
    left = order.tolist()
    taken: list[int] = []
    passed: list[set[int]] = [set() for _ in rules]
    forward: list[set[int]] = [set() for _ in rules]
    while left and len(taken) < n:
        pick = next((one for one in left if not _forbidden(one, taken, rules, passed)), None)
        if pick is None:
            break
        for number in _due(taken, left, rules):
            kinds = (one for one in left if _is_of(rules[number], one))
            kind = next((one for one in kinds if not _forbidden(one, taken, rules, passed)), None)
            if kind is not None:
                if kind != pick:
                    forward[number].add(kind)
                pick = kind
                break
        taken.append(pick)
        left.remove(pick)
    first = set(order[:n].tolist())
    held = tuple(
        Held(
            rule,
            np.array(sorted((gone & first) - set(taken)), np.int64),
            np.array(sorted(came), np.int64),
        )
        for rule, gone, came in zip(rules, passed, forward, strict=True)
    )
    return Ruled(np.array(taken, np.int64), held)


def _forbidden(one: int, taken: list[int], rules: Sequence[Rule], passed: list[set[int]]) -> bool:
    """Whether a ``most`` forbids a candidate at the next place; noted with the rule that does."""
    for number, rule in enumerate(rules):
        if rule.most is None or rule.of is None:
            continue
        kind = rule.of[one]
        if rule.of.dtype == bool:
            if not kind:
                continue
        elif kind < 0:
            continue
        if not rule.allows(sum(bool(rule.of[other] == kind) for other in taken), len(taken) + 1):
            passed[number].add(one)
            return True
    return False


def _is_of(rule: Rule, one: int) -> bool:
    """Whether a candidate is of the kind a guarantee is about."""
    return rule.of is not None and bool(rule.of[one])


def _due(taken: list[int], left: list[int], rules: Sequence[Rule]) -> list[int]:
    """Guarantees one of which must have the next place; none while all can wait.

    The needs of all that end by a place count together, as if no candidate were of two kinds.
    """
    short = [_shortage(rule, taken, left) for rule in rules]
    for end in sorted({rule.first for rule, lack in zip(rules, short, strict=True) if lack}):
        waiting = [number for number, rule in enumerate(rules) if short[number] and rule.first <= end]
        if end - len(taken) <= sum(short[number] for number in waiting):
            return waiting
    return []


def _shortage(rule: Rule, taken: list[int], left: list[int]) -> int:
    """How many of its kind a guarantee still needs and may find."""
    if rule.least == 0 or len(taken) >= rule.first:
        return 0
    needed = rule.least - sum(_is_of(rule, one) for one in taken)
    return min(needed, sum(_is_of(rule, one) for one in left)) if needed > 0 else 0


def may_move_up(
    wanted: Bool[np.ndarray, "item"], order: Int64[np.ndarray, "ranked"], rules: Sequence[Rule], place: int
) -> Bool[np.ndarray, "item"]:
    """Those of the wanted candidates that may be put at a place of an order that holds to rules, so that it still does.

    Those between move down by one, so the last one of a rule's places falls behind them.

    Args:
        wanted: who is thought of.
        order: what :func:`ruled` gave; everybody else stands behind it.
        rules: the same.
        place: where, 0 the top.

    Example:
        >>> one = Rule("one", "not two of a kind", first=2, most=1, of=np.array([True, False, True, False]))
        >>> may_move_up(np.ones(4, bool), np.arange(4), [one], place=1).tolist()
        [True, True, False, True]
    """
    may = wanted.copy()
    for rule in rules:
        if rule.of is None or place >= rule.first:
            continue
        if rule.every:  # as many of the kind as may be at each place: none moves up
            may &= ~rule.of.astype(bool)
            continue
        inside = order[: rule.first]
        behind = np.ones(len(wanted), dtype=bool)
        behind[inside] = False
        kinds = rule.of.astype(np.int64) if rule.of.dtype != bool else np.where(rule.of, 0, -1)
        known = kinds >= 0
        counts = np.bincount(kinds[inside][known[inside]], minlength=int(kinds.max(initial=0)) + 1)
        if rule.most is not None:
            may &= ~(behind & known & (counts[np.maximum(kinds, 0)] >= rule.most))
        if rule.least and len(inside) == rule.first and known[inside[-1]] and counts[0] <= rule.least:
            may &= ~behind | known
    return may
