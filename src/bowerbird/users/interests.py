"""A person's readable interests, each with the events it rests on.

Interests of items are rolled up over what a person did, and compared with what anybody would have done in their
place, so that broad categories do not win by size and heavily shown ones do not win by exposure.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, Float64, Int32, Int64
from pydantic import Field

from bowerbird.clock import DAY_US
from bowerbird.config import Settings
from bowerbird.errors import InputError
from bowerbird.records.history import History
from bowerbird.signals.online_sequence import OnlineSequence
from bowerbird.signals.sequences import Sequences
from bowerbird.users.long_term import action_table, require_past


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

    @property
    def nodes(self) -> Int32[np.ndarray, "label"]:
        """Node of each label."""
        ...

    @property
    def scores(self) -> Float32[np.ndarray, "label"]:
        """Score of each label, in (0, 1]."""
        ...


MONDAY_US = 4 * DAY_US
"""The first Monday since 1970."""


class InterestSettings(Settings):
    """How events become interests."""

    half_life_days: float = Field(default=60.0, gt=0)
    """Age at which an event counts half."""
    closeup: float = Field(default=1.0, ge=0)
    """Weight of opening an item; also of a rating."""
    click: float = Field(default=0.5, ge=0)
    """Weight of following it outward."""
    save: float = Field(default=1.0, ge=0)
    """Weight of keeping or buying it, on top of the opening that came before."""
    answer: float = Field(default=0.25, ge=0)
    """Weight of each item of an answer to the person's own query: the words say what they want."""
    hide: float = Field(default=1.0, ge=0)
    """Weight a hide takes back."""
    prior: float = Field(default=1.0, gt=0)
    """Strength of the belief that nothing is special, in events: larger asks for more evidence."""
    least_evidence: int = Field(default=3, ge=1)
    """Events an interest must rest on to be reported."""
    window_days: float = Field(default=180.0, gt=0)
    """How far back impressions and answers count."""
    most: int = Field(default=20, ge=1)
    """Interests reported."""

    def strength(self) -> Float64[np.ndarray, "action"]:
        """Weights by action code."""
        kept = dict.fromkeys(("save", "purchase", "add_to_cart"), self.save)
        return action_table({"closeup": self.closeup, "rate": self.closeup, "click": self.click, **kept})


@dataclass(frozen=True)
class Exposure:
    """What a person was shown, looked for and refused: the other side of their history."""

    impressions: History = field(default_factory=History.empty)
    answers: History = field(default_factory=History.empty)
    """The impressions that answered the person's own query; they are among the impressions too."""
    hides: History = field(default_factory=History.empty)

    @staticmethod
    def of(
        sequences: Sequences | OnlineSequence,
        user_row: int,
        as_of: int,
        settings: InterestSettings | None = None,
    ) -> Exposure:
        """The exposure of one person strictly before ``as_of``."""
        days = (InterestSettings() if settings is None else settings).window_days
        return Exposure(
            sequences.impressed(user_row, as_of, days),
            sequences.answered(user_row, as_of, days),
            sequences.refused(user_row, as_of),
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
    searched_at: Int64[np.ndarray, "search"]
    """Times of the person's searches of which at least a third of the answers fall under the node, microseconds UTC."""


def last_visit(times: Int64[np.ndarray, "event"], as_of: int) -> int:
    """When a person's interests are read: just after the last thing they did or saw before ``as_of``.

    Somebody away keeps the interests they left with, and their value depends on their own events alone.
    """
    return int(times[-1]) + 1 if len(times) else as_of


def popularity_moment(sequences: Sequences, as_of: int) -> int:
    """When popularity is read: the last Monday, UTC, so that it moves once a week; ``as_of`` in a log's first week."""
    monday = as_of - (as_of - MONDAY_US) % (7 * DAY_US)
    at = sequences.positives.at
    return monday if at.size and int(at.min()) < monday else as_of


def node_popularity(
    sequences: Sequences, labels: ItemLabels, as_of: int, settings: InterestSettings | None = None
) -> Float64[np.ndarray, "node"]:
    """Per node, the share of everybody's engagement before ``as_of`` that falls under it, in [0, 1].

    What to expect of somebody nothing is known of.

    Cost: O(positive events * labels per item).
    """
    settings = InterestSettings() if settings is None else settings
    positives = sequences.positives
    past = (positives.at < as_of) & (positives.at >= as_of - round(settings.window_days * DAY_US))
    weights = settings.strength()[positives.actions[past]]
    total = float(weights.sum())
    return _rolled_up(labels, positives.rows[past], weights) / (total if total > 0 else 1.0)


def interest_profile(
    history: History,
    labels: ItemLabels,
    as_of: int,
    popularity: Float64[np.ndarray, "node"],
    exposure: Exposure | None = None,
    *,
    settings: InterestSettings | None = None,
) -> tuple[ProfiledInterest, ...]:
    """A person's interests at a time, strongest first.

    Per node ``c``, with ``d = 2^(-age / half_life)``:

    - engagement ``a_c = sum_s strength(action_s) d_s label(s, c) + answer * sum_answers d label - hide * sum_hides d label``,
      not below 0;
    - expectation ``e_c = A (popularity_c + exposed_c) / 2``, where ``A`` is the engagement with anything and ``exposed_c``
      is the share of the person's impressions under ``c`` (answers apart); without impressions popularity alone.
      Impressions without response so count against a node, and broad nodes do not win by size;
    - ``lift_c = (a_c + prior) / (e_c + prior)``; the strength is ``a_c log(lift_c)``, how surprising that much engagement
      is (the G-test's term), and the weight is the strength as a share.

    A node is reported with at least ``least_evidence`` events, lift above 1, and no reported node below it.

    Args:
        history: positive actions, all before ``as_of``.
        labels: interests of the items.
        as_of: the time of reading, microseconds UTC.
        popularity: :func:`node_popularity` at the same time.
        exposure: what was shown, looked for and refused; nothing when absent.
        settings: the defaults when absent.

    Raises:
        InputError: a step is at or after ``as_of``, or popularity and labels are of different trees.
    """
    settings = InterestSettings() if settings is None else settings
    exposure = Exposure() if exposure is None else exposure
    for steps in (history, exposure.impressions, exposure.answers, exposure.hides):
        require_past(steps, as_of)
    if popularity.shape[0] != len(labels.node_paths):
        raise InputError(
            f"interest profile: popularity of {popularity.shape[0]} nodes for labels of {len(labels.node_paths)}; "
            "compute it from the same labels"
        )
    engaged, expected = _engagement(history, labels, as_of, popularity, exposure, settings=settings)
    lift = (engaged + settings.prior) / (expected + settings.prior)
    evidence = _evidence(history, labels)
    searches = _searches(exposure.answers, labels)
    counted = np.bincount(evidence[1], minlength=lift.shape[0]) + np.bincount(
        searches[1], minlength=lift.shape[0]
    )
    good = np.flatnonzero((counted >= settings.least_evidence) & (lift > 1.0))
    good = _most_specific(good, labels.node_parents)
    strength = engaged * np.log(lift)
    best = good[np.argsort(-strength[good], kind="stable")][: settings.most]
    total = float(strength[best].sum())
    found = []
    for node in best.tolist():
        own, path = evidence[0][evidence[1] == node], labels.node_paths[node]
        steps = History(history.rows[own], history.at[own], history.actions[own])
        name, weight = path.rpartition("/")[2], float(strength[node]) / total
        found.append(
            ProfiledInterest(path, name, weight, float(lift[node]), steps, searches[0][searches[1] == node])
        )
    return tuple(found)


def _engagement(
    history: History,
    labels: ItemLabels,
    as_of: int,
    popularity: Float64[np.ndarray, "node"],
    exposure: Exposure,
    *,
    settings: InterestSettings,
) -> tuple[Float64[np.ndarray, "node"], Float64[np.ndarray, "node"]]:
    """Engagement and expected engagement per node."""

    def decay(steps: History) -> Float64[np.ndarray, "step"]:
        return np.exp2(-((as_of - steps.at) / DAY_US) / settings.half_life_days)

    weights = settings.strength()[history.actions] * decay(history)
    answer_weights = settings.answer * decay(exposure.answers)
    answers = _rolled_up(labels, exposure.answers.rows, answer_weights)
    engaged = _rolled_up(labels, history.rows, weights) + answers
    engaged -= _rolled_up(labels, exposure.hides.rows, settings.hide * decay(exposure.hides))
    anything = float(weights.sum() + answer_weights.sum())
    shown = _rolled_up(labels, exposure.impressions.rows, decay(exposure.impressions))
    shown -= _rolled_up(labels, exposure.answers.rows, decay(exposure.answers))
    total_shown = float(decay(exposure.impressions).sum() - decay(exposure.answers).sum())
    share = (popularity + np.maximum(shown, 0) / total_shown) / 2 if total_shown > 1e-9 else popularity
    return np.maximum(engaged, 0), anything * share


def _evidence(history: History, labels: ItemLabels) -> tuple[Int64[np.ndarray, "n"], Int32[np.ndarray, "n"]]:
    """Which steps of a history fall under which nodes."""
    steps, nodes, _ = _labels(labels, history.rows)
    return steps, nodes


def _searches(answers: History, labels: ItemLabels) -> tuple[Int64[np.ndarray, "n"], Int64[np.ndarray, "n"]]:
    """The times of searches and the nodes that hold at least a third of their answers."""
    times, search, size = np.unique(answers.at, return_inverse=True, return_counts=True)
    steps, nodes, _ = _labels(labels, answers.rows)
    pairs, count = np.unique(search[steps] * len(labels.node_paths) + nodes, return_counts=True)
    if pairs.size == 0:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    of, node = np.divmod(pairs, len(labels.node_paths))
    enough = 3 * count >= size[of]
    return times[of[enough]], node[enough]


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
