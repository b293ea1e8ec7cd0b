"""``bench collaborative``: which held-out items a user took, order aside, ranked against the whole catalogue."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64
from scipy import sparse

from bowerbird.errors import InputError
from bowerbird.evaluation.bench.fitting import BenchPlan, Measurement, bench_data, chosen_models, fitted_row
from bowerbird.evaluation.bench.next_item import joined
from bowerbird.evaluation.bench.ranking import Cases, ranked_lists
from bowerbird.evaluation.bench.report import BenchReport
from bowerbird.evaluation.splits import Split, given_split, per_item_stratified, random_holdout
from bowerbird.metrics import accuracy, catalogue
from bowerbird.recommenders.interactions import Interactions
from bowerbird.recommenders.recommender import FittedRecommender

__all__ = ["HeldOut", "collaborative_split", "held_out", "run_collaborative"]


@dataclass(frozen=True)
class HeldOut:
    """Users with the items they took beyond their history."""

    cases: Cases
    relevant: sparse.csr_array
    """Cases by items, 1 where relevant."""
    counts: Int64[np.ndarray, " case"]
    """Relevant items of each case, at least 1."""
    popularity_from: Interactions
    known_out: int
    """Held-out pairs that also stand in the history; they can't be recommended and are left out."""

    def measured(self, fitted: FittedRecommender) -> Measurement:
        """Every metric of the task for one model."""
        lists = ranked_lists(fitted, self.cases, 20)
        hits = accuracy.hits_of(lists, self.relevant)
        popularity = self.popularity_from.popularity()
        top = lists[:, :10]
        return Measurement(
            {
                "ndcg@10": accuracy.ndcg(hits, self.counts, 10),
                "map@10": accuracy.average_precision(hits, self.counts, 10),
                "precision@10": accuracy.precision(hits, 10),
                "recall@10": accuracy.recall(hits, self.counts, 10),
                "hr@10": accuracy.hit_rate(hits, 10),
                "recall@20": accuracy.recall(hits, self.counts, 20),
                "ndcg@20": accuracy.ndcg(hits, self.counts, 20),
            },
            {
                "coverage@10": catalogue.coverage(catalogue.exposure_counts(top, popularity.size)),
                "tail@10": catalogue.tail_share(top, popularity),
            },
        )


def held_out(history: Interactions, target: Interactions) -> HeldOut:
    """The cases of a holdout: every user with a target that is not in the history.

    Args:
        history: what models see; its items leave the ranking.
        target: what they should find.

    Raises:
        InputError: no user has such a target.
    """
    met, wanted = history.matrix(), target.matrix()
    known = met.multiply(wanted)
    fresh = sparse.csr_array(wanted - known)
    fresh.eliminate_zeros()
    counts = np.diff(fresh.indptr)
    users = np.flatnonzero(counts).astype(np.int32)
    if users.size == 0:
        raise InputError(
            f"collaborative: none of the {len(target)} held-out events is a new item for its user; "
            "expected test pairs that are not in train"
        )
    lengths = np.bincount(history.users, minlength=history.users_total)[users].astype(np.int64)
    return HeldOut(
        Cases(history, users, lengths, seen_out=True),
        sparse.csr_array(fresh[users]),
        counts[users].astype(np.int64),
        history,
        int(known.nnz),
    )


LEAST_ITEMS = 3
"""With fewer items every list holds everything."""


HOLDOUT = 0.1
"""Share of events for test and again for validation, where nothing is asked for and the data has no split."""


def collaborative_split(
    interactions: Interactions, protocol: str | None, holdout: float | None
) -> tuple[Split, str]:
    """The split that was asked for, and its name: a named protocol, a random share, or the data's own column.

    Data without a split of its own, or with all rows in one part, has :data:`HOLDOUT` held out.

    Args:
        interactions: all events.
        protocol: ``microsoft`` (75/25 per item, seed 42; validation cut from train the same way) or None.
        holdout: share of events for test and again for validation, or None.

    Raises:
        InputError: both are given, the protocol is unknown, or the split column has other words or no train.
    """
    if protocol is not None and holdout is not None:
        raise InputError(
            f"collaborative: protocol {protocol!r} and holdout {holdout} both given; expected one of them"
        )
    if protocol == "microsoft":
        outer = per_item_stratified(interactions)
        inner = per_item_stratified(outer.train)
        return Split(inner.train, inner.test, outer.test), protocol
    if protocol is not None:
        raise InputError(f"collaborative: protocol {protocol!r} is unknown; expected microsoft, or none")
    if holdout is None and interactions.split is not None and len(set(interactions.split.tolist())) > 1:
        return given_split(interactions), "split"
    share = HOLDOUT if holdout is None else holdout
    return random_holdout(interactions, share, seed=0), f"holdout {share:g}"


def run_collaborative(
    interactions: Interactions, plan: BenchPlan, protocol: str | None = None, holdout: float | None = None
) -> BenchReport:
    """The table of collaborative models on one set of interactions.

    The published boards have no validation part, so their train is our train and validation together:
    settings are chosen on validation (``plan.tune``) with validation held out, and every row is then
    fitted on all of train. Seen items are out; ties are broken at random by seed.

    Args:
        interactions: all events.
        plan: which models, how many seeds, whether to tune.
        protocol: ``microsoft`` or None, see :func:`collaborative_split`.
        holdout: share for a random holdout, or None.

    Raises:
        InputError: see :func:`collaborative_split`; or refit is asked for, which this task always does.
    """
    if plan.refit:
        raise InputError("collaborative: refit has no meaning here; every row is fitted on all of train")
    split, name = collaborative_split(interactions, protocol, holdout)
    if not len(split.train) or interactions.items_total < LEAST_ITEMS:
        raise InputError(
            f"collaborative: {len(interactions):,} events of {interactions.users_total:,} users and "
            f"{interactions.items_total:,} items, {len(split.train):,} of them to learn from, are too few to compare models; "
            f"expected users with several items each, and at least {LEAST_ITEMS} items"
        )
    train = joined(split.train, split.valid)
    on_validation = held_out(split.train, split.valid).measured if len(split.valid) else None
    test = held_out(train, split.test)
    rows = [
        fitted_row(name, model, train, test.measured, plan)
        for name, model in chosen_models(plan, split.train, on_validation)
    ]
    notes = [
        f"{len(test.cases):,} users with {int(test.counts.sum()):,} new test pairs; {test.known_out:,} pairs also in train left out",
        "full ranking, ties at random by seed",
        "seen items out",
        "settings chosen on validation" if plan.tune else "default settings",
        "fitted on all of train",
        f"seeds 0..{plan.seeds - 1}; models without randomness ran once",
    ]
    data = bench_data(interactions)
    return BenchReport("collaborative", name, data, rows, notes)
