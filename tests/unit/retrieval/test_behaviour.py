"""Sources that follow behaviour."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bowerbird.clock import DAY_US
from bowerbird.errors import SpaceMismatchError
from bowerbird.records.request import Context, Request
from bowerbird.records.signal import Space, Vectors
from bowerbird.retrieval import behaviour
from bowerbird.retrieval.index import ExactIndex
from bowerbird.retrieval.nearest import Silent
from bowerbird.retrieval.next_item import NextItemHoldings
from bowerbird.users.next_item import NextItemReader, ReaderShape, TopicQuestions

ALL = np.ones(6, dtype=bool)


def asked(release, as_of=None, **known) -> Context:
    return Context(Request("homefeed", release.as_of if as_of is None else as_of), **known)


def test_what_followed_the_last_action_for_others_is_found_with_the_step_that_led_there(small):
    history = small.sequences.history(0, small.as_of).last(1)  # u0 opened i1 after saving i0
    found = behaviour.covisitation(small).find(asked(small, history=history), 5, ALL)
    assert found.rows.tolist() == [0]
    assert found.evidence.tolist() == [1]


def test_the_anchor_counts_in_place_of_the_history(small):
    found = behaviour.covisitation(small).find(asked(small, anchor_row=0), 5, ALL)
    # i0 -> i1 by u0 and i0 -> i2 by u1, one step each, both met once
    assert sorted(found.rows.tolist()) == [1, 2]
    assert found.scores[0] == found.scores[1] > 0


def test_complements_are_of_another_category(small):
    found = behaviour.complements(small).find(asked(small, anchor_row=0), 5, ALL)
    assert found.rows.tolist() == [2]
    assert len(behaviour.complements(small).find(asked(small), 5, ALL).rows) == 0


@pytest.mark.parametrize("name", ["covisitation", "complements"])
def test_without_events_they_are_silent(small, name):
    silent = getattr(behaviour, name)(replace(small, cooccurrence=None))
    assert isinstance(silent, Silent)
    assert silent.name == name


def test_without_history_nothing_is_co_visited(small):
    assert len(behaviour.covisitation(small).find(asked(small), 5, ALL).rows) == 0


def test_trending_counts_responses_before_the_request_only(small):
    day3 = small.sequences.positives.at.min() - DAY_US  # before the first action
    assert len(behaviour.trending(small).find(asked(small, int(day3)), 5, ALL).rows) == 0
    found = behaviour.trending(small).find(asked(small), 5, ALL)
    assert set(found.rows.tolist()) == {0, 1, 2, 3}  # 3 is a copy of 2
    assert found.scores[found.rows == 3] == found.scores[found.rows == 2]
    assert found.scores.tolist() == sorted(found.scores.tolist(), reverse=True)


def test_with_logical_time_trending_is_popularity(small):
    found = behaviour.trending(replace(small, logical_time=True)).find(asked(small), 5, ALL)
    assert dict(zip(found.rows.tolist(), found.scores.tolist(), strict=True)) == {
        0: 2.0,
        1: 1.0,
        2: 1.0,
        3: 1.0,
    }


def test_trending_is_the_same_asked_twice_and_again_at_another_time(small):
    source = behaviour.trending(small)
    first = source.find(asked(small), 5, ALL)
    source.find(asked(small, small.as_of - 5 * DAY_US), 5, ALL)
    again = source.find(asked(small), 5, ALL)
    assert first.rows.tolist() == again.rows.tolist()
    assert first.scores.tolist() == again.scores.tolist()


def test_fresh_items_are_at_most_two_weeks_old_newest_first(small):
    found = behaviour.fresh(small).find(asked(small), 5, ALL)  # day 14: i4 is 8 days old, i5 is 2
    assert found.rows.tolist() == [5, 4]
    np.testing.assert_allclose(found.scores, [1 - 2 / 14, 1 - 8 / 14], atol=1e-6)


def test_an_item_is_not_fresh_before_it_exists_nor_after_two_weeks(small):
    assert behaviour.fresh(small).find(asked(small, small.as_of - 3 * DAY_US), 5, ALL).rows.tolist() == [4]
    assert len(behaviour.fresh(small).find(asked(small, small.as_of + 30 * DAY_US), 5, ALL).rows) == 0


def test_of_very_many_fresh_items_the_newest_are_looked_at(small, monkeypatch):
    monkeypatch.setattr(behaviour, "MOST_FRESH", 1)
    everything = int(small.created_at.max()) + 1
    newest = int(np.argmax(small.created_at))
    assert behaviour.fresh(small).find(asked(small, everything), 5, ALL).rows.tolist() == [newest]
    others = ALL.copy()
    others[newest] = False
    assert behaviour.fresh(small).find(asked(small, everything), 5, others).rows.tolist() == [4]


def test_among_fresh_items_those_near_the_person_come_first(small):
    person = Vectors.full(small.vectors["item"].space, np.array([[1.0, 0.0]], np.float32))
    found = behaviour.fresh(small).find(asked(small, user_vectors=person), 5, ALL)
    assert found.rows.tolist() == [4, 5]
    np.testing.assert_allclose(found.scores, [1.0 + 0.1 * (1 - 8 / 14), 0.1 * (1 - 2 / 14)], atol=1e-6)


def test_a_person_of_another_space_is_refused(small):
    person = Vectors.full(Space("item", "2", 2), np.array([[1.0, 0.0]], np.float32))
    with pytest.raises(SpaceMismatchError, match="fresh: vectors of space 'item/2"):
        behaviour.fresh(small).find(asked(small, user_vectors=person), 5, ALL)


def test_each_topic_gets_places_by_its_share_and_names_its_newest_step(small, monkeypatch):
    space = Space("next_item", "1", 2, "dot")
    asking = Vectors.full(space, np.array([[1.0, 0.0], [0.0, 1.0]], np.float32))
    questions = TopicQuestions(asking, np.array([0.7, 0.3], np.float32), np.array([4, 5], np.int32))
    monkeypatch.setattr(NextItemReader, "topic_questions", lambda *_: questions)
    items = Vectors.full(space, np.array([[9, 0], [8, 0], [7, 0], [0, 3], [0, 2], [0, 1]], np.float32))
    reader = NextItemReader(ReaderShape(1, 5), {}, items, np.zeros(6, np.int32))
    held = replace(small, next_item=NextItemHoldings(reader, ExactIndex(items)))
    found = behaviour.next_interests(held).find(asked(small), 4, ALL)
    assert found.rows.tolist() == [0, 1, 3, 2]  # .7, .35, .3 of the other topic, .23
    assert found.evidence.tolist() == [4, 4, 5, 4]
    assert isinstance(behaviour.next_interests(replace(small, next_item=None)), Silent)
