"""``bench graph``: from one item of a collection to another of its items, by content and by who keeps what.

Items are related when somebody keeps them together. Some memberships are held out, and some items are
hidden altogether: those are found only by what they are about.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from bowerbird.arrays import normalise, standardised
from bowerbird.content.graph_network import Neighbourhoods, neighbourhoods, network_vectors
from bowerbird.content.graph_vectors import fitted_graph_vectors
from bowerbird.errors import InputError, NotReadyError
from bowerbird.evaluation.bench.cost import row_cost
from bowerbird.evaluation.bench.fitting import BenchPlan, Measurement, bench_data, estimates, required_content
from bowerbird.evaluation.bench.report import (
    BenchReport,
    BenchRow,
)
from bowerbird.extras import installed
from bowerbird.metrics import target_rank
from bowerbird.randomness import generator
from bowerbird.recommenders.blend_weights import searched_weights
from bowerbird.recommenders.cold_start import hidden_items
from bowerbird.recommenders.interactions import Interactions
from bowerbird.recommenders.item_knn import ItemKnn
from bowerbird.recommenders.recommender import Histories

__all__ = ["RelatedTask", "related_task", "run_graph"]

HELD_OUT = 0.1
HIDDEN_SHARE = 0.1
QUERIES_MOST = 2000
BATCH_SCORES = 4_000_000

Scores = Callable[[Int64[np.ndarray, " query"]], Float32[np.ndarray, "query item"]]
"""Scores of all items as related to each of some items."""


@dataclass(frozen=True, eq=False)
class RelatedTask:
    """Memberships to learn from, and pairs of a query and another item of the same collection."""

    train: Interactions
    known: Bool[np.ndarray, " item"]
    warm: Int64[np.ndarray, "warm_pair 2"]
    """Query and target, both known."""
    cold: Int64[np.ndarray, "cold_pair 2"]
    """Query known, target hidden from train."""


def related_task(interactions: Interactions, seed: int) -> RelatedTask:
    """Hide a tenth of the items and a tenth of the other memberships.

    Args:
        interactions: who keeps what; the users are the collections.
        seed: decides what is hidden, and the queries.

    Raises:
        InputError: no collection is left with a query and a target.
    """
    hidden = hidden_items(interactions, HIDDEN_SHARE, seed)
    asked = hidden[interactions.items]
    drawn = ~asked & (generator(seed, "memberships").random(len(interactions)) < HELD_OUT)
    train = interactions.where(~asked & ~drawn)
    known = train.popularity() > 0
    warm = _pairs(train, interactions.where(drawn & known[interactions.items]), seed)
    cold = _pairs(train, interactions.where(asked), seed)
    if len(warm) == 0 or len(cold) == 0:
        raise InputError(
            f"graph: {len(warm)} pairs of known items and {len(cold)} with a hidden one are left of "
            f"{len(interactions):,} memberships; expected collections (or people) with several items each"
        )
    return RelatedTask(train, known, warm, cold)


def _pairs(train: Interactions, targets: Interactions, seed: int) -> Int64[np.ndarray, "pair 2"]:
    """For each target a random train item of its collection as the query."""
    random = generator(seed, "queries")
    order = np.argsort(train.users, kind="stable")
    starts = np.searchsorted(train.users[order], np.arange(train.users_total + 1))
    size = (starts[1:] - starts[:-1])[targets.users]
    places = np.flatnonzero(size > 0)
    if places.size > QUERIES_MOST:
        places = np.sort(random.choice(places, QUERIES_MOST, replace=False))
    first = starts[targets.users[places]] + (random.random(places.size) * size[places]).astype(np.int64)
    return np.stack([train.items[order][first], targets.items[places]], axis=1).astype(np.int64)


@dataclass(frozen=True, eq=False)
class _Contenders:
    """What ranks related items, fitted on one task."""

    task: RelatedTask
    content: Float32[np.ndarray, "item dim"]
    seed: int

    @cached_property
    def _around(self) -> Neighbourhoods:
        train = self.task.train
        return neighbourhoods(train.users, train.items, self.content, seed=self.seed)

    @cached_property
    def _network(self) -> Float32[np.ndarray, "item dim"] | None:
        """Vectors of the trained network; None where there is no torch or too little to train on."""
        if not installed("torch"):
            return None
        from bowerbird.training.graph_network import train_graph_network  # loads torch

        train = self.task.train
        try:
            tower, _ = train_graph_network(train.users, train.items, self._around, seed=self.seed)
        except NotReadyError:
            return None
        return network_vectors(tower, self._around).matrix

    def popularity(self) -> Scores:
        counts = self.task.train.popularity().astype(np.float32)
        return lambda queries: np.tile(counts, (queries.size, 1))

    def content_only(self) -> Scores:
        return lambda queries: self.content[queries] @ self.content.T

    def itemknn(self) -> Scores:
        fitted = ItemKnn().fit(self.task.train, self.seed)
        return lambda queries: fitted.scores(
            Histories(
                np.arange(queries.size, dtype=np.int32),
                queries.astype(np.int32),
                queries.size,
                self.task.known.size,
            )
        )

    def walks(self) -> Scores:
        table = self._around.items.matrix()
        both = (table + table.T).tocsr()
        return lambda queries: np.asarray(both[queries].toarray(), dtype=np.float32)

    def graph_vectors(self) -> Scores:
        near = self._around.items
        vectors = fitted_graph_vectors(self.content, near).vectors(self.content, near)
        return lambda queries: vectors[queries] @ vectors.T

    def graph_network(self) -> Scores:
        vectors = self._network
        if vectors is None:
            raise NotReadyError("no torch (bowerbird[train]), or too few collections to train on")
        return lambda queries: vectors[queries] @ vectors.T

    @property
    def parts(self) -> list[Callable[[], Scores]]:
        """What a blend is made of."""
        known = [self.walks, self.content_only, self.graph_vectors]
        return known if self._network is None else [*known, self.graph_network]

    def blended(self, weights: Float32[np.ndarray, " part"]) -> Scores:
        parts = [make() for weight, make in zip(weights, self.parts, strict=True) if weight]

        def scores(queries: Int64[np.ndarray, " query"]) -> Float32[np.ndarray, "query item"]:
            total = np.zeros((queries.size, self.task.known.size), dtype=np.float32)
            for weight, part in zip(weights[weights != 0], parts, strict=True):
                total += weight * standardised(part(queries))
            return total

        return scores

    def ours(self) -> Scores:
        """Walks, content, graph vectors and the network, with weights learnt on memberships and items hidden in train."""
        inner = related_task(self.task.train, self.seed + 1)
        contenders = _Contenders(inner, self.content, self.seed)
        singles = [contenders.blended(weights) for weights in np.eye(len(self.parts), dtype=np.float32)]
        cases = [(pairs, among) for pairs, among in ((inner.warm, inner.known), (inner.cold, ~inner.known))]
        terms = [
            (np.stack([_out(part(pairs[:, 0]), pairs, among) for part in singles]), pairs[:, 1])
            for pairs, among in cases
        ]

        def value_of(weights: Float32[np.ndarray, " part"]) -> float:
            return float(np.mean([_ndcg(np.tensordot(weights, scores, axes=1), to) for scores, to in terms]))

        return self.blended(searched_weights(value_of, len(self.parts)))


LEAST_ITEMS = 3
"""With fewer items nothing is near or far."""


def run_graph(interactions: Interactions, plan: BenchPlan) -> BenchReport:
    """The table of what relates items of one collection.

    Args:
        interactions: who keeps what, with the items' content; the users are the collections.
        plan: how many seeds, each with its own held-out memberships and hidden items.

    Raises:
        InputError: too few items, none has content, or see :func:`related_task`.
    """
    if interactions.items_total < LEAST_ITEMS:
        raise InputError(
            f"graph: {len(interactions):,} memberships of {interactions.users_total:,} collections and "
            f"{interactions.items_total:,} items are too few to relate items by; expected collections (or people) with "
            "several items each"
        )
    known = required_content(interactions, "graph")
    described = np.abs(known).sum(axis=1) > 0
    centred = known - known[described].mean(axis=0)
    content = normalise(np.where(described[:, None], centred, 0.0).astype(np.float32))
    tasks = [related_task(interactions, seed) for seed in range(plan.seeds)]
    contenders = [_Contenders(task, content, seed) for seed, task in enumerate(tasks)]
    makers: dict[str, Callable[[_Contenders], Scores]] = {
        "pop": _Contenders.popularity,
        "content only": _Contenders.content_only,
        "itemknn": _Contenders.itemknn,
        "walks": _Contenders.walks,
        "graph vectors": _Contenders.graph_vectors,
        "graph network": _Contenders.graph_network,
        "ours": _Contenders.ours,
    }
    rows, lacking = [], []
    for name, make in makers.items():
        runs, cpu_s, peak_mb = [], [], 0.0
        plan.progress.start(name, plan.seeds, "runs")
        try:
            for one in contenders:
                with row_cost() as cost:
                    runs.append(_measured(make(one), one.task))
                cpu_s.append(cost.cpu_s)
                peak_mb = max(peak_mb, cost.peak_mb)
                plan.progress.advance()
        except NotReadyError as error:
            lacking.append(f"{name} is left out: {error}")
            plan.progress.finish("left out")
            continue
        plan.progress.finish()
        rows.append(BenchRow(name, estimates(runs), float(np.mean(cpu_s)), peak_mb))
    notes = [
        f"{len(tasks[0].warm):,} pairs of known items; {len(tasks[0].cold):,} from a known item to one hidden from train",
        "warm: among known items; cold: among hidden items; full: the hidden one among all items",
        f"{int(described.sum()):,} of {described.size:,} items have content",
        "ours: walks, content, graph vectors and network, weights learnt inside train; ties pessimistic",
        f"seeds 0..{plan.seeds - 1}",
        *lacking,
    ]
    data = bench_data(interactions)
    return BenchReport("graph", "related", data, rows, notes)


def _measured(scores: Scores, task: RelatedTask) -> Measurement:
    warm = _ranks(scores, task.warm, task.known)
    cold = _ranks(scores, task.cold, ~task.known)
    full = _ranks(scores, task.cold, np.ones_like(task.known))
    return Measurement(
        {
            "warm hit@10": target_rank.hit_rate(warm, 10),
            "warm hit@50": target_rank.hit_rate(warm, 50),
            "cold hit@10": target_rank.hit_rate(cold, 10),
            "cold hit@50": target_rank.hit_rate(cold, 50),
            "full hit@50": target_rank.hit_rate(full, 50),
        },
        {},
    )


def _ranks(
    scores: Scores, pairs: Int64[np.ndarray, "pair 2"], among: Bool[np.ndarray, " item"]
) -> Float64[np.ndarray, " pair"]:
    ranks = np.empty(len(pairs), dtype=np.float64)
    size = max(1, BATCH_SCORES // among.size)
    for first in range(0, len(pairs), size):
        part = pairs[first : first + size]
        found = _out(scores(part[:, 0]), part, among)
        ranks[first : first + size] = target_rank.pessimistic_ranks(found, part[:, 1])
    return ranks


def _out(
    scores: Float32[np.ndarray, "pair item"],
    pairs: Int64[np.ndarray, "pair 2"],
    among: Bool[np.ndarray, " item"],
) -> Float32[np.ndarray, "pair item"]:
    """The scores with the query and what is not ranked far below everything; finite, so that they add up."""
    ranked = np.where(among, scores, np.float32(-1e9))
    ranked[np.arange(len(pairs)), pairs[:, 0]] = -1e9
    return ranked


def _ndcg(scores: Float32[np.ndarray, "pair item"], target: Int64[np.ndarray, " pair"]) -> float:
    ranks = target_rank.pessimistic_ranks(scores, target)
    return float(target_rank.ndcg(ranks, 10).mean())
