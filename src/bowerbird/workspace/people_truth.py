"""What is understood of simulated people against what was planted in them: states and audiences."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float64, Int64
from scipy.stats import rankdata

from bowerbird.errors import InputError, NotReadyError
from bowerbird.evaluation.outcome import Estimate, Measure
from bowerbird.metrics.classification import adjusted_rand
from bowerbird.randomness import generator
from bowerbird.simulation.truth import Truth
from bowerbird.users.states import STATES, Activity
from bowerbird.workspace.audiences import found_audience
from bowerbird.workspace.workbench import Workbench

__all__ = ["audience_measures", "chance_above", "state_measures"]

SEEDS = 20
"""People of a planted audience that are given away."""
MOST_AUDIENCES = 8
LEAST_MEMBERS = 60
"""People a planted audience must have."""


def chance_above(belongs: Bool[np.ndarray, "person"], scores: Float64[np.ndarray, "person"]) -> float:
    """Chance that somebody who belongs scores above somebody who does not, ties one half (AUC).

    Example:
        >>> chance_above(np.array([True, False, True]), np.array([3.0, 1.0, 1.0]))
        0.75
    """
    ranks, ours = rankdata(scores), int(belongs.sum())
    pairs = ours * (len(belongs) - ours)
    return float((ranks[belongs].sum() - ours * (ours + 1) / 2) / pairs)


def state_measures(bench: Workbench, truth: Truth, seed: int) -> list[Measure]:
    """How often the state is the planted one of the last day, and how well the return probability tells who is still alive.

    The planted states are of a chain that nobody sees; ours are counts of active days, so the two can't agree everywhere.
    """
    table = bench.signals.table("user_state")
    planted = dict(
        zip(truth.activity["user_id"].to_pylist(), truth.activity["states"].to_pylist(), strict=True)
    )
    columns = (table[name].to_pylist() for name in ("user_id", "state", "p_return"))
    rows = [
        (user_id, state, p_return, planted[user_id][-1])
        for user_id, state, p_return in zip(*columns, strict=True)
        if state is not None and user_id in planted
    ]
    if not rows:
        return []
    users, found, p_return, true = zip(*rows, strict=True)
    common = max(STATES, key=true.count)
    right = np.array([ours == theirs for ours, theirs in zip(found, true, strict=True)], dtype=np.float64)
    usual = np.array([theirs == common for theirs in true], dtype=np.float64)
    measures = [
        Measure(
            "states: accuracy",
            len(rows),
            Estimate.of(right, seed),
            {"most frequent state": Estimate.of(usual, seed)},
            "most frequent state",
            Estimate.of_difference(right, usual, seed),
            about="the planted state of the last day, of five; people with an event",
        ),
        Measure(
            "states: ARI",
            len(rows),
            Estimate(adjusted_rand(_codes(true), _codes(found))),
            {"most frequent state": Estimate(adjusted_rand(_codes(true), np.zeros(len(true), np.int64)))},
            about="adjusted Rand index: how alike the groups are, 0 by chance",
        ),
    ]
    alive = np.array([state != "dormant" for state in true])
    if None not in p_return and alive.any() and not alive.all():
        activity = Activity.of(bench.sequences, bench.as_of)
        last = activity.last_days[bench.people.rows(users)]
        measures.append(
            Measure(
                "states: AUC of not planted dormant",
                len(rows),
                Estimate(chance_above(alive, np.array(p_return, dtype=np.float64))),
                {"recency alone": Estimate(chance_above(alive, -last))},
                about="by the probability to return within a week",
            )
        )
    return measures


def _codes(states: Sequence[str]) -> Int64[np.ndarray, "person"]:
    return np.array([STATES.index(state) for state in states], dtype=np.int64)


def audience_measures(bench: Workbench, truth: Truth, seed: int) -> list[Measure]:
    """People who share a strong interest, found from twenty of them: AUC over everybody else, mean over audiences."""
    people = bench.people
    planted = set(truth.people["user_id"].to_pylist())
    known = np.array([name in planted for name in people.ids])
    acted = np.diff(bench.sequences.positives.offsets)
    weights = truth.model.moment(bench.as_of).weights[
        truth.user_rows([name for name in people.ids if name in planted])
    ]
    third = np.sort(weights, axis=1)[:, -3:][:, :1]
    strong = np.zeros((len(people), weights.shape[1]), dtype=bool)
    strong[known] = (weights >= third) & (weights > 0)
    strong &= (acted > 0)[:, None]
    sizes = strong.sum(axis=0)
    chosen = [
        one for one in np.argsort(-sizes, kind="stable")[:MOST_AUDIENCES] if sizes[one] >= LEAST_MEMBERS
    ]
    values: dict[str, list[float]] = {"ours": [], "most active": [], "random": []}
    for topic in chosen:
        random = generator(seed, "planted audience", str(topic))
        seeds = random.permutation(np.flatnonzero(strong[:, topic]))[:SEEDS]
        rest = known & (acted > 0)
        rest[seeds] = False
        try:
            found = found_audience(bench, people.names(seeds.tolist()), len(people))
        except (InputError, NotReadyError):
            return []
        scores = np.full(len(people), -np.inf)
        scores[people.rows(found.user_ids)] = found.scores
        belongs = strong[rest, topic]
        values["ours"].append(chance_above(belongs, scores[rest]))
        values["most active"].append(chance_above(belongs, acted[rest].astype(np.float64)))
        values["random"].append(chance_above(belongs, random.random(int(rest.sum()))))
    if not chosen:
        return []
    estimates = {name: Estimate.of(np.array(own), seed) for name, own in values.items()}
    ours = estimates.pop("ours")
    about = f"people with one of {len(chosen)} planted interests among their three strongest, from {SEEDS} of them"
    return [Measure("audiences: AUC", len(chosen), ours, estimates, "most active", about=about)]
