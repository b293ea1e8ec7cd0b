"""The rows of the user probe: our vector, other vectors under the same probe, and models without a vector."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Float32

from bowerbird.clock import DAY_US
from bowerbird.evaluation.bench.user_probe_question import MOMENTS, Predict, Question
from bowerbird.evaluation.bench.user_probe_trees import boosted_trees, tuned_trees
from bowerbird.evaluation.bench.user_probe_vectors import (
    CountVectors,
    MeanVectors,
    PersonVectors,
    VectorMaker,
    factor_vectors,
)
from bowerbird.users.behaviour import Behaviour

__all__ = ["CONTENDERS", "Contender"]


@dataclass(frozen=True)
class Contender:
    """One row: how it is fitted, and what it is.

    ``fitted(past, as_of, behaviour, seed)`` gets the steps before the newest moment that teaches to fit on, and gives
    a function that answers questions about everybody's steps.
    """

    about: str
    uses_seed: bool
    fitted: Callable[[Behaviour, int, Behaviour, int], Predict]


def probed(maker: VectorMaker) -> Callable[[Behaviour, int, Behaviour, int], Predict]:
    """A vector, graded by the fixed probe."""

    def fitted(past: Behaviour, as_of: int, behaviour: Behaviour, seed: int) -> Predict:
        from bowerbird.training.probe import probe_predictions  # loads torch

        found = maker(past, as_of, seed)
        vectors = cache(lambda moment: found.vectors(behaviour, moment))

        def predict(question: Question) -> Float32[np.ndarray, "person label"]:
            lessons, amounts = question.lessons[:MOMENTS], question.task == "spend"
            targets = np.concatenate([one.targets for one in lessons])
            centre, spread = (float(targets.mean()), float(targets.std()) or 1.0) if amounts else (0.0, 1.0)
            said = probe_predictions(
                np.concatenate([vectors(one.as_of)[one.people] for one in lessons]),
                ((targets - centre) / spread).astype(np.float32),
                np.concatenate([one.people for one in lessons]),
                vectors(question.as_of)[question.people],
                seed,
                amounts=amounts,
            )
            return said * np.float32(spread) + np.float32(centre)

        return predict

    return fitted


def popular_and_recent(past: Behaviour, as_of: int, behaviour: Behaviour, seed: int) -> Predict:
    """Nothing learnt: who was here lately comes again, and everybody takes what is popular."""

    def predict(question: Question) -> Float32[np.ndarray, "person label"]:
        last = np.full(behaviour.users_total, np.iinfo(np.int64).min, dtype=np.int64)
        before = behaviour.before(question.as_of)
        last[before.users] = before.at
        quiet_days = np.clip((question.as_of - last[:, None]) / DAY_US, 0, 1e4).astype(np.float32)
        own = quiet_days[question.people]
        if question.task == "churn":
            return own
        rate = question.lessons[0].targets.mean(axis=0, keepdims=True).astype(np.float32)
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
    "ials": Contender("user factors of iALS", True, probed(factor_vectors)),
    "popular": Contender("popularity and recency, nothing learnt", False, popular_and_recent),
}
"""Name of a row to what makes it."""
