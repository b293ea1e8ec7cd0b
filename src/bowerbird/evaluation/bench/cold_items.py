"""``bench next-item --protocol cold``: targets are items that nobody has met in train.

A model of behaviour alone cannot rank them; content can. The table says how well new items are found among
all new ones and in the full catalogue, and what offering them costs the known ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64
from scipy import sparse

from bowerbird.arrays import normalise
from bowerbird.errors import InputError
from bowerbird.evaluation.bench.cost import row_cost
from bowerbird.evaluation.bench.fitting import BenchPlan, Measurement, bench_data, estimates, required_content
from bowerbird.evaluation.bench.report import (
    BenchReport,
    BenchRow,
)
from bowerbird.metrics import target_rank
from bowerbird.randomness import generator
from bowerbird.recommenders.cold_start import ColdCases, cold_cases, fitted_cold_start, hidden_items
from bowerbird.recommenders.interactions import Interactions
from bowerbird.recommenders.popularity import Popularity
from bowerbird.recommenders.recommender import FittedRecommender, Histories
from bowerbird.recommenders.seq_knn import SeqKnn

__all__ = ["ColdTask", "cold_task", "content_ranks", "run_cold"]

HIDDEN_SHARE = 0.2
LEAST_GIVEN = 100
"""A split of the data's own is used when so many of its test targets are new items."""
WARM_SHARE = 0.05
"""Share of the events on known items that are held out, to see what new items cost."""
BATCH_SCORES = 4_000_000
DECAYS = (1.0, 0.8, 0.5)


@dataclass(frozen=True, eq=False)
class ColdTask:
    """One split: what models are fitted on, and what they are asked for."""

    train: Interactions
    known: Bool[np.ndarray, " item"]
    new: ColdCases
    """Targets nobody met in train."""
    warm: ColdCases
    """Targets that are known items."""
    rule: str
    """Where the new items come from."""

    def measured(self, fitted: FittedRecommender) -> Measurement:
        """Every metric of the task for one model."""
        among_new, everywhere = _ranks(fitted, self.new, [~self.known, np.ones_like(self.known)])
        alone, beside = _ranks(fitted, self.warm, [self.known, np.ones_like(self.known)])
        kept = target_rank.hit_rate(alone, 10)
        lost = kept - target_rank.hit_rate(beside, 10)
        return Measurement(
            {
                "recall@10": target_rank.hit_rate(among_new, 10),
                "ndcg@10": target_rank.ndcg(among_new, 10),
                "recall@50": target_rank.hit_rate(among_new, 50),
                "full recall@10": target_rank.hit_rate(everywhere, 10),
                "full recall@50": target_rank.hit_rate(everywhere, 50),
                "warm recall@10": kept,
            },
            {"warm loss": float(lost.sum() / kept.sum()) if kept.any() else 0.0},
        )


def cold_task(interactions: Interactions, seed: int) -> ColdTask:
    """The data's own split where it holds enough new items, else a random fifth of the items hidden.

    Args:
        interactions: all events.
        seed: decides the hidden items and the held-out events on known ones.

    Raises:
        InputError: no event on a new item has a known item before it.
    """
    given = interactions.split is not None and bool((interactions.split == "test").any())
    if given:
        asked = interactions.split == "test"
        train = interactions.where(~asked)
        task = _task(interactions, train, asked, seed, "new items of the data's own split")
        if len(task.new) >= LEAST_GIVEN:
            return task
    hidden = hidden_items(interactions, HIDDEN_SHARE, seed)
    asked = hidden[interactions.items]
    drawn = generator(seed, "warm targets").random(len(interactions)) < WARM_SHARE
    train = interactions.where(~asked & ~drawn)
    task = _task(interactions, train, asked | drawn, seed, f"{hidden.sum():,} random items hidden from train")
    if len(task.new) == 0 or len(task.warm) == 0:
        raise InputError(
            f"protocol cold: {len(task.new)} targets on new items and {len(task.warm)} on known ones have a known "
            f"item before them, of {len(interactions):,} events; expected users with several items each"
        )
    return task


def _task(
    interactions: Interactions, train: Interactions, asked: Bool[np.ndarray, " event"], seed: int, rule: str
) -> ColdTask:
    known = train.popularity() > 0
    is_new = ~known[interactions.items]
    new = cold_cases(interactions, asked & is_new, known)
    warm = cold_cases(interactions, asked & ~is_new, known)
    return ColdTask(train, known, new, warm, rule)


@dataclass(frozen=True)
class _Nearest:
    """Content alone: the cosine of an item to the decayed mean of the history's content."""

    unit: Float32[np.ndarray, "item dim"]
    decay: float

    def scores(self, histories: Histories) -> Float32[np.ndarray, "user item"]:
        """Similarity to the history's content."""
        return np.asarray(histories.weights(self.decay) @ self.unit, dtype=np.float32) @ self.unit.T


@dataclass(frozen=True)
class _SharedWords:
    """Words alone: the rare words an item shares with the history, the latest the most."""

    words: sparse.csr_array
    decay: float = 0.8

    def scores(self, histories: Histories) -> Float32[np.ndarray, "user item"]:
        """Similarity to the history's words."""
        shared = (histories.weights(self.decay) @ self.words) @ self.words.T
        return np.asarray(shared.toarray(), dtype=np.float32)


@dataclass(frozen=True)
class _Random:
    """One random order of the items for everybody."""

    order: Float32[np.ndarray, " item"]

    def scores(self, histories: Histories) -> Float32[np.ndarray, "user item"]:
        """The same scores for everybody."""
        return np.tile(self.order, (histories.users_total, 1))


def run_cold(
    interactions: Interactions, plan: BenchPlan, words: sparse.csr_array | None = None
) -> BenchReport:
    """The table of what finds items that nobody has met.

    Each seed hides other items where the split is ours. The content-only row has its decay of the history
    chosen on hidden items inside train, as ours has its settings.

    Args:
        interactions: all events, with the items' content.
        plan: how many seeds, and where progress is shown; its models are not read.
        words: items by words, see :func:`~bowerbird.recommenders.item_content.word_table`; None: content alone.

    Raises:
        InputError: no item has content, or see :func:`cold_task`.
    """
    content = required_content(interactions, "protocol cold")
    unit = normalise(content)
    makers: dict[str, Callable[[ColdTask, int], FittedRecommender]] = {
        "random": lambda task, seed: _Random(
            generator(seed, "random order").random(task.known.size).astype(np.float32)
        ),
        "pop": lambda task, seed: Popularity().fit(task.train, seed),
        "seqknn": lambda task, seed: SeqKnn().fit(task.train, seed),
        "content only": lambda task, seed: _tuned_nearest(task, unit, seed),
    }
    if words is not None:
        makers["words only"] = lambda _, __: _SharedWords(words)
    makers["ours"] = lambda task, seed: fitted_cold_start(task.train, content, SeqKnn(), seed, words)
    tasks = [cold_task(interactions, seed) for seed in range(plan.seeds)]
    rows = [_row(name, make, tasks, plan) for name, make in makers.items()]
    notes = [
        (
            f"{tasks[0].rule}: {len(tasks[0].new):,} targets among {int((~tasks[0].known).sum()):,} new items "
            f"of {tasks[0].known.size:,}; {len(tasks[0].warm):,} targets on known items"
        ),
        "recall and ndcg: new targets among new items; full: among all items; warm: known targets among known items",
        "warm loss: share of warm recall@10 lost when new items are offered too",
        "ties pessimistic; settings chosen on items hidden inside train",
        f"{int(content.any(axis=1).sum()):,} of {content.shape[0]:,} items have content",
        f"seeds 0..{plan.seeds - 1}",
    ]
    data = bench_data(interactions)
    return BenchReport("next-item", "cold", data, rows, notes)


def _row(
    name: str, make: Callable[[ColdTask, int], FittedRecommender], tasks: list[ColdTask], plan: BenchPlan
) -> BenchRow:
    runs: list[Measurement] = []
    cpu_s, peak_mb, chosen = [], 0.0, {}
    plan.progress.start(name, len(tasks), "runs")
    for seed, task in enumerate(tasks):
        with row_cost() as cost:
            fitted = make(task, seed)
            runs.append(task.measured(fitted))
        chosen = getattr(fitted, "chosen", {})
        cpu_s.append(cost.cpu_s)
        peak_mb = max(peak_mb, cost.peak_mb)
        plan.progress.advance()
    plan.progress.finish()
    return BenchRow(name, estimates(runs), float(np.mean(cpu_s)), peak_mb, settings=chosen)


def content_ranks(
    task: ColdTask, unit: Float32[np.ndarray, "item dim"], seed: int
) -> Float64[np.ndarray, " target"]:
    """Ranks of the new targets among new items by some vectors alone, a history's decay chosen inside train."""
    return _ranks(_tuned_nearest(task, unit, seed), task.new, [~task.known])[0]


def _tuned_nearest(task: ColdTask, unit: Float32[np.ndarray, "item dim"], seed: int) -> _Nearest:
    hidden = hidden_items(task.train, HIDDEN_SHARE, seed)
    cases = cold_cases(task.train, hidden[task.train.items], ~hidden)
    models = [_Nearest(unit, decay) for decay in DECAYS]
    if len(cases) == 0:
        return models[0]
    found = [target_rank.ndcg(_ranks(model, cases, [hidden])[0], 10).mean() for model in models]
    return models[int(np.argmax(found))]


def _ranks(
    fitted: FittedRecommender, cases: ColdCases, among: list[Bool[np.ndarray, " item"]]
) -> list[Float64[np.ndarray, " target"]]:
    """Pessimistic ranks of the targets among some items; what stands in the history is out."""
    histories = cases.histories
    size = max(1, BATCH_SCORES // histories.items_total)
    bounds = np.searchsorted(histories.users, np.arange(histories.users_total + 1))
    ranks = [np.empty(len(cases)) for _ in among]
    for first in range(0, len(cases), size):
        last = min(first + size, len(cases))
        part = slice(bounds[first], bounds[last])
        batch = Histories(
            (histories.users[part] - first).astype(np.int32),
            histories.items[part],
            last - first,
            histories.items_total,
        )
        scores = fitted.scores(batch)
        scores[batch.users, batch.items] = -np.inf
        for found, items in zip(ranks, among, strict=True):
            target = cases.target[first:last]
            found[first:last] = target_rank.pessimistic_ranks(
                np.where(items, scores, np.float32(-np.inf)), target
            )
    return ranks
