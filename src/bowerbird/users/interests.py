"""A person's readable interests, each with the events it rests on.

Interests of items are rolled up over what a person did, and compared with what anybody would have done in their
place, so that broad categories do not win by size and heavily shown ones do not win by exposure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, Float64, Int32, Int64
from pydantic import Field

from bowerbird.clock import DAY_US
from bowerbird.config import Settings
from bowerbird.errors import InputError
from bowerbird.records.history import History
from bowerbird.signals.sequences import Sequences
from bowerbird.users.long_term import ACTION_STRENGTH, action_table, require_past


@runtime_checkable
class ItemLabels(Protocol):
    """Labels of items over a tree, as ``bowerbird.content.interests.ItemInterests`` gives them.

    Content and users do not know each other: this is all that is read of the labels.
    """

    @property
    def node_paths(self) -> tuple[str, ...]:
        """Full path per node."""
        ...

    @property
    def node_parents(self) -> Int32[np.ndarray, "node"]:
        """Parent per node; -1 at the top."""
        ...

    @property
    def offsets(self) -> Int64[np.ndarray, "bound"]:
        """Item ``i`` owns labels ``offsets[i]:offsets[i + 1]``."""
        ...

    nodes: Int32[np.ndarray, "label"]
    scores: Float32[np.ndarray, "label"]


class InterestSettings(Settings):
    """How events become interests."""

    half_life_days: float = Field(default=45.0, gt=0)
    """Age at which an event counts half."""
    least_evidence: int = Field(default=3, ge=1)
    """Events an interest must rest on to be reported."""
    least_lift: float = Field(default=1.0, ge=0)
    """Engagement over what was expected, shrunken, that an interest must exceed."""
    prior: float = Field(default=3.0, gt=0)
    """Strength of the belief in lift 1, in expected events: larger asks for more evidence."""
    hide_weight: float = Field(default=1.0, ge=0)
    """Positive events that one hide takes back."""
    window_days: float = Field(default=180.0, gt=0)
    """How far back impressions count."""
    most: int = Field(default=20, ge=1)
    """Interests reported."""


@dataclass(frozen=True)
class ExpectedRates:
    """What to expect of somebody nothing is known of.

    Args:
        popularity: per node, the share of everybody's positive events that touch it, in [0, 1].
        response: per node, positive weight per impression over everybody, shrunken to the overall rate; all 0 where
            the log has no impressions.
    """

    popularity: Float64[np.ndarray, "node"]
    response: Float64[np.ndarray, "node"]


@dataclass(frozen=True)
class Exposure:
    """What a person was shown and what they refused: the other side of their history."""

    impressions: History = field(default_factory=History.empty)
    hides: History = field(default_factory=History.empty)

    @staticmethod
    def of(sequences: Sequences, user_row: int, as_of: int, settings: InterestSettings) -> Exposure:
        """The exposure of one person strictly before ``as_of``."""
        return Exposure(
            sequences.impressed(user_row, as_of, settings.window_days), sequences.refused(user_row, as_of)
        )


@dataclass(frozen=True)
class ProfiledInterest:
    """One interest of a person."""

    node: str
    """Full path of the category."""
    name: str
    """Its last part."""
    weight: float
    """Share of the person's reported interests; they sum to 1."""
    lift: float
    """Engagement over expectation, shrunken towards 1."""
    evidence: History
    """The positive events under the node, oldest first."""


def expected_rates(
    sequences: Sequences,
    labels: ItemLabels,
    as_of: int,
    settings: InterestSettings | None = None,
    strength: Mapping[str, float] = ACTION_STRENGTH,
) -> ExpectedRates:
    """The base rates of a log strictly before ``as_of``.

    Cost: O(events * labels per item).
    """
    settings = InterestSettings() if settings is None else settings
    since = as_of - round(settings.window_days * DAY_US)
    positives, shown = sequences.positives, sequences.impressions
    past = (positives.at < as_of) & (positives.at >= since)
    weights = action_table(strength)[positives.actions[past]]
    engaged = _rolled_up(labels, positives.rows[past], weights)
    seen = (shown.at < as_of) & (shown.at >= since)
    impressions = _rolled_up(labels, shown.rows[seen], np.ones(int(seen.sum())))
    total, total_shown = float(weights.sum()), int(seen.sum())
    popularity = engaged / total if total > 0 else np.zeros_like(engaged)
    if total_shown == 0:
        return ExpectedRates(popularity, np.zeros_like(engaged))
    overall = total / total_shown
    # a node shown a hundred times is believed as much as the overall rate
    return ExpectedRates(popularity, (engaged + 100 * overall) / (impressions + 100))


def interest_profile(
    history: History,
    labels: ItemLabels,
    as_of: int,
    rates: ExpectedRates,
    exposure: Exposure | None = None,
    *,
    settings: InterestSettings | None = None,
    strength: Mapping[str, float] = ACTION_STRENGTH,
) -> tuple[ProfiledInterest, ...]:
    """A person's interests at a time, strongest first.

    Per node ``c``: engagement ``a_c = sum_s w_s label(s, c) - hide_weight * hides_c`` (not below 0), with
    ``w = strength(action) * 2^(-age / half_life)``; expectation ``e_c`` is what the same impressions bring from
    everybody, ``sum_i d_i response_c label(i, c)``, or without impressions ``popularity_c``; both scaled to the
    person's own total. Unanswered impressions so count against a node. ``lift_c = (a_c + prior) / (e_c + prior)``, the
    mean of a Gamma posterior; the weight is ``log(lift_c)`` as a share. A node is left out when a node below it is
    reported.

    Args:
        history: positive actions, all before ``as_of``.
        labels: interests of the items.
        as_of: the time of reading, microseconds UTC.
        rates: of the whole log at the same time.
        exposure: what was shown and refused; nothing when absent.
        settings: the defaults when absent.
        strength: weight per action name.

    Returns:
        Interests with at least ``least_evidence`` events each.

    Raises:
        InputError: a step is at or after ``as_of``, or rates and labels are of different trees.
    """
    settings = InterestSettings() if settings is None else settings
    exposure = Exposure() if exposure is None else exposure
    for steps in (history, exposure.impressions, exposure.hides):
        require_past(steps, as_of)
    if rates.popularity.shape[0] != len(labels.node_paths):
        raise InputError(
            f"interest profile: base rates of {rates.popularity.shape[0]} nodes for labels of "
            f"{len(labels.node_paths)}; compute them from the same labels"
        )
    if len(history) == 0:
        return ()
    lift = _lift(history, labels, rates, exposure, settings, action_table(strength), as_of)
    touched = np.bincount(_labels(labels, history.rows)[1], minlength=lift.shape[0])
    good = np.flatnonzero((touched >= settings.least_evidence) & (lift > settings.least_lift))
    good = _most_specific(good, labels.node_parents)
    best = good[np.argsort(-lift[good], kind="stable")][: settings.most]
    logs = np.log(np.maximum(lift[best] / max(settings.least_lift, 1e-9), 1 + 1e-9))
    return tuple(
        _profiled(int(node), float(weight), float(lift[node]), history, labels)
        for node, weight in zip(best, logs / max(float(logs.sum()), 1e-300), strict=True)
    )


def _lift(
    history: History,
    labels: ItemLabels,
    rates: ExpectedRates,
    exposure: Exposure,
    settings: InterestSettings,
    table: Float64[np.ndarray, "action"],
    as_of: int,
) -> Float64[np.ndarray, "node"]:
    def decay(at: Int64[np.ndarray, "n"]) -> Float64[np.ndarray, "n"]:
        return np.exp2(-((as_of - at) / DAY_US) / settings.half_life_days)

    weights = table[history.actions] * decay(history.at)
    engaged = _rolled_up(labels, history.rows, weights)
    hides = _rolled_up(labels, exposure.hides.rows, settings.hide_weight * decay(exposure.hides.at))
    shown = _rolled_up(labels, exposure.impressions.rows, decay(exposure.impressions.at))
    expected = shown * rates.response
    anything = (
        float(decay(exposure.impressions.at).sum() * rates.response.mean()) if rates.response.any() else 0.0
    )
    if anything > 0:
        expected = expected * (float(weights.sum()) / anything)
    else:
        expected = float(weights.sum()) * rates.popularity
    return (np.maximum(engaged - hides, 0) + settings.prior) / (expected + settings.prior)


def _labels(
    labels: ItemLabels, rows: Int32[np.ndarray, "step"]
) -> tuple[Int64[np.ndarray, "pair"], Int32[np.ndarray, "pair"], Float32[np.ndarray, "pair"]]:
    """Every (step, label of its item): the step's place, the node, the score."""
    starts, lengths = labels.offsets[rows], labels.offsets[rows + 1] - labels.offsets[rows]
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if ends.size else 0
    places = np.arange(total) - np.repeat(ends - lengths, lengths) + np.repeat(starts, lengths)
    steps = np.repeat(np.arange(rows.shape[0]), lengths)
    return steps, labels.nodes[places], labels.scores[places]


def _rolled_up(
    labels: ItemLabels, rows: Int32[np.ndarray, "step"], weights: Float64[np.ndarray, "step"]
) -> Float64[np.ndarray, "node"]:
    steps, nodes, scores = _labels(labels, rows)
    return np.bincount(nodes, weights[steps] * scores, minlength=len(labels.node_paths)).astype(np.float64)


def _most_specific(
    nodes: Int64[np.ndarray, "n"], parents: Int32[np.ndarray, "node"]
) -> Int64[np.ndarray, "m"]:
    """The nodes that have none of the others below them."""
    above: set[int] = set()
    for node in nodes.tolist():
        parent = int(parents[node])
        while parent >= 0 and parent not in above:
            above.add(parent)
            parent = int(parents[parent])
    return nodes[[node not in above for node in nodes.tolist()]] if nodes.size else nodes


def _profiled(
    node: int, weight: float, lift: float, history: History, labels: ItemLabels
) -> ProfiledInterest:
    steps, nodes, _ = _labels(labels, history.rows)
    own = steps[nodes == node]
    path = labels.node_paths[node]
    evidence = History(history.rows[own], history.at[own], history.actions[own])
    return ProfiledInterest(path, path.rpartition("/")[2], weight, lift, evidence)
