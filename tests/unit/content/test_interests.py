"""Interests of items: from their category, else from their neighbours."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bowerbird.content.interests import ItemInterests, ItemInterestSettings, item_interests
from bowerbird.content.taxonomy import Taxonomy
from bowerbird.errors import InputError
from bowerbird.randomness import generator
from bowerbird.records import Space, Vectors

SPACE = Space("item", "1", 2)


def vectors(rows: list[list[float]]) -> Vectors:
    matrix = np.array(rows, np.float32).reshape(-1, 2)
    return Vectors(SPACE, matrix, (matrix != 0).any(axis=1))


def test_a_category_labels_the_leaf_and_all_above_it():
    labels = item_interests(["a/b", None, "a"])
    assert labels.of_item(0) == (("a/b", 1.0), ("a", 1.0))
    assert labels.of_item(1) == ()
    assert labels.of_item(2) == (("a", 1.0),)
    assert labels.coverage == 2 / 3
    assert labels.offsets.tolist() == [0, 2, 2, 3]
    assert labels.matrix().toarray().tolist() == [[1, 1], [0, 0], [1, 0]]


def test_an_item_is_about_all_of_its_categories_and_votes_for_each():
    nearby = vectors([[1, 0], [0, 1], [1, 0.1]])
    labels = item_interests([("a/b", "a/c", "a/b"), "d", None], vectors=nearby)
    assert labels.of_item(0) == (("a/b", 1.0), ("a/c", 1.0), ("a", 1.0))
    found = dict(labels.of_item(2))
    assert found["a/b"] == found["a/c"] == found["a"] == pytest.approx(1.0, abs=0.01)
    assert labels.inferred.tolist() == [False] * 4 + [True] * 3


def test_neighbours_vote_for_an_item_without_category():
    nearby = vectors([[1, 0], [1, 0.1], [0, 1], [1, 0.05], [0, 0]])
    settings = ItemInterestSettings(neighbours=2)
    labels = item_interests(["a/b", "a/c", "d", None, None], vectors=nearby, settings=settings)
    found = dict(labels.of_item(3))
    assert found["a"] == pytest.approx(1.0)
    assert found["a/b"] + found["a/c"] == pytest.approx(1.0)
    assert "d" not in found
    assert labels.of_item(4) == ()  # no vector, no label
    assert labels.inferred_share == 1 / 5
    assert labels.coverage == 4 / 5


def test_a_share_below_the_least_is_no_label():
    nearby = vectors([[1, 0], [1, 0], [1, 0], [0.999, 0.04], [1, 0]])
    settings = ItemInterestSettings(neighbours=4, least_share=0.3, sharpness=1.0)
    found = dict(item_interests(["a", "a", "a", "d", None], vectors=nearby, settings=settings).of_item(4))
    assert set(found) == {"a"}  # d has about 1/4 of the votes


def test_without_anybody_to_ask_items_stay_without_label():
    assert item_interests([None, None], vectors=vectors([[1, 0], [0, 1]])).coverage == 0
    assert item_interests([]).coverage == 0
    assert item_interests([]).inferred_share == 0


@given(st.lists(st.sampled_from(["a/b", "a/c", "d/e/f", None]), min_size=1, max_size=25), st.integers(0, 99))
def test_a_parent_scores_at_least_its_child_and_tables_keep_everything(
    categories: list[str | None], seed: int
):
    matrix = generator(seed, "test").standard_normal((len(categories), 2)).astype(np.float32)
    labels = item_interests(categories, vectors=Vectors.full(SPACE, matrix))
    dense = labels.matrix().toarray()
    for node, parent in enumerate(labels.taxonomy.parents.tolist()):
        if parent >= 0:
            assert (dense[:, parent] >= dense[:, node] - 1e-6).all()
    again = ItemInterests.from_table(labels.to_table())
    assert again.taxonomy == labels.taxonomy
    assert again.items == labels.items
    for name in ("rows", "nodes", "scores", "inferred"):
        assert getattr(again, name).tobytes() == getattr(labels, name).tobytes()


def test_hidden_categories_are_found_again_in_clustered_vectors():
    rng = generator(3, "clusters")
    topic = rng.integers(0, 5, 400)
    matrix = (rng.standard_normal((5, 16))[topic] + 0.5 * rng.standard_normal((400, 16))).astype(np.float32)
    hidden = rng.random(400) < 0.3
    categories = [None if gone else f"top/{number}" for gone, number in zip(hidden, topic, strict=True)]
    labels = item_interests(categories, vectors=Vectors.full(Space("item", "1", 16), matrix))
    right = [
        dict(labels.of_item(row)).get(f"top/{topic[row]}", 0) > 0.5 for row in np.flatnonzero(hidden).tolist()
    ]
    assert np.mean(right) > 0.95
    assert labels.coverage == 1.0


def test_arrays_that_do_not_fit_are_refused():
    tree, one = Taxonomy.from_paths(["a"]), np.zeros(1, np.int32)
    score, flag = np.ones(1, np.float32), np.zeros(1, bool)
    with pytest.raises(InputError, match="2 vectors for 1 items"):
        item_interests(["a"], vectors=vectors([[1, 0], [0, 1]]))
    with pytest.raises(InputError, match="not sorted by item and node"):
        ItemInterests(
            tree, 1, np.zeros(2, np.int32), np.zeros(2, np.int32), np.ones(2, np.float32), np.zeros(2, bool)
        )
    with pytest.raises(InputError, match=r"item rows 3\.\.3, expected 0\.\.0"):
        ItemInterests(tree, 1, one + np.int32(3), one, score, flag)
    with pytest.raises(InputError, match=r"node 2, expected 0\.\.0"):
        ItemInterests(tree, 1, one, one + np.int32(2), score, flag)
    with pytest.raises(InputError, match="metadata 'taxonomy' and 'items' are missing"):
        ItemInterests.from_table(pa.table({"item_row": [0]}))
