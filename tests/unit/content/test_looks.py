"""Scoring products for scenes: pooling, companions, saving."""

import numpy as np
import pytest

from bowerbird.content.looks import Companions, LooksModel, frozen_looks, pooled, standardised
from bowerbird.errors import InputError
from bowerbird.records.signal import Space

SPACE = Space("image", "1", 8)


def drawn(rows: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(rows, 8)).astype(np.float32)


def test_the_best_region_decides_as_the_temperature_falls():
    regions, products = np.array([[1, 0], [0, 1]], np.float32), np.array([[0, 1]], np.float32)
    assert pooled(regions, np.array([0, 2]), products, 1e-3)[0, 0] == pytest.approx(1.0, abs=1e-3)


def test_the_order_of_regions_changes_nothing():
    regions, products = drawn(6, 0), drawn(3, 1)
    bounds = np.array([0, 6])
    assert pooled(regions, bounds, products) == pytest.approx(
        pooled(regions[::-1], bounds, products), abs=1e-5
    )


def test_a_scene_without_regions_scores_nothing():
    assert pooled(drawn(2, 0), np.array([0, 2, 2]), drawn(3, 1))[1].tolist() == [0, 0, 0]


def test_frozen_axes_undo_a_shift_between_the_sides():
    products = drawn(40, 2)
    products /= np.linalg.norm(products, axis=1, keepdims=True)
    regions = products + np.float32(3.0)
    model = frozen_looks(SPACE, regions, products)
    scores = model.scores(regions, np.arange(41), products)
    assert (scores.argmax(axis=1) == np.arange(40)).mean() > 0.9


def test_what_is_used_together_rises_and_what_is_alone_does_not():
    companions = Companions.of([np.array([0, 1]), np.array([0, 1]), np.array([2, 3])], 5)
    assert companions.together[0, 1] == pytest.approx(2 / np.log2(4) / np.sqrt(2 * 2))
    assert companions.together.diagonal().tolist() == [0] * 5
    before = np.array([[5.0, 0.1, 0.2, 0.15, 0.12]], np.float32)
    after = companions.added(before)[0]
    assert after.argsort()[::-1][:2].tolist() == [0, 1]


def test_the_best_companion_is_named_and_nobody_where_there_is_none():
    companions = Companions.of([np.array([0, 1]), np.array([1, 2])], 4)
    because = companions.because(np.array([[5.0, 0.0, 0.1, 0.0]], np.float32))[0]
    assert because.tolist() == [1, 0, 1, -1]


def test_without_known_scenes_the_order_stays():
    scores = drawn(2, 3)
    added = Companions.of([], 8).added(scores)
    assert added.argsort().tolist() == standardised(scores).argsort().tolist()


def test_a_saved_model_gives_equal_scores(tmp_path):
    regions, products = drawn(20, 4), drawn(10, 5)
    model = frozen_looks(SPACE, regions, products)
    model.save(tmp_path / "looks.safetensors")
    again = LooksModel.load(tmp_path / "looks.safetensors")
    bounds = np.array([0, 20])
    assert again.space == SPACE
    assert (again.scores(regions, bounds, products) == model.scores(regions, bounds, products)).all()
    with pytest.raises(InputError, match="not a saved looks model"):
        LooksModel.load(tmp_path / "other")
