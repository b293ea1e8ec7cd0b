from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from scipy import sparse

from bowerbird.errors import InputError
from bowerbird.randomness import generator
from bowerbird.recommenders import blend as blending
from bowerbird.recommenders.blend import Blend
from bowerbird.recommenders.blend_weights import JudgedUsers, best_weights
from bowerbird.recommenders.ease import Ease
from bowerbird.recommenders.graph_filter import GraphFilter, GraphFilterSettings, leading_vectors
from bowerbird.recommenders.interactions import Interactions
from bowerbird.recommenders.random_walk import RandomWalk, RandomWalkSettings
from bowerbird.recommenders.recommender import Histories
from bowerbird.recommenders.user_knn import UserKnn, UserKnnSettings


def tastes(people: int = 60, items: int = 30, each: int = 8, seed: int = 3) -> Interactions:
    """Two groups of people with an own half of the catalogue each; one person in ten strays into the other."""
    draw = generator(seed, "tastes")
    half = items // 2
    rows = [("everything", item) for item in range(items)]  # item rows in order of the ids
    for person in range(people):
        own = person % 2 * half
        chosen = {int(own + draw.integers(half)) for _ in range(each)}
        if draw.random() < 0.1:
            chosen.add(int((half - own) + draw.integers(half)))
        rows += [(f"u{person}", item) for item in sorted(chosen)]
    return Interactions.from_table(
        pa.table({"user_id": [user for user, _ in rows], "item_id": [item for _, item in rows]})
    )


TRAIN = tastes()


def one(train: Interactions, *items: int) -> Histories:
    return Histories(np.zeros(len(items), np.int32), np.array(items, dtype=np.int32), 1, train.items_total)


def test_the_graph_filter_equals_its_formula():
    matrix = TRAIN.matrix().toarray().astype(np.float64)
    normalised = matrix / np.sqrt(matrix.sum(1, keepdims=True)) / np.sqrt(matrix.sum(0, keepdims=True))
    _, _, right = np.linalg.svd(normalised)
    basis = right[:6].T
    root = np.sqrt(matrix.sum(0))
    history = np.zeros(TRAIN.items_total)
    history[[1, 4]] = 1.0
    expected = history @ normalised.T @ normalised
    expected += 0.5 * (history / root) @ basis @ basis.T * root
    fitted = GraphFilter(GraphFilterSettings(dim=6, ideal_weight=0.5)).fit(TRAIN, 0)
    assert fitted.scores(one(TRAIN, 1, 4))[0] == pytest.approx(expected, abs=2e-2)


def test_leading_vectors_span_what_a_full_decomposition_finds():
    matrix = sparse.csr_array(generator(0, "matrix").random((40, 25)).astype(np.float32))
    found = leading_vectors(matrix, 1, seed=5)
    _, _, right = np.linalg.svd(matrix.toarray())
    assert abs(found[:, 0] @ right[0]) == pytest.approx(1.0, abs=1e-4)


def test_the_random_walk_equals_a_loop():
    fitted = RandomWalk(RandomWalkSettings(alpha=0.7, beta=0.4)).fit(TRAIN, 0)
    matrix = TRAIN.matrix().toarray()
    people, items = matrix.sum(1), matrix.sum(0)
    found = fitted.scores(one(TRAIN, 2))[0]
    for j in (0, 2, 9, 20):
        walks = [
            (1 / items[2]) ** 0.7 * (1 / people[u]) ** 0.7
            for u in range(people.size)
            if matrix[u, 2] * matrix[u, j]
        ]
        assert found[j] == pytest.approx((j != 2) * sum(walks) / items[j] ** 0.4, rel=1e-4)


def test_userknn_adds_up_the_nearest_people():
    train = Interactions.from_table(
        pa.table({"user_id": ["a", "a", "b", "b", "c"], "item_id": [0, 1, 0, 2, 3]})
    )
    found = UserKnn(UserKnnSettings(neighbours=2, shrink=0.0)).fit(train, 0).scores(one(train, 0))[0]
    near = 1 / np.sqrt(1 * 2)  # a and b share item 0 and have two items each
    assert found == pytest.approx([2 * near, near, near, 0.0])


def test_weights_leave_out_a_part_that_says_nothing():
    held = generator(1, "held").random(len(TRAIN)) < 0.2
    judged = JudgedUsers.of(TRAIN.where(~held), TRAIN.where(held), 100, seed=0)
    truth = judged.relevant.toarray().astype(np.float32)
    noise = generator(2, "noise").standard_normal(truth.shape).astype(np.float32)
    weights = best_weights({"noise": noise, "truth": truth}, judged)
    assert weights == {"noise": 0.0, "truth": 1.0}


def test_judged_people_have_a_history_and_something_new_to_find():
    train = Interactions.from_table(
        pa.table({"user_id": ["a", "a", "a", "b", "c"], "item_id": [0, 1, 0, 2, 3]})
    )
    held = np.array([False, True, True, True, False])
    judged = JudgedUsers.of(train.where(~held), train.where(held), 100, seed=0)
    assert len(judged) == 1
    assert judged.relevant.toarray().tolist() == [[0, 1, 0, 0]]
    assert judged.histories.items.tolist() == [0]


def test_the_blend_finds_a_persons_half_of_the_catalogue_and_says_what_it_chose():
    fitted = Blend().fit(TRAIN, seed=0)
    scores = fitted.scores(one(TRAIN, 0, 1, 2))[0]
    assert scores[3:15].min() > scores[15:].max()
    assert sum(fitted.weights.values()) == pytest.approx(1.0)
    assert set(fitted.chosen) == {name for name, weight in fitted.weights.items() if weight > 0}


def test_the_blend_of_a_tiny_set_uses_defaults_and_equal_weights():
    train = Interactions.from_table(pa.table({"user_id": ["a", "a", "b"], "item_id": [0, 1, 1]}))
    fitted = Blend().fit(train, seed=0)
    assert set(fitted.weights.values()) == {0.2}
    assert np.isfinite(fitted.scores(one(train, 0))).all()


def test_the_blend_leaves_ease_out_of_a_large_catalogue_and_says_so(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(blending, "EASE_ITEMS", 10)
    fitted = Blend().fit(TRAIN, seed=0)
    assert "ease" not in fitted.weights
    assert "30 items" in fitted.chosen["left_out"]["ease"]


def test_ease_without_memory_is_told():
    with pytest.raises(InputError, match="leave ease out"):
        Ease(available=lambda: 10).fit(TRAIN, 0)
