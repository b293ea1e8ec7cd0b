from __future__ import annotations

import numpy as np
import pytest

from bowerbird.content.graph import WalkNeighbours, WalkSettings, propagated, walk_neighbours
from bowerbird.errors import InputError
from bowerbird.randomness import generator

DIRECT = WalkSettings(walks=4000, steps=1, popularity_damping=0.0, neighbours=3)


def test_visit_shares_are_the_probabilities_of_the_walk():
    # item 0 is in collections 0 {0, 1} and 1 {0, 1, 2}: one step reaches 1 with 1/2 (1/2 + 1/3), 2 with 1/6
    owners, items = np.array([0, 0, 1, 1, 1]), np.array([0, 1, 0, 1, 2])
    found = walk_neighbours(owners, items, items_total=4, seed=1, settings=DIRECT)
    assert found.rows[0].tolist() == [1, 2, -1]
    assert found.weights[0] == pytest.approx([(5 / 12) / (7 / 12), (2 / 12) / (7 / 12), 0.0], abs=0.03)
    assert found.rows[3].tolist() == [-1, -1, -1]  # nobody keeps it


def test_popularity_is_damped():
    # item 2 is in every collection, item 1 only where item 0 is: both are met equally often from 0
    owners = np.array([0, 0, 0, 1, 2, 3, 4, 5])
    items = np.array([0, 1, 2, 2, 2, 2, 2, 2])
    damped = DIRECT.model_copy(update={"popularity_damping": 1.0})
    found = walk_neighbours(owners, items, items_total=3, seed=1, settings=damped)
    assert found.rows[0].tolist() == [1, 2, -1]
    assert found.weights[0, 0] == pytest.approx(6 / 7, abs=0.03)


def test_a_collection_of_everything_says_little():
    owners = np.concatenate([np.zeros(400, int), [1, 1]])
    items = np.concatenate([np.arange(400), [5, 6]])
    pruned = WalkSettings(walks=100, steps=1, hub_items=10)
    found = walk_neighbours(owners, items, items_total=400, seed=1, settings=pruned)
    assert found.rows[5, 0] == 6
    assert (found.rows[:, 0] >= 0).sum() <= 12


def test_the_seed_decides_and_blocks_change_only_the_draws(monkeypatch: pytest.MonkeyPatch):
    random = generator(0, "edges")
    owners, items = random.integers(20, size=200), random.integers(30, size=200)
    once = walk_neighbours(owners, items, items_total=30, seed=3)
    again = walk_neighbours(owners, items, items_total=30, seed=3)
    assert (once.rows == again.rows).all()
    assert (once.rows != walk_neighbours(owners, items, items_total=30, seed=4).rows).any()
    monkeypatch.setattr("bowerbird.content.graph.BLOCK_STEPS", 5 * 600)
    blocks = walk_neighbours(owners, items, items_total=30, seed=3)
    assert np.abs(blocks.matrix().toarray() - once.matrix().toarray()).max() < 0.1


def test_no_edges_no_neighbours():
    none = np.empty(0, dtype=np.int64)
    assert (walk_neighbours(none, none, items_total=3, seed=0).rows == -1).all()


def test_new_items_get_the_neighbours_of_what_they_resemble():
    known = WalkNeighbours(
        np.array([[1], [0], [-1]], dtype=np.int32), np.array([[1.0], [1.0], [0.0]], dtype=np.float32)
    )
    found = propagated(np.array([[0, 2]]), np.array([[0.6, 0.2]], dtype=np.float32), known, 3)
    # 0 resembles it by .6 and leads to 1 by .6; 2 by .2 and leads nowhere
    assert found.rows[0].tolist() == [0, 1, 2]
    assert found.weights[0] == pytest.approx(np.array([0.6, 0.6, 0.2]) / 1.4)


def test_rows_outside_the_catalogue_are_refused():
    with pytest.raises(InputError, match=r"item rows 0\.\.7; expected rows in 0\.\.2"):
        walk_neighbours(np.array([0, 0]), np.array([0, 7]), items_total=3, seed=0)
