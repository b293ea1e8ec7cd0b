"""Sources that look for items near a vector."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bowerbird.pipeline.release import Release
from bowerbird.records.request import Context, Interest, Request
from bowerbird.records.signal import Space, Vectors
from bowerbird.retrieval import nearest
from bowerbird.retrieval.index import ExactIndex
from bowerbird.retrieval.long_term import LongTermHoldings

ALL = np.ones(6, dtype=bool)


def asked(release: Release, **known: object) -> Context:
    return Context(Request("homefeed", release.as_of), **known)  # type: ignore[arg-type]


def one(release: Release, values: list[float]) -> Vectors:
    return Vectors.full(release.vectors["item"].space, np.array([values], np.float32))


def test_items_near_an_interest_name_its_medoid(small):
    found = nearest.interests(small).find(asked(small, interests=(Interest(2, 1.0, (2,)),)), 2, ALL)
    assert found.rows.tolist() == [2, 3]
    assert found.evidence.tolist() == [2, 2]
    np.testing.assert_allclose(found.scores, [1.0, 1.0])


def test_an_item_near_two_interests_keeps_the_nearer(small):
    interests = (Interest(0, 0.5, (0,)), Interest(2, 0.5, (2,)))
    found = nearest.interests(small).find(asked(small, interests=interests), 6, ALL)
    evidence = dict(zip(found.rows.tolist(), found.evidence.tolist(), strict=True))
    assert evidence[1] == 0  # cosine 0.8 with i0, 0.6 with i2
    assert evidence[3] == 2


def test_no_more_than_the_quota_comes_back(small):
    interests = (Interest(0, 0.5, (0,)), Interest(2, 0.5, (2,)))
    assert len(nearest.interests(small).find(asked(small, interests=interests), 3, ALL).rows) == 3


def test_an_interest_whose_medoid_has_no_vector_finds_nothing(small):
    assert (
        len(nearest.interests(small).find(asked(small, interests=(Interest(5, 1.0, (5,)),)), 3, ALL).rows)
        == 0
    )


def test_items_near_a_person_come_by_cosine(small):
    found = nearest.long_term(small).find(asked(small, user_vectors=one(small, [0.6, 0.8])), 3, ALL)
    assert found.rows.tolist() == [1, 2, 3]
    np.testing.assert_allclose(found.scores, [0.6 * 0.8 + 0.8 * 0.6, 0.8, 0.8], atol=1e-6)


@pytest.mark.parametrize("source", ["interests", "long_term", "similar", "by_text", "composed"])
def test_without_ground_a_source_finds_nothing(small, source):
    assert len(getattr(nearest, source)(small).find(asked(small), 5, ALL).rows) == 0


def test_items_near_the_anchor_name_it_as_evidence_and_obey_what_is_allowed(small):
    allowed = np.array([True, True, False, True, True, True])
    found = nearest.similar(small).find(asked(small, anchor_row=2), 2, allowed)
    assert found.rows.tolist() == [3, 1]
    assert found.evidence.tolist() == [2, 2]


def test_items_near_a_query_of_both_words_and_picture_come_from_the_fused_space(small):
    query = {"item": one(small, [1.0, 0.0])}
    assert nearest.composed(small).find(asked(small, query_vectors=query), 2, ALL).rows.tolist() == [0, 4]


@pytest.mark.parametrize("source", ["look_alike", "by_text", "by_picture"])
def test_a_source_whose_signal_was_not_built_is_silent_under_its_own_name(small, source):
    silent = getattr(nearest, source)(small)
    assert silent.name == source
    assert len(silent.find(asked(small, anchor_row=0), 5, ALL).rows) == 0


@pytest.mark.parametrize("source", ["interests", "long_term", "similar", "composed"])
def test_without_any_index_every_source_is_silent(small, source):
    bare = replace(small, indexes={}, vectors={})
    assert isinstance(getattr(nearest, source)(bare), nearest.Silent)


def test_a_person_of_another_space_is_refused(small):
    stranger = Vectors.full(Space("item", "2", 2), np.array([[1.0, 0.0]], np.float32))
    with pytest.raises(TypeError, match="index search: vectors of space 'item/2/2/cosine'"):
        nearest.long_term(small).find(asked(small, user_vectors=stranger), 2, ALL)


def with_long_term(release: Release, made_at: int) -> Release:
    """The first person has a vector, the second none; the third came after the build."""
    space = Space("long_term", "1", 2, "dot")
    items = Vectors(
        space, np.array([[3, 0], [0, 2], [1, 1], [2, 0], [9, 9], [0, 0]], np.float32), np.arange(6) != 5
    )
    people = Vectors(space, np.array([[1, 0], [0, 0]], np.float32), np.array([True, False]))
    return replace(release, long_term=LongTermHoldings(people, ExactIndex(items), made_at))


def test_the_trained_vector_finds_by_dot_product_within_what_is_allowed(small):
    source = nearest.long_term(with_long_term(small, small.as_of))
    found = source.find(asked(small, user_row=0, user_vectors=one(small, [0.0, 1.0])), 3, np.arange(6) != 4)
    assert found.source == "long_term"
    assert found.rows.tolist() == [0, 3, 2]
    assert found.scores.tolist() == [3, 2, 1]
    assert found.evidence.tolist() == [-1, -1, -1]


@pytest.mark.parametrize(
    "who",
    [
        {"user_row": -1},  # nobody known
        {"user_row": 1},  # nothing was known of them
        {"user_row": 2},  # came after the build
        {"user_row": 0, "refused": np.zeros(6, dtype=bool)},
    ],
)
def test_the_decayed_mean_stands_in_for_who_has_no_trained_vector_that_may_be_read(small, who):
    source = nearest.long_term(with_long_term(small, small.as_of))
    mean = one(small, [0.6, 0.8])
    expected = nearest.long_term(small).find(asked(small, user_vectors=mean), 3, ALL)
    assert source.find(asked(small, user_vectors=mean, **who), 3, ALL).rows.tolist() == expected.rows.tolist()
    assert len(source.find(asked(small, **who), 3, ALL).rows) == 0


def test_a_trained_vector_made_later_than_asked_for_is_not_read(small):
    later = nearest.long_term(with_long_term(small, small.as_of + 1))
    assert len(later.find(asked(small, user_row=0), 3, ALL).rows) == 0


def test_a_vector_trained_on_bare_ids_is_not_searched_with(small):
    bare = replace(with_long_term(small, small.as_of), indexes={}, vectors={})
    assert isinstance(nearest.long_term(bare), nearest.Silent)
