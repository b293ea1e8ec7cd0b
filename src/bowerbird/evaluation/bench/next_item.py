"""``bench next-item``: which item comes next, ranked against the whole catalogue."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Int32

from bowerbird.arrays import group_offsets
from bowerbird.errors import InputError, did_you_mean
from bowerbird.evaluation.bench.fitting import (
    BenchPlan,
    Measurement,
    bench_data,
    chosen_models,
    fitted_row,
    fitted_rows,
)
from bowerbird.evaluation.bench.kinds import Kinds
from bowerbird.evaluation.bench.ranking import Cases, target_ranks
from bowerbird.evaluation.bench.report import (
    BenchReport,
    BenchRow,
)
from bowerbird.evaluation.splits import global_time, leave_one_out, warm_split
from bowerbird.metrics import catalogue, target_rank
from bowerbird.recommenders.guidance import Guidance
from bowerbird.recommenders.interactions import Interactions
from bowerbird.recommenders.recommender import FittedRecommender

__all__ = ["PROTOCOLS", "NextItemCases", "run_next_item", "successive_cases"]

PROTOCOLS = {
    "loo": "leave-one-out: each user's last event is test, the last but one validation",
    "time": "global time split: test begins at the 0.9 quantile of all event times",
}
"""Name to meaning, for ``--protocol``."""

LIST_LENGTH = 50
"""Of lists that candidates are taken from; what a person sees are the first ten."""
CORE = 5
"""Under the time protocol users and items need this many events in train, as the protocol's source asks."""


@dataclass(frozen=True)
class NextItemCases:
    """Histories with the one item that came next."""

    cases: Cases
    target: Int32[np.ndarray, " case"]
    popularity_from: Interactions
    """Train, whose counts say what popular means."""

    @cached_property
    def kinds(self) -> Kinds:
        """Kinds of items, to count how many of them a list holds."""
        return Kinds.of(self.popularity_from)

    def measured(self, fitted: FittedRecommender) -> Measurement:
        """Every metric of the task for one model."""
        ranks, lists = target_ranks(fitted, self.cases, self.target, LIST_LENGTH)
        popularity = self.popularity_from.popularity()
        first = lists[:, :10]
        told = [
            (self.kinds.variety(lists[part]), *self.kinds.own(lists[part], histories))
            for part, histories in self.cases.batches()
        ]
        variety, found, total = (np.concatenate(one) for one in zip(*told, strict=True))
        return Measurement(
            {
                "hr@10": target_rank.hit_rate(ranks, 10),
                "ndcg@10": target_rank.ndcg(ranks, 10),
                "mrr@10": target_rank.reciprocal_rank(ranks, 10),
                "recall@20": target_rank.hit_rate(ranks, 20),
                "ndcg@20": target_rank.ndcg(ranks, 20),
                "recall@50": target_rank.hit_rate(ranks, 50),
                "kinds@50": variety,
            },
            {
                "own kinds@50": float(found.sum() / max(total.sum(), 1.0)),
                "coverage@10": catalogue.coverage(catalogue.exposure_counts(first, popularity.size)),
                "tail@10": catalogue.tail_share(first, popularity),
            },
        )


def run_next_item(interactions: Interactions, plan: BenchPlan, protocol: str = "loo") -> BenchReport:
    """The table of next-item models on one set of interactions.

    Models are fitted on train; the test history also holds the validation events (as published
    results do), the fit does not, unless ``plan.refit`` adds rows that are fitted on both. Seen
    items are out of the ranking unless users repeat items. Ties are ranked pessimistically.

    Args:
        interactions: all events.
        plan: which models, how many seeds, whether to tune and to refit.
        protocol: one of :data:`PROTOCOLS`.

    Raises:
        InputError: the protocol is unknown or the data has nothing to test under it.
    """
    if protocol == "loo":
        return _leave_one_out(interactions, plan)
    if protocol == "time":
        return _global_time(interactions, plan)
    raise InputError(f"protocol {protocol!r} is unknown; {did_you_mean(protocol, PROTOCOLS)}")


def successive_cases(
    events: Interactions,
    targets: Interactions,
    popularity_from: Interactions,
    *,
    first_only: bool,
    seen_out: bool,
    asked_from: int | None = None,
) -> NextItemCases:
    """A case per target event, with all earlier events of its user as history.

    Args:
        events: everything up to and including the targets; targets are the last events of their users.
        targets: the last part of ``events``, in the same order.
        popularity_from: train.
        first_only: only each user's first target; else every one, each with the ones before in its history.
        seen_out: whether items of the history leave the ranking.
        asked_from: the moment a split by time asks at, microseconds UTC. A case is asked then, or right
            after its last event when that is later; the time of the target is never told.
    """
    total = np.bincount(events.users, minlength=events.users_total)
    lengths = total[targets.users] - 1 - targets.ages()
    wanted = np.ones(len(targets), dtype=bool)
    if first_only:
        wanted = targets.ages() == np.bincount(targets.users, minlength=events.users_total)[targets.users] - 1
    chosen, read = targets.users[wanted], lengths[wanted].astype(np.int64)
    asked_at = None
    if asked_from is not None and events.at is not None:
        order = np.argsort(events.users, kind="stable")
        last = group_offsets(events.users[order], events.users_total)[chosen] + read - 1
        asked_at = np.where(read > 0, np.maximum(events.at[order][last], asked_from), asked_from)
    cases = Cases(events, chosen, read, seen_out, asked_at)
    return NextItemCases(cases, targets.items[wanted], popularity_from)


def _leave_one_out(interactions: Interactions, plan: BenchPlan) -> BenchReport:
    split = leave_one_out(interactions)
    if len(split.test) == 0:
        raise InputError(
            f"protocol loo: none of the {interactions.users_total} users has 3 events; "
            "expected users with at least one event to learn from, one to validate and one to test"
        )
    seen_out = interactions.repeats == 0
    before_test = joined(split.train, split.valid)
    valid = successive_cases(before_test, split.valid, split.train, first_only=True, seen_out=seen_out)
    test = successive_cases(interactions, split.test, split.train, first_only=True, seen_out=seen_out)
    rows = []
    for name, model in chosen_models(plan, split.train, valid.measured):
        rows.append(fitted_row(name, model, split.train, test.measured, plan, Guidance(split.valid)))
        if plan.refit:
            rows.append(fitted_row(f"{name} (refit)", model, before_test, test.measured, plan))
    tested = f"{len(split.test):,} of {interactions.users_total:,} users tested (those with 3 events or more)"
    return _report(interactions, plan, "loo", rows, [tested, *_stated(plan, seen_out)])


def _global_time(interactions: Interactions, plan: BenchPlan) -> BenchReport:
    repeated = interactions.consecutive_repeats()
    warm = warm_split(global_time(interactions.where(~repeated)), CORE)
    split = warm.split
    seen_out = split.train.repeats == 0
    before_test = joined(split.train, split.valid)
    everything = joined(before_test, split.test)
    valid_from, test_from = split.boundaries or (None, None)
    valid = successive_cases(
        before_test, split.valid, split.train, first_only=True, seen_out=seen_out, asked_from=valid_from
    )
    tests = {
        rule: successive_cases(
            everything, split.test, split.train,
            first_only=rule == "first", seen_out=seen_out, asked_from=test_from,
        )
        for rule in ("first", "successive")
    }  # fmt: skip
    rows: list[BenchRow] = []
    for name, model in chosen_models(plan, split.train, valid.measured if len(split.valid) else None):
        evaluations = {f"{name} ({rule})": test.measured for rule, test in tests.items()}
        guidance = Guidance(split.valid, valid_from)
        rows += fitted_rows(evaluations, model, split.train, plan, guidance)
        if plan.refit:
            again = {f"{name} ({rule}, refit)": test.measured for rule, test in tests.items()}
            rows += fitted_rows(again, model, before_test, plan)
    rows.sort(key=lambda row: "successive" in row.model)
    users = int(np.unique(split.test.users).size)
    notes = [
        f"targets: (first) each user's first event after the split ({users:,}), (successive) all ({len(split.test):,})",
        "asked at the split's moment, or right after the event before when that is later",
        f"{CORE}-core on train; {warm.cold_events:,} test events of cold users or items left out",
        f"{int(repeated.sum()):,} consecutive repeats dropped",
    ]
    return _report(interactions, plan, "time", rows, [*notes, *_stated(plan, seen_out)])


def joined(earlier: Interactions, later: Interactions) -> Interactions:
    """Two parts of one split as one; each user's events of the first part come before the second's."""
    return Interactions(
        np.concatenate([earlier.users, later.users]),
        np.concatenate([earlier.items, later.items]),
        earlier.user_ids,
        earlier.item_ids,
        None if earlier.at is None or later.at is None else np.concatenate([earlier.at, later.at]),
        content=earlier.content,
    )


def _stated(plan: BenchPlan, seen_out: bool) -> list[str]:
    return [
        "full ranking, ties pessimistic",
        "kinds@50: groups of items in the first 50, as if equally frequent; own kinds: share of the history's groups among them",
        "seen items out" if seen_out else "seen items kept, since users repeat items",
        "fitted on train only" + (", rows marked refit on train and validation" if plan.refit else ""),
        "settings chosen on validation" if plan.tune else "default settings",
    ]


def _left_out(rows: list[BenchRow]) -> list[str]:
    """What models went on without, and why: too little data, too little memory."""
    told = {
        f"{row.model.split(' (')[0]}: {part} {why}": None
        for row in rows
        for part, why in row.settings.items()
        if isinstance(why, str) and why.startswith("left out: ")
    }
    return list(told)


def _report(
    interactions: Interactions, plan: BenchPlan, protocol: str, rows: list[BenchRow], notes: list[str]
) -> BenchReport:
    data = bench_data(interactions)
    notes = [*notes, *_left_out(rows), f"seeds 0..{plan.seeds - 1}; models without randomness ran once"]
    return BenchReport("next-item", protocol, data, rows, notes)
