"""Mixing the scores of several models: weights per situation, learnt on validation cases alone.

A model that was trained for weeks and one that counts neighbours are wrong about different things. Each
model's scores become comparable terms, and a case's score is their weighted sum. The weights maximise
the log-likelihood of what came next among the candidates of all models, then are turned one by one
for NDCG@10 itself. They are a few numbers per situation, so a few hundred cases are enough.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int, Int64
from scipy.optimize import minimize

from bowerbird.arrays import top_k_rows
from bowerbird.recommenders.guidance import HeldOut, batch_size
from bowerbird.recommenders.recommender import FittedRecommender, Histories

__all__ = ["Mixture", "fitted_mixture", "situations", "terms_of"]

CANDIDATES = 60
"""Of each model, for each validation case."""
SITUATIONS = ("short history", "long history", "long ago")
LONG_AGO_US = 3_600_000_000
"""A question an hour after the last event comes to a new visit."""
LONG_HISTORY = 10
LEAST_CASES = 300
"""A situation with fewer validation cases uses the weights of all."""
RIDGE = 1e-3
STEPS = (0.0, 0.5, 0.7, 0.85, 1.2, 1.4, 2.0)
"""Factors tried on each weight."""


def terms_of(scores: Float32[np.ndarray, "user item"], *, dense: bool) -> Float32[np.ndarray, "user item"]:
    """A model's scores made comparable.

    Dense scores (logits) are taken from their largest on. Counts, mostly 0, become
    ``log(1 + 50 s / max s) / log 51``, between 0 and 1: what is counted grows by factors.
    """
    if dense:
        return scores - scores.max(axis=1, keepdims=True)
    positive = np.maximum(scores, 0.0)
    largest = positive.max(axis=1, keepdims=True)
    share = positive / np.where(largest > 0, largest, 1.0)
    return (np.log1p(50.0 * share) / np.float32(np.log(51.0))).astype(np.float32, copy=False)


def situations(histories: Histories) -> Int64[np.ndarray, " user"]:
    """Which of :data:`SITUATIONS` each question is: what can be known when it is asked."""
    lengths = np.bincount(histories.users, minlength=histories.users_total)
    found = (lengths > LONG_HISTORY).astype(np.int64)
    if histories.at is not None and histories.asked_at is not None:
        some = lengths > 0
        last = np.full(lengths.size, np.iinfo(np.int64).min // 2)
        last[some] = histories.at[np.cumsum(lengths)[some] - 1]
        found[histories.asked_at - last > LONG_AGO_US] = 2
    return found


@dataclass(frozen=True)
class Mixture:
    """Models with their weights in each situation."""

    models: Mapping[str, FittedRecommender]
    dense: frozenset[str]
    """Names whose scores are logits rather than counts."""
    weights: Float64[np.ndarray, "situation model"]

    def scores(self, histories: Histories) -> Float32[np.ndarray, "user item"]:
        """``sum_m w_m(situation) term_m``."""
        weights = self.weights[situations(histories)].astype(np.float32)
        total = np.zeros((histories.users_total, histories.items_total), dtype=np.float32)
        for place, (name, model) in enumerate(self.models.items()):
            if weights[:, place].any():
                total += weights[:, place, None] * terms_of(model.scores(histories), dense=name in self.dense)
        return total

    def described(self) -> dict[str, dict[str, float]]:
        """The weights by situation and model, for the report."""
        return {
            situation: {
                name: round(float(self.weights[row, place]), 3) for place, name in enumerate(self.models)
            }
            for row, situation in enumerate(SITUATIONS)
        }


@dataclass(frozen=True)
class _Candidates:
    """What the models' best items score, per validation case; the target is among them or never found."""

    terms: Float32[np.ndarray, "case candidate model"]
    is_target: Bool[np.ndarray, "case candidate"]
    real: Bool[np.ndarray, "case candidate"]

    def part(self, rows: Int[np.ndarray, " row"]) -> _Candidates:
        return _Candidates(self.terms[rows], self.is_target[rows], self.real[rows])

    def ndcg(self, weights: Float64[np.ndarray, " model"]) -> float:
        scores = np.where(self.real, self.terms @ weights.astype(np.float32), -np.inf)
        own = np.where(self.is_target, scores, -np.inf).max(axis=1)
        rank = np.count_nonzero(scores >= own[:, None], axis=1)
        found = self.is_target.any(axis=1) & (rank <= 10)
        return float(np.where(found, 1.0 / np.log2(1.0 + rank), 0.0).mean())

    def likelihood(self) -> Float64[np.ndarray, " model"]:
        """Weights at least 0 that make the targets likely among the candidates."""
        kept = self.is_target.any(axis=1)
        terms, own, real = self.terms[kept], self.is_target[kept], self.real[kept]
        if not kept.any():
            return np.ones(self.terms.shape[2])
        spread = np.maximum(terms.reshape(-1, terms.shape[2]).std(axis=0), 1e-6)
        scaled = terms / spread

        def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
            scores = np.where(real, scaled @ weights.astype(np.float32), -np.inf)
            scores -= scores.max(axis=1, keepdims=True)
            mass = np.exp(scores)
            mass /= mass.sum(axis=1, keepdims=True)
            likely = (mass * own).sum(axis=1)
            slope = np.einsum("nc,ncm->m", mass - own, scaled) / likely.size
            value = -np.log(np.maximum(likely, 1e-12)).mean() + RIDGE * float(weights @ weights)
            return float(value), slope.astype(np.float64) + 2.0 * RIDGE * weights

        start = np.full(terms.shape[2], 0.5)
        best = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(0.0, None)] * start.size)
        return best.x / spread

    def turned(self, weights: Float64[np.ndarray, " model"]) -> Float64[np.ndarray, " model"]:
        """Weights turned one by one while NDCG@10 gains."""
        best, value = weights.copy(), self.ndcg(weights)
        unit = np.maximum(weights, 0.1 * weights.max())
        for _ in range(2):
            before = value
            for place in range(best.size):
                for step in STEPS:
                    tried = best.copy()
                    tried[place] = step * (best[place] if best[place] > 0 else unit[place])
                    found = self.ndcg(tried)
                    if found > value + 1e-5:
                        best, value = tried, found
            if value - before < 1e-4:
                break
        return best


def fitted_mixture(models: Mapping[str, FittedRecommender], dense: frozenset[str], cases: HeldOut) -> Mixture:
    """The blend whose weights suit the validation cases; never worse there than its best model.

    Args:
        models: fitted on train.
        dense: names whose scores are logits.
        cases: validation.
    """
    found = _candidates(models, dense, cases)
    groups = situations(cases.histories)
    everywhere = _best_weights(found)
    weights = np.tile(everywhere, (len(SITUATIONS), 1))
    for group in range(len(SITUATIONS)):
        rows = np.flatnonzero(groups == group)
        if rows.size >= LEAST_CASES and rows.size < groups.size:
            part = found.part(rows)
            own = _best_weights(part)
            if part.ndcg(own) > part.ndcg(everywhere):
                weights[group] = own
    return Mixture(models, dense, weights)


def _best_weights(found: _Candidates) -> Float64[np.ndarray, " model"]:
    """The best of the likely weights, turned, and of every model alone."""
    alone = list(np.eye(found.terms.shape[2]))
    tried = [found.turned(found.likelihood()), *alone]
    return tried[int(np.argmax([found.ndcg(weights) for weights in tried]))]


def _candidates(
    models: Mapping[str, FittedRecommender], dense: frozenset[str], cases: HeldOut
) -> _Candidates:
    width = CANDIDATES * len(models)
    total = cases.target.size
    terms = np.zeros((total, width, len(models)), dtype=np.float32)
    items = np.full((total, width), -1, dtype=np.int64)
    for part, histories in cases.parts(batch_size(cases.histories.items_total)):
        found: list[np.ndarray] = []
        chosen: list[np.ndarray] = []
        for name, model in models.items():
            scores = terms_of(model.scores(histories), dense=name in dense)
            ranked = scores
            if cases.seen_out:
                ranked = scores.copy()
                ranked[histories.users, histories.items] = -np.inf
            found.append(scores)
            chosen.append(top_k_rows(ranked, min(CANDIDATES, ranked.shape[1])))
        offered = _distinct(np.concatenate(chosen, axis=1), width)
        if cases.seen_out:
            seen = np.zeros(found[0].shape, dtype=bool)
            seen[histories.users, histories.items] = True
            offered = np.where(np.take_along_axis(seen, np.maximum(offered, 0), axis=1), -1, offered)
        items[part] = offered
        for place, scores in enumerate(found):
            terms[part, :, place] = np.take_along_axis(scores, np.maximum(offered, 0), axis=1)
    real = items >= 0
    return _Candidates(terms, (items == cases.target[:, None]) & real, real)


def _distinct(rows: Int64[np.ndarray, "row n"], width: int) -> Int64[np.ndarray, "row width"]:
    """Each row's values once, -1 in the places left."""
    ordered = np.sort(rows, axis=1)
    ordered[:, 1:][ordered[:, 1:] == ordered[:, :-1]] = -1
    found = np.full((rows.shape[0], width), -1, dtype=np.int64)
    found[:, : ordered.shape[1]] = ordered
    return found
