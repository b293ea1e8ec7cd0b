"""Readable interests with the events they rest on."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bowerbird.clock import DAY_US
from bowerbird.content.interests import ItemInterests, item_interests
from bowerbird.errors import InputError
from bowerbird.records import Events, History, Vocabulary
from bowerbird.signals.sequences import Sequences
from bowerbird.testing.tiny_world import tiny_world
from bowerbird.users.interests import (
    Exposure,
    InterestSettings,
    ProfiledInterest,
    interest_profile,
    node_popularity,
)
from bowerbird.users.states import STATES, activity_states

CATEGORIES = [
    "animals/birds",
    "animals/birds",
    "animals/cats",
    "food/fruit",
    "food/fruit",
    "food/bread",
    None,
]
LABELS = item_interests(CATEGORIES)
USERS, ITEMS = Vocabulary("user", ("u0", "u1")), Vocabulary("item", tuple(f"i{n}" for n in range(7)))
Fact = tuple[float, str, int, str]  # day, user, item, action; "answer" is an impression that answers a query


def built(log: list[Fact]) -> Sequences:
    table = {
        "event_id": pa.array([str(n) for n in range(len(log))], pa.string()),
        "at": pa.array([round(day * DAY_US) for day, *_ in log], pa.int64()),
        "user_id": pa.array([user for _, user, _, _ in log], pa.string()),
        "item_id": pa.array([f"i{item}" for _, _, item, _ in log], pa.string()),
        "action": pa.array([action.replace("answer", "impression") for *_, action in log], pa.string()),
        "query": pa.array(["bread" if action == "answer" else None for *_, action in log], pa.string()),
    }
    return Sequences.from_events(Events(pa.table(table)), USERS, ITEMS)


def profile(
    sequences: Sequences,
    as_of: int,
    settings: InterestSettings | None = None,
    labels: ItemInterests = LABELS,
    user: int = 0,
) -> tuple[ProfiledInterest, ...]:
    popularity = node_popularity(sequences, labels, as_of, settings)
    exposure = Exposure.of(sequences, user, as_of, settings)
    return interest_profile(
        sequences.history(user, as_of), labels, as_of, popularity, exposure, settings=settings
    )


def crowd(item: int, n: int = 20) -> list[Fact]:
    """Somebody else who engages evenly, so that base rates are known."""
    return [(0.5, "u1", item, "closeup")] * n


def test_an_interest_is_reported_with_its_evidence():
    log: list[Fact] = [
        (1, "u0", 0, "closeup"),
        (2, "u0", 1, "save"),
        (3, "u0", 0, "click"),
        *crowd(3),
        *crowd(5),
    ]
    (found,) = profile(built(log), 4 * DAY_US)
    assert (found.node, found.name) == ("animals/birds", "birds")
    assert found.evidence.rows.tolist() == [0, 1, 0]
    assert found.evidence.at.tolist() == [1 * DAY_US, 2 * DAY_US, 3 * DAY_US]
    assert found.weight == 1.0
    assert found.lift > 1


def test_two_events_are_no_interest():
    log: list[Fact] = [(1, "u0", 0, "closeup"), (2, "u0", 1, "save"), *crowd(3)]
    assert profile(built(log), 4 * DAY_US) == ()


def test_the_lift_is_what_the_formula_says():
    log: list[Fact] = [
        *[(3.0, "u0", 0, "closeup")] * 3,
        (3.0, "u0", 3, "closeup"),
        *[(3.0, "u1", 3, "closeup")] * 4,
    ]
    settings = InterestSettings(half_life_days=1e9, prior=1.0)
    (found,) = profile(built(log), 4 * DAY_US, settings)
    engaged, expected = 3, 4 * (3 / 8)  # three of the eight closeups of everybody are under birds
    assert found.lift == pytest.approx((engaged + 1) / (expected + 1))


def test_what_everybody_likes_is_nobodys_interest():
    log: list[Fact] = [(1, "u0", 3, "closeup")] * 4 + [(1, "u1", 3, "closeup")] * 4
    assert profile(built(log), 4 * DAY_US) == ()


def test_events_spread_over_children_make_the_parent_an_interest():
    log: list[Fact] = [
        (1, "u0", 0, "save"),
        (1, "u0", 2, "save"),
        (2, "u0", 1, "save"),
        (2, "u0", 2, "save"),
        *crowd(3),
    ]
    assert [one.node for one in profile(built(log), 4 * DAY_US)] == ["animals"]
    log.append((3, "u0", 1, "save"))
    assert [one.node for one in profile(built(log), 4 * DAY_US)] == ["animals/birds"]


def test_searches_are_evidence():
    answers: list[Fact] = [(day, "u0", item, "answer") for day in (1, 2, 3) for item in (5, 5, 5, 0)]
    (found,) = profile(built([*answers, (3, "u0", 3, "closeup"), *crowd(3)]), 4 * DAY_US)
    assert found.node == "food/bread"
    assert found.searched_at.tolist() == [1 * DAY_US, 2 * DAY_US, 3 * DAY_US]
    assert len(found.evidence) == 0


def test_hides_and_unanswered_impressions_take_away():
    liked: list[Fact] = [*[(1.0, "u0", 0, "closeup")] * 4, *[(1.0, "u0", 3, "closeup")] * 4, *crowd(5)]
    plain = {one.node: one.lift for one in profile(built(liked), 4 * DAY_US)}
    hidden = {one.node: one.lift for one in profile(built([*liked, (2, "u0", 0, "hide")]), 4 * DAY_US)}
    seen: list[Fact] = [(2.0, "u0", item, "impression") for item in (0, 0, 3, 5, 5, 5, 5)]
    shown = {one.node: one.lift for one in profile(built([*liked, *seen]), 4 * DAY_US)}
    assert plain["animals/birds"] == plain["food/fruit"]
    assert hidden["animals/birds"] < hidden["food/fruit"]
    assert shown["animals/birds"] < shown["food/fruit"]


def test_older_interests_weigh_less_and_only_the_strongest_are_reported():
    log: list[Fact] = [
        *[(1.0, "u0", 0, "save")] * 3,
        *[(90.0, "u0", 3, "save")] * 3,
        *[(50.0, "u1", 5, "save")] * 30,
    ]
    found = profile(built(log), 91 * DAY_US)
    assert [one.node for one in found] == ["food/fruit", "animals/birds"]
    assert sum(one.weight for one in found) == pytest.approx(1)
    assert len(profile(built(log), 91 * DAY_US, InterestSettings(most=1))) == 1


def test_nobody_has_no_interests():
    assert interest_profile(History.empty(), LABELS, 5, np.zeros(len(LABELS.taxonomy))) == ()


def test_a_future_step_and_a_strange_tree_are_refused():
    sequences = built([(1, "u0", 0, "save")])
    history = sequences.history(0, 2 * DAY_US)
    with pytest.raises(InputError, match="is not before as_of"):
        interest_profile(history, LABELS, DAY_US, np.zeros(len(LABELS.taxonomy)))
    with pytest.raises(InputError, match="popularity of 2 nodes for labels of 6"):
        interest_profile(history, LABELS, 2 * DAY_US, np.zeros(2))


facts = st.lists(
    st.tuples(
        st.integers(0, 9),
        st.sampled_from(USERS.ids),
        st.integers(0, 6),
        st.sampled_from(["save", "closeup", "answer", "impression", "hide"]),
    ),
    max_size=40,
)


def flat(found: tuple[ProfiledInterest, ...]) -> list[tuple]:
    return [(o.node, o.weight, o.lift, o.evidence.at.tobytes(), o.searched_at.tobytes()) for o in found]


@settings(max_examples=20)  # each example builds several logs
@given(facts, facts, st.integers(0, 10))
def test_the_future_changes_nothing(log: list[Fact], more: list[Fact], day: int):
    future = [(day + late, *rest) for late, *rest in more]
    as_of = day * DAY_US
    assert flat(profile(built(log), as_of)) == flat(profile(built(log + future), as_of))


@given(facts, st.integers(0, 10))
def test_evidence_is_in_the_history_under_the_node_and_enough(log: list[Fact], day: int):
    sequences, as_of = built(log), day * DAY_US
    history = sequences.history(0, as_of)
    past = set(zip(history.rows.tolist(), history.at.tolist(), strict=True))
    found = profile(sequences, as_of)
    for one in found:
        own = set(zip(one.evidence.rows.tolist(), one.evidence.at.tolist(), strict=True))
        assert own <= past
        assert all((CATEGORIES[row] or "").startswith(one.node) for row, _ in own)
        assert len(one.evidence) + len(one.searched_at) >= 3
        assert set(one.searched_at.tolist()) <= set(sequences.answered(0, as_of, 180).at.tolist())
    assert [one.weight for one in found] == sorted((one.weight for one in found), reverse=True)
    assert not found or sum(one.weight for one in found) == pytest.approx(1)


@pytest.mark.slow
def test_the_interests_planted_in_a_simulated_world_are_recovered():
    world = tiny_world(people=90, days=60)
    users = Vocabulary("user", tuple(world.users["user_id"].to_pylist()))
    items = Vocabulary("item", tuple(world.items["item_id"].to_pylist()))
    sequences = Sequences.from_events(Events(world.events), users, items)
    labels = item_interests(world.items["category"].to_pylist())
    end = int(sequences.activity.at.max()) + 1
    recall = []
    for row in np.flatnonzero(activity_states(sequences, end) == STATES.index("core")).tolist():
        planted = {path for path, _ in world.truth.top_interests(users.id(row), end, k=3)}
        found = {one.node for one in profile(sequences, end, labels=labels, user=row)[:3]}
        recall.append(len(planted & found) / len(planted))
    assert len(recall) >= 10
    assert np.mean(recall) > 0.6  # by chance it would be about 3 of 40


@pytest.mark.data
def test_people_of_movielens_get_interests_that_last(shared_data):
    ratings = pq.read_table(shared_data / "ml_100k" / "interactions.parquet")
    movies = pq.read_table(shared_data / "ml_100k" / "items.parquet")
    ratings = ratings.filter(pa.compute.greater_equal(ratings["rating"], 4))
    users = Vocabulary("user", tuple(sorted(set(ratings["user_id"].cast(pa.string()).to_pylist()))))
    items = Vocabulary("item", tuple(movies["item_id"].cast(pa.string()).to_pylist()))
    labels = item_interests([(genres or "").split(" ")[0] for genres in movies["genres"].to_pylist()])
    log = pa.table(
        {
            "event_id": pa.array(np.arange(len(ratings)).astype(str)),
            "at": ratings["timestamp"].to_numpy() * 1_000_000,
            "user_id": ratings["user_id"].cast(pa.string()),
            "item_id": ratings["item_id"].cast(pa.string()),
            "action": pa.array(["rate"] * len(ratings)),
        }
    )
    sequences = Sequences.from_events(Events(log), users, items)
    end = int(sequences.positives.at.max()) + 1
    popularity = node_popularity(sequences, labels, end, InterestSettings(window_days=400.0))
    agree = []
    for row in range(0, len(users), 25):
        history = sequences.history(row, end)
        first, later = (
            {one.node for one in interest_profile(history, labels, at, popularity)[:3]}
            for at in (end, end + DAY_US)
        )
        agree.append(first == later)
    assert np.mean(agree) > 0.95  # stable day to day
