"""From valued candidates to places: diversity, spacing, rules and exploration, each with what it did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int32, Int64

from bowerbird.arrays import top_k
from bowerbird.clock import DAY_US
from bowerbird.pipeline.conditions import meeting
from bowerbird.pipeline.release import Release
from bowerbird.pipeline.settings import RuleSettings, SurfaceSettings
from bowerbird.randomness import generator
from bowerbird.ranking.features import COLD_IMPRESSIONS
from bowerbird.records.candidates import Candidates, Drop
from bowerbird.records.request import MAX_SLATE, Request
from bowerbird.slate.exploration import explored, upper_bounds
from bowerbird.slate.filters import LIMITED_EVERY, REASONS
from bowerbird.slate.rules import Rule, may_move_up, ruled
from bowerbird.slate.spacing import spaced
from bowerbird.slate.spread import POOL, SCALE_BEST, spread

__all__ = ["LAW", "Ordered", "Ordering", "policy_rule", "scale_of"]

NEW_DAYS = 7
"""Age up to which an item is new to a rule."""
EXPOSURE_DAYS = 30
LAW = "limited"
"""The filter and the rule that hold the policy: every surface has both, whatever it declares."""


@dataclass(frozen=True)
class Ordered:
    """The places of a slate.

    Args:
        picks: positions among the candidates, the top first.
        added: what each stage added to each pick's value, by name.
        propensity: the probability of each pick at its place; None where nothing is drawn.
        passed: whom rules kept out, with the reason.
        notes: what happened, for people.
    """

    picks: Int64[np.ndarray, "pick"]
    added: dict[str, Float32[np.ndarray, "pick"]]
    propensity: Float64[np.ndarray, "pick"] | None = None
    passed: tuple[Drop, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ordering:
    """How one surface orders what it valued.

    Args:
        surface: its name.
        settings: its declaration.
        release: what it reads of items.

    Raises:
        InputError: a rule's condition is not understood.
    """

    surface: str
    settings: SurfaceSettings
    release: Release
    _marks: dict[str, Bool[np.ndarray, "item"] | Int32[np.ndarray, "item"]] = field(init=False, repr=False)
    _exposures: dict[int, Float64[np.ndarray, "item"]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        marks = {
            name: meeting(self.release.items, (rule.of,), self.release.facets)
            for name, rule in self.settings.rules.items()
            if rule.of and rule.of not in ("new", "cold")
        }
        object.__setattr__(self, "_marks", marks)
        object.__setattr__(self, "_exposures", {})

    def places(self, kept: Candidates, request: Request) -> Ordered:
        """Who stands where, and why.

        A shorter slate is a prefix of a longer one.

        Args:
            kept: candidates with their value.
            request: how many are wanted, and the seed of the draw.
        """
        under = self.release.limited(self.surface)[kept.rows]
        law = [policy_rule(under)] if under.any() else []
        order, added = self._diverse(kept, request.n + int(under.sum()))
        passed: tuple[Drop, ...] = ()
        notes: tuple[str, ...] = ()
        declared = [self._rule(name, one, kept, request.as_of) for name, one in self.settings.rules.items()]
        rules = [*law, *declared]
        held = order
        if rules:
            deep = max((rule.first for rule in declared), default=0)  # the same for slates of any length
            held, passed, notes = _ruled(kept, order, rules, request.n, deep)
        picks, propensity = held[: request.n], None
        if self.settings.exploration.share > 0 and len(held):
            order = np.concatenate([held, order[~np.isin(order, held)]])
            may = may_move_up(
                self._is_cold(kept, request.as_of), held, rules, self.settings.exploration.place
            )
            order, propensity, said = self._explored(kept, order, may, request)
            notes = (*notes, *said)
            picks, propensity = order[: len(picks)], propensity[: len(picks)]
        found = {name: values[picks] for name, values in added.items() if values[picks].any()}
        return Ordered(picks, found, propensity, passed, notes)

    def _diverse(
        self, kept: Candidates, n: int
    ) -> tuple[Int64[np.ndarray, "ranked"], dict[str, Float32[np.ndarray, "item"]]]:
        """The order by value, diversity and spacing; what each added, by candidate."""
        value, how, spacing = kept.scores["value"], self.settings.diversity, self.settings.spacing
        deep = spacing is not None or bool(self.settings.rules) or self.settings.exploration.share > 0
        depth = max(n, POOL) if deep else n
        vectors = self.release.vectors.get("item")
        if vectors is None:
            order, delta = top_k(value, depth), None
        else:
            order, delta = spread(
                value, vectors.take(kept.rows).matrix, depth, how.method, how.strength, how.window
            )
        added = {}
        if delta is not None:
            added["diversity"] = _by_candidate(order, delta, len(kept))
        if spacing is not None:
            so_far = value[order] + (delta if delta is not None else np.float32(0))
            kinds = self._codes(spacing.by)[kept.rows[order]]
            strength = spacing.strength * scale_of(value)
            found = spaced(so_far, kinds, len(order), strength, spacing.window)
            order = order[found.order]
            added["spacing"] = _by_candidate(order, found.diversity, len(kept))
        return order, added

    def _rule(self, name: str, rule: RuleSettings, kept: Candidates, as_of: int) -> Rule:
        if rule.each:
            of = self._codes(rule.each)[kept.rows]
        elif rule.of == "new":
            of = self.release.created_at[kept.rows] >= as_of - NEW_DAYS * DAY_US
        elif rule.of == "cold":
            of = self._is_cold(kept, as_of)
        else:
            of = self._marks[name][kept.rows]
        return Rule(f"rule {name}", rule.reason, rule.first, rule.least, rule.most, of=of)

    def _explored(
        self,
        kept: Candidates,
        order: Int64[np.ndarray, "ranked"],
        may: Bool[np.ndarray, "item"],
        request: Request,
    ) -> tuple[Int64[np.ndarray, "ranked"], Float64[np.ndarray, "ranked"], tuple[str, ...]]:
        how = self.settings.exploration
        found = explored(
            order,
            upper_bounds(kept.scores["value"], self._exposure(request.as_of)[kept.rows], how.strength),
            may,
            place=how.place,
            share=how.share,
            random=generator(request.seed, "exploration", request.user_id or "", request.as_of),
        )
        note = f"exploration: place {found.drawn} went to an item few have met, by a draw"
        return found.order, found.propensity, (note,) if 0 <= found.drawn < request.n else ()

    def _is_cold(self, kept: Candidates, as_of: int) -> Bool[np.ndarray, "item"]:
        """Candidates few people have met."""
        return self._exposure(as_of)[kept.rows] < COLD_IMPRESSIONS

    def _exposure(self, as_of: int) -> Float64[np.ndarray, "item"]:
        """Impressions of every item in the 30 days before the last midnight."""
        midnight = as_of - as_of % DAY_US
        found = self._exposures.get(midnight)
        if found is None:
            if len(self._exposures) > 8:
                self._exposures.clear()
            counted = self.release.counts.totals(("impression",), midnight - EXPOSURE_DAYS * DAY_US, midnight)
            found = self._exposures[midnight] = counted.astype(np.float64)
        return found

    def _codes(self, by: str) -> Int32[np.ndarray, "item"]:
        """A number per category, group or creator; negative for none."""
        if by == "category":
            return self.release.categories
        if by == "group":
            return self.release.groups
        return self.release.creators


def _ruled(
    kept: Candidates, order: Int64[np.ndarray, "ranked"], rules: Sequence[Rule], n: int, deep: int
) -> tuple[Int64[np.ndarray, "held"], tuple[Drop, ...], tuple[str, ...]]:
    """The order rules make, at least ``deep``; whom they kept out of the first ``n``; what to say of it."""
    found = ruled(order, rules, n)
    held = found.order if deep <= n else ruled(order, rules, deep).order
    passed = tuple(
        Drop(one.rule.name, one.rule.reason, kept.rows[one.passed_over])
        for one in found.held
        if len(one.passed_over)
    )
    notes = tuple(
        f"{one.rule.name}: {len(one.brought_forward)} brought forward ({one.rule.reason})"
        for one in found.held
        if len(one.brought_forward)
    )
    return held, passed, notes


def policy_rule(under: Bool[np.ndarray, "item"]) -> Rule:
    """What the policy limits, as a rule over candidates; ``under`` says which of them."""
    return Rule(LAW, REASONS[LAW], MAX_SLATE, most=1, every=LIMITED_EVERY, of=under)


def scale_of(value: Float32[np.ndarray, "item"]) -> float:
    """The mean size of the largest values: what strengths of stages are measured in."""
    best = top_k(value, SCALE_BEST)
    return float(np.mean(np.abs(value[best]))) or 1.0 if len(best) else 1.0


def _by_candidate(order: np.ndarray, values: np.ndarray, n: int) -> Float32[np.ndarray, "item"]:
    found = np.zeros(n, np.float32)
    found[order] = values
    return found
