"""``bench neighbour-loss``: does a tower find items nobody has met better for having seen what is kept together?

The item tower is trained on known items only, once on what their words say and once with the neighbour loss beside it, so
that two items which people keep together find each other. New items are then ranked for each history by content alone and
by either tower. The lift is paired over targets, its error clustered by person. A build trains its tower on for a few
passes instead, which is several times cheaper and finds less.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from bowerbird.arrays import normalise
from bowerbird.content.item_parts import Block, ItemParts, WordVocabulary
from bowerbird.content.neighbour_pairs import Neighbours, neighbour_pairs
from bowerbird.content.unified import TowerInput, UnifiedTower
from bowerbird.evaluation.bench.cold_items import ColdTask, cold_task, content_ranks
from bowerbird.evaluation.bench.cost import row_cost
from bowerbird.evaluation.bench.fitting import BenchPlan, bench_data, required_content
from bowerbird.evaluation.bench.report import BenchReport, BenchRow, Estimate
from bowerbird.metrics import target_rank
from bowerbird.metrics.uncertainty import standard_error
from bowerbird.recommenders.interactions import Interactions
from bowerbird.records.signal import Space
from bowerbird.training.unified import Pairs, UnifiedSettings, train_unified

__all__ = ["TRAINING", "run_neighbour_loss"]

TRAINING = UnifiedSettings(
    dim=128, epochs=10, batch=1000, texts=1, narrow_weight=0.0, soft_share=0.0, held_out=0.0
)
"""How both towers are trained: the last epoch is kept, so that either has seen as many items."""
PAIRS_OF_AN_ITEM = 10
"""Neighbour pairs learnt from for each item; a build takes fewer."""
Z = 1.96
CONTENT, WITHOUT, WITH = "content only", "tower, no neighbour loss", "tower, neighbour loss"


@dataclass(frozen=True, eq=False)
class _Found:
    """Ranks of one model's targets, and whose they are."""

    ranks: Float64[np.ndarray, " target"]
    people: Int64[np.ndarray, " target"]

    def hits(self) -> Float64[np.ndarray, " target"]:
        return np.asarray(target_rank.hit_rate(self.ranks, 10), dtype=np.float64)


def run_neighbour_loss(interactions: Interactions, words: Sequence[str], plan: BenchPlan) -> BenchReport:
    """The table of content alone, a tower without and a tower with the neighbour loss, on items nobody has met.

    Args:
        interactions: all events, with the items' content.
        words: of each item.
        plan: how many seeds; its models are not read.

    Raises:
        InputError: no item has content, or no event on a new item has a known one before it.
    """
    content = required_content(interactions, "neighbour-loss")
    unit = normalise(content)
    found: dict[str, list[_Found]] = {CONTENT: [], WITHOUT: [], WITH: []}
    cpu_s, peak_mb = dict.fromkeys(found, 0.0), dict.fromkeys(found, 0.0)
    plan.progress.start("towers", 2 * plan.seeds, "towers")
    notes = []
    for seed in range(plan.seeds):
        task = cold_task(interactions, seed)
        known = _Known.of(task, content, words, seed)
        for name in (CONTENT, WITHOUT, WITH):
            with row_cost() as cost:
                if name == CONTENT:
                    vectors = unit
                else:
                    vectors = known.tower(seed, together=name == WITH).project(known.whole).matrix
                ranks = content_ranks(task, vectors, seed)
            found[name].append(_Found(ranks, task.new.people.astype(np.int64)))
            cpu_s[name] += cost.cpu_s / plan.seeds
            peak_mb[name] = max(peak_mb[name], cost.peak_mb)
            if name != CONTENT:
                plan.progress.advance()
        if seed == 0:
            notes.append(
                f"{task.rule}: {len(task.new):,} targets among {int((~task.known).sum()):,} new items of "
                f"{task.known.size:,}; {len(known.pairs.neighbours):,} neighbour pairs of known items"
            )
    plan.progress.finish()
    rows = [
        BenchRow(name, _metrics(ones, found[CONTENT], found[WITHOUT]), cpu_s[name], peak_mb[name])
        for name, ones in found.items()
    ]
    notes += [
        "recall and ndcg: new targets among new items; towers saw known items only; how fast a history fades is chosen on items hidden in train",
        *(_interval(found, base) for base in (CONTENT, WITHOUT)),
        f"seeds 0..{plan.seeds - 1}",
    ]
    data = bench_data(interactions)
    return BenchReport("neighbour-loss", "cold", data, rows, notes)


@dataclass(frozen=True, eq=False)
class _Known:
    """What towers are trained on, and what they are asked about."""

    pairs: Pairs
    """Known items: content on one side, words on the other, and which of them people keep together."""
    whole: ItemParts
    """All items, content and words."""

    @staticmethod
    def of(
        task: ColdTask, content: Float32[np.ndarray, "item width"], words: Sequence[str], seed: int
    ) -> _Known:
        described: Bool[np.ndarray, " item"] = np.abs(content).sum(axis=1) > 0
        known: Bool[np.ndarray, " item"] = task.known & described
        rows = np.flatnonzero(known)
        vocabulary = WordVocabulary.of([words[row] for row in rows.tolist()])
        whole = ItemParts({"content": Block(content, described)}, vocabulary.counts(list(words)))
        learnt = whole.take(rows)
        kept = known[task.train.items]
        place = np.cumsum(known) - 1
        neighbours = neighbour_pairs(
            task.train.users[kept],
            place[task.train.items[kept]],
            items_total=len(rows),
            seed=seed,
            of_an_item=PAIRS_OF_AN_ITEM,
        )
        inputs = (TowerInput("content", "content", Space("item_content", "1", content.shape[1])),)
        seen, said = learnt.only(("content",)), learnt.only(("words",))
        return _Known(Pairs(inputs, seen, said, np.arange(len(rows)), vocabulary, neighbours), whole)

    def tower(self, seed: int, *, together: bool) -> UnifiedTower:
        """A tower trained on known items; ``together`` with what is kept together, too."""
        pairs = self.pairs if together else replace(self.pairs, neighbours=Neighbours.none())
        return train_unified(pairs, TRAINING, seed).tower


def _metrics(
    own: Sequence[_Found], content: Sequence[_Found], without: Sequence[_Found]
) -> dict[str, Estimate]:
    lifts = {"lift over content": content, "lift over no neighbour loss": without}
    return {
        "recall@10": _estimate([one.hits() for one in own], own),
        "ndcg@10": _estimate([target_rank.ndcg(one.ranks, 10) for one in own], own),
        **{
            name: _estimate([one.hits() - other.hits() for one, other in zip(own, base, strict=True)], own)
            for name, base in lifts.items()
        },
    }


def _estimate(values: Sequence[Float64[np.ndarray, " target"]], found: Sequence[_Found]) -> Estimate:
    """Means of the seeds; the error of one seed's mean, people drawn and not targets."""
    return Estimate(
        tuple(float(one.mean()) for one in values),
        float(np.mean([_clustered(one, own.people) for one, own in zip(values, found, strict=True)])),
    )


def _clustered(values: Float64[np.ndarray, " target"], people: Int64[np.ndarray, " target"]) -> float:
    """Standard error of a mean over targets when each person's stand or fall together."""
    _, whose = np.unique(people, return_inverse=True)
    off = np.bincount(whose, values - values.mean())
    return standard_error(off) * len(off) / len(values) if len(off) > 1 else 0.0


def _interval(found: dict[str, list[_Found]], base: str) -> str:
    lift = _estimate(
        [a.hits() - b.hits() for a, b in zip(found[WITH], found[base], strict=True)], found[WITH]
    )
    mean, half = lift.mean, Z * (lift.se or 0.0)
    apart = "apart from 0" if mean - half > 0 else "not apart from 0"
    return f"recall@10 of {WITH} over {base}: {mean:+.3f} [{mean - half:+.3f}, {mean + half:+.3f}] (95 %, one seed's targets), {apart}"
