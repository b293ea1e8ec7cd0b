"""Any recommender, made to offer items nobody has met: known items keep their scores, new ones get theirs from content.

What the new items' scores weigh beside each other, and how far they may climb among known ones, is learnt
by hiding a share of train's items and asking for them again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Int32, Int64
from scipy import sparse

from bowerbird.arrays import group_offsets, standardised, top_k_rows
from bowerbird.metrics import target_rank
from bowerbird.randomness import generator
from bowerbird.recommenders.blend_weights import searched_weights
from bowerbird.recommenders.interactions import Interactions
from bowerbird.recommenders.recommender import FittedRecommender, Histories, Recommender
from bowerbird.retrieval.cooccurrence import SequentialCooccurrence
from bowerbird.training.cold_items import ColdItems, ColdItemSettings, fitted_cold_items

__all__ = [
    "ColdCases",
    "FittedColdStart",
    "cold_cases",
    "fitted_cold_start",
    "hidden_items",
]

HISTORY_DECAY = 0.8
HIDDEN_SHARE = 0.15
"""Share of train's items that are hidden to learn from."""
CASES_MOST = 2000
LEAST_CASES = 30
"""With fewer hidden events nothing is learnt: equal weights, and new items stay behind known ones."""
K = 10
WARM_LOSS = 0.005
"""Share of known targets' hits that new items may cost on hidden items; the promise is one percent."""


@dataclass(frozen=True, eq=False)
class ColdCases:
    """Events on new items, each with its user's earlier events on known ones."""

    histories: Histories
    target: Int32[np.ndarray, " case"]
    people: Int32[np.ndarray, " case"]
    """User row of each case."""

    def __len__(self) -> int:
        return int(self.target.size)


@dataclass(frozen=True)
class FittedColdStart:
    """A fitted recommender and what scores the items it never met."""

    known_model: FittedRecommender
    items: ColdItems
    known: Bool[np.ndarray, " item"]
    weights: Mapping[str, float]
    """Of the scores of :class:`~bowerbird.training.cold_items.ColdItems`."""
    scale: float = 1.0
    lift: float = -np.inf
    """A new item's score among known ones is ``scale * z + lift``; ``-inf`` leaves new items out."""

    @property
    def chosen(self) -> dict[str, Any]:
        """What was learnt, for the report."""
        return {"weights": dict(self.weights), "scale": self.scale, "lift": str(self.lift)}

    def scores(self, histories: Histories) -> Float32[np.ndarray, "user item"]:
        """Known items by the recommender, new ones by content, in standard units of each history."""
        scores = standardised(self.known_model.scores(histories))
        scores[:, ~self.known] = self.scale * self.new_scores(histories)[:, ~self.known] + self.lift
        return scores

    def new_scores(self, histories: Histories) -> Float32[np.ndarray, "user item"]:
        """Every item by content alone: the weighted sum of its scores, in standard units."""
        terms = self.items.terms(histories.weights(HISTORY_DECAY))
        total = sum(np.float32(self.weights[name]) * standardised(term) for name, term in terms.items())
        return standardised(np.asarray(total, dtype=np.float32))


def hidden_items(train: Interactions, share: float, seed: int) -> Bool[np.ndarray, " item"]:
    """A random share of the items with events.

    Args:
        train: whose items.
        share: in (0, 1); at least one item is hidden and one is not.
        seed: decides which.
    """
    met = np.flatnonzero(train.popularity())
    size = min(max(1, round(share * met.size)), max(met.size - 1, 0))
    hidden = np.zeros(train.items_total, dtype=bool)
    hidden[generator(seed, "hidden items").choice(met, size, replace=False)] = True
    return hidden


def cold_cases(
    events: Interactions, asked: Bool[np.ndarray, " event"], known: Bool[np.ndarray, " item"]
) -> ColdCases:
    """A case for each event asked about whose user had met a known item before.

    Args:
        events: in order of time.
        asked: which events are targets.
        known: whose events may stand in histories; a target never stands in its own.
    """
    order = np.argsort(events.users, kind="stable")
    users, items, targets = events.users[order], events.items[order], asked[order]
    in_history = known[items] & ~targets
    before = np.concatenate([[0], np.cumsum(in_history)])
    starts = group_offsets(users, events.users_total)[users]
    lengths = before[np.arange(users.size)] - before[starts]
    places = np.flatnonzero(targets & (lengths > 0))
    lengths = lengths[places]
    local = np.repeat(np.arange(places.size, dtype=np.int32), lengths)
    offset = np.arange(local.size) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    history = items[in_history][np.repeat(before[starts[places]], lengths) + offset]
    histories = Histories(local, history, int(places.size), events.items_total)
    return ColdCases(histories, items[places], users[places])


def fitted_cold_start(
    train: Interactions,
    content: Float32[np.ndarray, "item dim"],
    model: Recommender,
    seed: int,
    words: sparse.csr_array | None = None,
) -> FittedColdStart:
    """Fit a recommender on train, and learn how items without events are scored beside it.

    Args:
        train: events on known items; every other item of the vocabulary is new.
        content: a vector for each item; zero rows for items without content.
        model: the recommender of known items.
        seed: decides which items are hidden to learn from.
        words: items by words, see :func:`~bowerbird.recommenders.item_content.word_table`; None: content alone.
    """
    hidden = hidden_items(train, HIDDEN_SHARE, seed)
    asked = hidden[train.items]
    # a few events on items that stay known show what new items cost them
    asked_known = ~asked & (generator(seed, "known targets").random(len(train)) < HIDDEN_SHARE / 2)
    inner = train.where(~asked & ~asked_known)
    known = inner.popularity() > 0
    new = _sampled(cold_cases(train, asked, known), seed)
    settings = ColdItemSettings()
    weights: dict[str, float] = {"content": 1.0, "learnt": 1.0, "carried over": 1.0}
    if words is not None:
        weights["words"] = 1.0
    scale, lift = 1.0, -np.inf
    if len(new) >= LEAST_CASES:
        settings, weights = _best_form(inner, content, words, new, known)
        items = _counted_items(inner, content, words, settings)
        draft = FittedColdStart(model.fit(inner, seed), items, known, weights)
        scale, lift = _best_lift(draft, new, _sampled(cold_cases(train, asked_known, known), seed))
    items = _counted_items(train, content, words, settings)
    return FittedColdStart(model.fit(train, seed), items, train.popularity() > 0, weights, scale, lift)


def _counted_items(
    train: Interactions,
    content: Float32[np.ndarray, "item dim"],
    words: sparse.csr_array | None,
    settings: ColdItemSettings,
) -> ColdItems:
    counts = SequentialCooccurrence.fit(train.users, train.items, items_total=train.items_total)
    return fitted_cold_items(content, counts.table, train.popularity() > 0, settings, words)


def _sampled(cases: ColdCases, seed: int) -> ColdCases:
    if len(cases) <= CASES_MOST:
        return cases
    chosen = np.zeros(len(cases), dtype=bool)
    chosen[generator(seed, "cold cases").choice(len(cases), CASES_MOST, replace=False)] = True
    held = chosen[cases.histories.users]
    rows = (np.cumsum(chosen, dtype=np.int32) - 1)[cases.histories.users[held]].astype(np.int32)
    histories = replace(
        cases.histories, users=rows, items=cases.histories.items[held], users_total=int(chosen.sum())
    )
    return ColdCases(histories, cases.target[chosen], cases.people[chosen])


def _best_form(
    inner: Interactions,
    content: Float32[np.ndarray, "item dim"],
    words: sparse.csr_array | None,
    new: ColdCases,
    known: Bool[np.ndarray, " item"],
) -> tuple[ColdItemSettings, dict[str, float]]:
    """The settings and weights that find hidden items best among all items that are not known."""
    target = (np.cumsum(~known) - 1)[new.target]
    best: tuple[float, ColdItemSettings, dict[str, float]] = (-1.0, ColdItemSettings(), {})
    for ridge, (near, sharpness) in product((0.1, 1.0, 10.0), ((5, 20.0), (20, 20.0), (50, 10.0))):
        settings = ColdItemSettings(ridge=ridge, near=near, sharpness=sharpness)
        terms = _counted_items(inner, content, words, settings).terms(new.histories.weights(HISTORY_DECAY))
        scaled = np.stack([standardised(term)[:, ~known] for term in terms.values()])

        def value_of(weights: Float32[np.ndarray, " term"], scaled: np.ndarray = scaled) -> float:
            return _ndcg(np.tensordot(weights, scaled, axes=1), target)

        weights = searched_weights(value_of, len(terms))
        value = value_of(weights)
        if value > best[0]:
            best = (value, settings, dict(zip(terms, weights.tolist(), strict=True)))
    return best[1], best[2]


def _ndcg(scores: Float32[np.ndarray, "case item"], target: Int64[np.ndarray, " case"]) -> float:
    return float(target_rank.ndcg(target_rank.pessimistic_ranks(scores, target), K).mean())


def _best_lift(draft: FittedColdStart, new: ColdCases, warm: ColdCases) -> tuple[float, float]:
    """How high new items may stand: most new targets found while known ones lose next to nothing."""
    if len(warm) < LEAST_CASES:
        return 1.0, -np.inf
    sides = [_both_sides(draft, cases) for cases in (new, warm)]
    alone = _hits(sides[1], warm.target, 0.0, -np.inf, draft.known)
    best = (0.0, 1.0, -np.inf)
    for scale, lift in product((0.5, 1.0, 2.0, 4.0), (-8.0, -4.0, -2.0, -1.0, 0.0, 1.0, 2.0, 4.0, 8.0)):
        kept = _hits(sides[1], warm.target, scale, lift, draft.known)
        found = _hits(sides[0], new.target, scale, lift, draft.known)
        if kept >= (1.0 - WARM_LOSS) * alone and found > best[0]:
            best = (found, scale, lift)
    return best[1], best[2]


def _both_sides(
    draft: FittedColdStart, cases: ColdCases
) -> tuple[Float32[np.ndarray, "case item"], Float32[np.ndarray, "case item"]]:
    known = standardised(draft.known_model.scores(cases.histories))
    known[cases.histories.users, cases.histories.items] = -np.inf
    return known, draft.new_scores(cases.histories)


def _hits(
    sides: tuple[Float32[np.ndarray, "case item"], Float32[np.ndarray, "case item"]],
    target: Int32[np.ndarray, " case"],
    scale: float,
    lift: float,
    known: Bool[np.ndarray, " item"],
) -> float:
    scores = np.where(known, sides[0], -np.inf if lift == -np.inf else scale * sides[1] + lift)
    top = top_k_rows(scores.astype(np.float32), K)
    return float((top == target[:, None]).any(axis=1).mean())
