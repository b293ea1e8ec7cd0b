"""Look-alike audiences: from a list of people to those most like them.

Every list gets a classifier of its own over one global vector per person: the seeds against everybody else, ridge
logistic. How much it may bend away from the seeds' centroid is chosen on seeds held back, so ten seeds stay near the
centroid and a thousand are learnt from.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64
from pydantic import Field, model_validator

from bowerbird.arrays import normalise, top_k
from bowerbird.config import Settings
from bowerbird.errors import InputError, did_you_mean
from bowerbird.randomness import generator
from bowerbird.users.logistic import logistic_weights
from bowerbird.users.states import STATES

PENALTIES = (0.3, 3.0, 30.0, 300.0)
"""Ridge penalties tried, per seed on either side; larger stays nearer to the difference of the means."""
LEAST_SEEDS = 3
MOST_OTHERS = 20_000
"""People a list is told from; more say nothing new."""
FOLDS = 3


class AudienceSettings(Settings):
    """A declared audience: everybody who meets all that is said. At least one thing is."""

    about: str = ""
    """One line for people."""
    seeds: str | None = None
    """File with a list of people, relative to the workspace: ``user_id`` a line, or a table with that column."""
    people: int = Field(default=1000, ge=0)
    """With seeds: how many people like them are in it, besides the seeds themselves."""
    interest: str | None = None
    """Path of a category: people with this interest, or one below it."""
    states: tuple[str, ...] = ()
    """Activity states: new, core, casual, marginal, dormant."""

    @model_validator(mode="after")
    def _says_something(self) -> AudienceSettings:
        if self.seeds is None and self.interest is None and not self.states:
            raise InputError("says nothing of who is in it; expected seeds, interest or states")
        for state in self.states:
            if state not in STATES:
                raise InputError(f"unknown state {state!r}; {did_you_mean(state, STATES)}")
        return self


@dataclass(frozen=True)
class Audience:
    """People like the seeds, most alike first.

    Args:
        rows: rows of the people, seeds left out.
        scores: log odds of being on the list, comparable within one audience only.
        auc: of held-back seeds against everybody else, by the chosen classifier; NaN where too few seeds allow none.
        centroid_auc: the same by cosine with the centroid of the other seeds.
        method: ``classifier`` or ``centroid``, whichever was better on held-back seeds.
    """

    rows: Int64[np.ndarray, "person"]
    scores: Float64[np.ndarray, "person"]
    auc: float
    centroid_auc: float
    method: str


def look_alikes(
    vectors: Float32[np.ndarray, "user dim"],
    known: Bool[np.ndarray, "user"],
    seeds: Int64[np.ndarray, "seed"],
    n: int,
    seed: int,
) -> Audience:
    """The ``n`` people most like the seeds.

    Args:
        vectors: one global vector per person.
        known: who has one; nobody else is found.
        seeds: rows of the list; those without a vector are left out.
        n: most people.
        seed: decides who is held back, and whom the list is told from in a large crowd.

    Raises:
        InputError: fewer than three seeds have a vector, or nobody else has.
    """
    seeds = np.unique(seeds[known[seeds]])
    others = np.setdiff1d(np.flatnonzero(known), seeds)
    if len(seeds) < LEAST_SEEDS or not len(others):
        raise InputError(
            f"audience: {len(seeds)} of the seeds have a vector and {len(others)} other people; expected at least "
            f"{LEAST_SEEDS} seeds with events, and somebody to find"
        )
    random = generator(seed, "audience")
    crowd = random.permutation(others)[:MOST_OTHERS]
    folds = random.permutation(len(seeds)) % FOLDS
    by_penalty = {
        penalty: _held_back_auc(vectors, seeds, crowd, folds, penalty) for penalty in (*PENALTIES, None)
    }
    centroid = by_penalty.pop(None)
    best = max(by_penalty, key=lambda penalty: by_penalty[penalty])
    learnt = by_penalty[best] >= centroid
    scores = _scores(vectors, seeds, crowd, best if learnt else None)
    scores[~known], scores[seeds] = -np.inf, -np.inf
    rows = top_k(scores, n)
    method = "classifier" if learnt else "centroid"
    return Audience(rows, scores[rows], max(by_penalty[best], centroid), centroid, method)


def _held_back_auc(
    vectors: Float32[np.ndarray, "user dim"],
    seeds: Int64[np.ndarray, "seed"],
    crowd: Int64[np.ndarray, "other"],
    folds: Int64[np.ndarray, "seed"],
    penalty: float | None,
) -> float:
    """Mean over folds of the chance that a held-back seed scores above one of the crowd."""
    found = []
    for fold in range(FOLDS):
        held, taught = seeds[folds == fold], seeds[folds != fold]
        half = crowd[fold::FOLDS] if len(crowd) >= FOLDS else crowd
        learnt_from = np.setdiff1d(crowd, half) if len(crowd) >= FOLDS else crowd
        scores = _scores(vectors, taught, learnt_from, penalty)
        below = np.searchsorted(np.sort(scores[half]), scores[held], side="left")
        upto = np.searchsorted(np.sort(scores[half]), scores[held], side="right")
        found.append(float(((below + upto) / 2).mean() / len(half)))
    return float(np.mean(found))


def _scores(
    vectors: Float32[np.ndarray, "user dim"],
    seeds: Int64[np.ndarray, "seed"],
    crowd: Int64[np.ndarray, "other"],
    penalty: float | None,
) -> Float64[np.ndarray, "user"]:
    """Log odds by the classifier; cosine with the seeds' centroid when there is no penalty."""
    if penalty is None:
        unit = normalise(vectors)
        return (unit @ unit[seeds].mean(axis=0)).astype(np.float64)
    both = np.concatenate([seeds, crowd])
    inputs = vectors[both].astype(np.float64)
    listed = np.arange(len(both)) < len(seeds)
    weights = logistic_weights(inputs, listed, penalty * len(seeds))
    return vectors.astype(np.float64) @ weights[:-1] + weights[-1]
