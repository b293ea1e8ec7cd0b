"""Topics of a catalogue: planted groups are found again, in behaviour and in content."""

from __future__ import annotations

import numpy as np

from bowerbird.users.behaviour import Behaviour
from bowerbird.users.item_topics import engaged_topics, item_topics

GROUPS, EACH = 4, 30


def crowd(seed: int = 0) -> Behaviour:
    """Everybody stays within one group of items; the last item is met by nobody."""
    random = np.random.default_rng(seed)
    users = np.repeat(np.arange(400), 12)
    items = (users % GROUPS) * EACH + random.integers(0, EACH, users.size)
    return Behaviour.of(users, items, np.arange(users.size), (400, GROUPS * EACH + 1))


def test_items_that_the_same_people_meet_share_a_topic() -> None:
    topics = item_topics(crowd(), None, 0)
    assert topics[-1] == 0  # nothing is known of it
    owners = [set(topics[group * EACH : (group + 1) * EACH].tolist()) for group in range(GROUPS)]
    assert sum(len(one) for one in owners) == len(set.union(*owners)), "no topic holds items of two groups"


def test_content_places_an_item_nobody_met() -> None:
    content = np.zeros((GROUPS * EACH + 1, GROUPS), np.float32)
    content[np.arange(GROUPS * EACH), np.arange(GROUPS * EACH) // EACH] = 1.0
    content[-1, 2] = 1.0
    topics = item_topics(crowd(), content, 0)
    assert topics[-1] in set(topics[2 * EACH : 3 * EACH].tolist())


def test_the_seed_decides() -> None:
    assert np.array_equal(item_topics(crowd(), None, 3), item_topics(crowd(), None, 3))


def test_nothing_to_group_is_no_topic() -> None:
    nothing = np.zeros(0, np.int64)
    assert item_topics(Behaviour.of(nothing, nothing, nothing, (2, 5)), None, 0).tolist() == [0] * 5


def test_newer_steps_count_more_and_the_shares_are_a_whole() -> None:
    topics, shares = engaged_topics(np.array([7, 9, 0], np.int32), 5)
    assert topics.tolist() == [9, 7]
    assert shares.sum() == np.float32(1.0)
    assert engaged_topics(np.zeros(3, np.int32), 5)[0].size == 0
    assert engaged_topics(np.zeros(0, np.int32), 5)[1].size == 0
