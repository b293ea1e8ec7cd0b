"""Pairs of items that people keep together, and look-alikes that they do not."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from bowerbird.content.neighbour_pairs import MOST_PAIRS, Neighbours, look_alikes, neighbour_pairs


def two_tastes(people: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """People keep five of items 0..9, or five of items 10..19; nobody keeps item 20."""
    draw = np.random.default_rng(0)
    owners = np.repeat(np.arange(people), 5)
    items = np.concatenate([draw.choice(10, 5, replace=False) + 10 * (who % 2) for who in range(people)])
    return owners, items


def test_pairs_stay_within_a_taste_and_an_item_nobody_keeps_is_in_none():
    found = neighbour_pairs(*two_tastes(), items_total=21, seed=0)
    left, right = found.pairs.T
    assert (left // 10 == right // 10).all()
    assert (left != right).all()
    assert 15 < len(set(left.tolist())) <= 20
    assert not (found.pairs == 20).any()
    assert len(found) == 40 < MOST_PAIRS


def test_what_is_kept_together_is_no_negative():
    found = neighbour_pairs(*two_tastes(), items_total=21, seed=0)
    kept = found.together(np.array([3, 20]), np.array([3, 4, 15, 20]))
    assert kept.tolist() == [[True, True, False, False], [False, False, False, True]]


def test_popularity_is_the_share_of_pairs_an_item_ends():
    found = Neighbours(np.array([[0, 1], [2, 1], [1, 0]]))
    np.testing.assert_allclose(np.exp(found.popularity(3)), [1 / 3, 2 / 3, 1 / 3], rtol=1e-6)


def test_the_seed_decides_and_nothing_kept_gives_nothing():
    one, again, other = (
        neighbour_pairs(*two_tastes(), items_total=21, seed=seed).pairs for seed in (1, 1, 2)
    )
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
    nothing = np.zeros(0, dtype=np.int64)
    assert len(neighbour_pairs(nothing, nothing, items_total=3, seed=0)) == 0


def test_look_alikes_are_neither_kept_together_nor_copies_nor_unknown():
    vectors = np.array([[1, 0], [0.99, 0.14], [0.98, 0.2], [0.97, 0.24], [0, 0]], dtype=np.float32)
    kept = sparse.csr_array(([True], ([0], [1])), shape=(5, 5))
    copy_of = np.array([0, 1, 0, 3, 4])
    found = look_alikes(vectors, Neighbours(np.zeros((0, 2), np.int64), kept, copy_of))
    assert set(found[0].tolist()) == {3, -1}  # 1 is kept with it, 2 is its copy, 4 is not known
    assert set(found[1].tolist()) == {0, 2, 3, -1}
    assert set(found[4].tolist()) == {-1}
