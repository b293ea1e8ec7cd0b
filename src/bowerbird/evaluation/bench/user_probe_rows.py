"""The rows of the user probe: our vector, other vectors under the same probe, and models without a vector."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from bowerbird.evaluation.bench.user_probe_question import Predict, Question
from bowerbird.evaluation.bench.user_probe_trees import boosted_trees, tuned_trees
from bowerbird.evaluation.bench.user_probe_vectors import (
    CountVectors,
    FactorVectors,
    MeanVectors,
    PersonVectors,
    VectorMaker,
)
from bowerbird.users.behaviour import Behaviour

__all__ = ["CONTENDERS", "Contender", "Question"]


@dataclass(frozen=True)
class Contender:
    """One row: how it is fitted, and what it is.

    ``fitted(past, learnt_at, behaviour, asked_at, seed)`` gets the steps before the earlier moment to fit on, and
    gives a function that answers questions.
    """

    about: str
    uses_seed: bool
    fitted: Callable[[Behaviour, int, Behaviour, int, int], Predict]


def probed(maker: VectorMaker) -> Callable[[Behaviour, int, Behaviour, int, int], Predict]:
    """A vector, graded by the fixed probe."""

    def fitted(past: Behaviour, learnt_at: int, behaviour: Behaviour, asked_at: int, seed: int) -> Predict:
        from bowerbird.training.probe import probe_predictions  # loads torch

        found = maker(past, learnt_at, seed)
        earlier, later = found.vectors(behaviour, learnt_at), found.vectors(behaviour, asked_at)

        def predict(question: Question) -> Float32[np.ndarray, "person label"]:
            targets, amounts = question.targets, question.task == "spend"
            centre, spread = (float(targets.mean()), float(targets.std()) or 1.0) if amounts else (0.0, 1.0)
            scaled = ((targets - centre) / spread).astype(np.float32)
            said = probe_predictions(
                earlier[question.teachers], scaled, later[question.people], seed, amounts=amounts
            )
            return said * np.float32(spread) + np.float32(centre)

        return predict

    return fitted


def popular_and_recent(
    past: Behaviour, learnt_at: int, behaviour: Behaviour, asked_at: int, seed: int
) -> Predict:
    """Nothing learnt: who was here lately comes again, and everybody takes what is popular."""
    last = np.full(behaviour.users_total, np.iinfo(np.int64).min, dtype=np.int64)
    before = behaviour.before(asked_at)
    last[before.users] = before.at
    quiet_days = np.clip((asked_at - last[:, None]) / 86_400e6, 0, 1e4).astype(np.float32)

    def predict(question: Question) -> Float32[np.ndarray, "person label"]:
        own = quiet_days[question.people]
        if question.task == "churn":
            return own
        rate = question.targets.mean(axis=0, keepdims=True).astype(np.float32)
        if question.task == "spend":
            return np.broadcast_to(rate, own.shape).copy()
        return np.log(rate + np.float32(1e-6)) - np.log1p(own)

    return predict


def _universal(past: Behaviour, as_of: int, seed: int) -> PersonVectors:
    from bowerbird.training.universal import fit_universal  # loads torch

    return fit_universal(past, as_of, seed)


CONTENDERS = {
    "ours": Contender("the universal vector", True, probed(_universal)),
    "counts": Contender("windowed counts", True, probed(CountVectors.fitted)),
    "counts + trees": Contender("boosted trees on windowed counts, no probe", False, boosted_trees),
    "counts + tuned trees": Contender(
        "the same, settings and moments chosen per task before the moment asked about", False, tuned_trees
    ),
    "mean": Contender("decayed mean of item vectors", True, probed(MeanVectors.fitted)),
    "ials": Contender("user factors of iALS", True, probed(FactorVectors.fitted)),
    "popular": Contender("popularity and recency, nothing learnt", False, popular_and_recent),
}
"""Name of a row to what makes it."""
