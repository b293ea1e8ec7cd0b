"""Simulated people: when they joined, what they are interested in, and on which days they come."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from jaxtyping import Float32, Float64, Int8, Int32, Int64

from bowerbird.clock import DAY_US, HOUR_US
from bowerbird.randomness import generator
from bowerbird.simulation.settings import WorldSettings

__all__ = [
    "STATES",
    "Interests",
    "People",
    "activity_states",
    "interest_weights",
    "make_people",
    "users_table",
]

STATES = ("absent", "new", "core", "casual", "marginal", "dormant")
"""Activity states; ``absent`` is a day before the person joined."""

# Probability of coming on a day, per state, and of the next day's state. Rows: from, columns: to.
_COMES = np.array([0.0, 0.38, 0.40, 0.12, 0.03, 0.0])
_NEXT = np.array(
    [
        [1.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        [0.0, 0.86, 0.05, 0.06, 0.03, 0.0],
        [0.0, 0.0, 0.965, 0.03, 0.005, 0.0],
        [0.0, 0.0, 0.012, 0.958, 0.025, 0.005],
        [0.0, 0.0, 0.002, 0.018, 0.955, 0.025],
        [0.0, 0.0, 0.0, 0.004, 0.006, 0.99],
    ]
)
_FIRST = np.array([0.0, 0.0, 0.17, 0.33, 0.32, 0.18])
_COUNTRIES = (
    ("US", "en-US"),
    ("BR", "pt-BR"),
    ("DE", "de-DE"),
    ("FR", "fr-FR"),
    ("GB", "en-GB"),
    ("JP", "ja-JP"),
)
_SLOT_WEIGHTS = np.array([1.0, 0.92, 0.85, 0.35, 0.3, 0.25])


@dataclass(frozen=True)
class Interests:
    """Interests as spans of time, sorted by person: weight goes in a line from ``start`` to ``end``.

    Attributes:
        user: row of the person.
        topic: row of the category.
        begins: first microsecond of the span.
        ends: first microsecond after it.
        weight_start: weight when it begins, about 0 to 1.
        weight_end: weight when it ends.
    """

    user: Int32[np.ndarray, "span"]
    topic: Int32[np.ndarray, "span"]
    begins: Int64[np.ndarray, "span"]
    ends: Int64[np.ndarray, "span"]
    weight_start: Float32[np.ndarray, "span"]
    weight_end: Float32[np.ndarray, "span"]


@dataclass(frozen=True)
class People:
    """Everybody, by row: row ``r`` is user ``u{r}``."""

    created_at: Int64[np.ndarray, "user"]
    interests: Interests
    taste: Float32[np.ndarray, "user dim"]
    openness: Float32[np.ndarray, "user"]
    """Logits a person adds to everything: some open more than others."""


def interest_weights(
    interests: Interests, at: int, users: int, topics: int
) -> Float32[np.ndarray, "user topic"]:
    """Weight of each person's interest in each category at a time; 0 where there is none."""
    weights = np.zeros((users, topics), dtype=np.float32)
    live = np.flatnonzero((interests.begins <= at) & (at < interests.ends))
    span = (interests.ends[live] - interests.begins[live]).astype(np.float64)
    part = (at - interests.begins[live]) / span
    value = interests.weight_start[live] * (1 - part) + interests.weight_end[live] * part
    np.add.at(weights, (interests.user[live], interests.topic[live]), value.astype(np.float32))
    return weights


def make_people(
    settings: WorldSettings,
    start: int,
    topic_sizes: Int64[np.ndarray, "topic"],
    topic_group: Int32[np.ndarray, "topic"],
) -> People:
    """People with interests that drift.

    Each person has 2 to 6 interests, mostly inside two favourite groups; weights change in a line over the log, and a
    share of people swap one interest for another on one day.

    Args:
        settings: the world.
        start: first microsecond of the log.
        topic_sizes: number of items per category.
        topic_group: the group each category belongs to.
    """
    rng = generator(settings.seed, "people")
    users = settings.people
    created = start - rng.integers(DAY_US, 400 * DAY_US, size=users)
    arriving = rng.random(users) < settings.arriving_share
    day = rng.integers(0, max(1, settings.days - 2), size=users)
    joined = start + day * DAY_US + rng.integers(0, 20 * HOUR_US, size=users)
    created = np.where(arriving, joined, created).astype(np.int64)
    order = _wanted_topics(rng, users, topic_sizes, topic_group, settings.interest_min_items)
    return People(
        created_at=created,
        interests=_drifting(rng, order, start, start + settings.days * DAY_US, settings.swap_share),
        taste=rng.standard_normal((users, settings.taste_dim)).astype(np.float32),
        openness=(0.35 * rng.standard_normal(users)).astype(np.float32),
    )


def _wanted_topics(
    rng: np.random.Generator,
    users: int,
    topic_sizes: Int64[np.ndarray, "topic"],
    topic_group: Int32[np.ndarray, "topic"],
    min_items: int,
) -> Int64[np.ndarray, "user slot"]:
    """Per person the categories they like most, best first: one more than anybody uses, for the swap."""
    topics, groups = topic_sizes.shape[0], int(topic_group.max()) + 1
    allowed = topic_sizes >= min(min_items, int(topic_sizes.max()))
    fame = 0.5 * np.log(topic_sizes) + 0.8 * rng.standard_normal(topics)
    favourite = rng.random((users, groups)).argsort(axis=1)[:, :2]
    liked_group = np.zeros((users, groups), dtype=bool)
    np.put_along_axis(liked_group, favourite, True, axis=1)
    score = fame + 2.0 * liked_group[:, topic_group] + rng.gumbel(size=(users, topics))
    score[:, ~allowed] -= 1e6
    return np.argsort(-score, axis=1)[:, : _SLOT_WEIGHTS.shape[0] + 1]


def _drifting(
    rng: np.random.Generator, order: Int64[np.ndarray, "user slot"], start: int, end: int, swap_share: float
) -> Interests:
    users, slots = order.shape[0], order.shape[1] - 1
    count = np.minimum(rng.integers(2, 7, size=users), max(1, slots))
    swaps = rng.random(users) < swap_share
    swap_slot = rng.integers(0, count)
    swap_at = start + ((end - start) * rng.uniform(0.3, 0.7, size=users)).astype(np.int64)
    long_ago, far_ahead = start - 500 * DAY_US, end + 100 * DAY_US
    rows: list[tuple[int, int, int, int, float, float]] = []
    first = _SLOT_WEIGHTS[:slots] * rng.uniform(0.92, 1.08, size=(users, slots))
    last = first * rng.uniform(0.8, 1.25, size=(users, slots))
    for user in range(users):
        for slot in range(int(count[user])):
            topic, begin_weight, end_weight = int(order[user, slot]), first[user, slot], last[user, slot]
            if swaps[user] and slot == swap_slot[user]:
                turn = int(swap_at[user])
                rows.append((user, topic, long_ago, turn, begin_weight, begin_weight))
                rows.append((user, int(order[user, -1]), turn, far_ahead, begin_weight, end_weight))
            else:
                rows.append((user, topic, long_ago, far_ahead, begin_weight, end_weight))
    columns = list(zip(*rows, strict=True))
    return Interests(
        user=np.array(columns[0], dtype=np.int32),
        topic=np.array(columns[1], dtype=np.int32),
        begins=np.array(columns[2], dtype=np.int64),
        ends=np.array(columns[3], dtype=np.int64),
        weight_start=np.array(columns[4], dtype=np.float32),
        weight_end=np.array(columns[5], dtype=np.float32),
    )


def activity_states(settings: WorldSettings, people: People, start: int) -> Int8[np.ndarray, "user day"]:
    """State of each person on each day: a Markov chain that starts when they join; codes index ``STATES``."""
    rng = generator(settings.seed, "activity")
    users = people.created_at.shape[0]
    joined_day = (people.created_at - start) // DAY_US  # negative for people who were there before
    chain = np.cumsum(_NEXT, axis=1)
    states = np.zeros((users, settings.days), dtype=np.int8)
    state = np.where(joined_day < 0, 1 + np.searchsorted(np.cumsum(_FIRST[1:]), rng.random(users)), 0)
    for day in range(settings.days):
        state = np.where(joined_day == day, STATES.index("new"), state)
        states[:, day] = state
        moved = (rng.random((users, 1)) > chain[state]).sum(axis=1)
        state = np.minimum(moved, len(STATES) - 1)
    return states


def comes_probability(states: Int8[np.ndarray, "user"], activity: float) -> Float64[np.ndarray, "user"]:
    """Probability that each person comes today, from their state.

    Example:
        >>> comes_probability(np.array([2, 5], dtype=np.int8), 1.0).tolist()
        [0.4, 0.0]
    """
    return np.minimum(_COMES[states] * activity, 1.0)


def users_table(settings: WorldSettings, people: People) -> pa.Table:
    """The people in the standard columns."""
    rng = generator(settings.seed, "users")
    users = people.created_at.shape[0]
    country = rng.choice(len(_COUNTRIES), size=users, p=[0.4, 0.15, 0.12, 0.11, 0.12, 0.10])
    device = rng.choice(3, size=users, p=[0.5, 0.35, 0.15])
    names = ("android", "ios", "web")
    return pa.table(
        {
            "user_id": pa.array([f"u{row}" for row in range(users)], pa.string()),
            "country": pa.array([_COUNTRIES[row][0] for row in country], pa.string()),
            "locale": pa.array([_COUNTRIES[row][1] for row in country], pa.string()),
            "created_at": pa.array(people.created_at, pa.int64()),
            "attributes": pa.array(
                [[("device", names[row])] for row in device], pa.map_(pa.string(), pa.string())
            ),
        }
    )
