"""Learning looks recovers a planted map and holds still without a reason to move."""

import numpy as np
import pytest

pytest.importorskip("torch")

from bowerbird.content.looks import frozen_looks
from bowerbird.errors import InputError
from bowerbird.records.signal import Space
from bowerbird.training.looks import LooksSettings, ScenePairs, trained_looks

DIM = 16


@pytest.fixture(scope="module")
def world():
    """Scenes of two products; a region is its product seen through a fixed distortion."""
    draws = np.random.default_rng(0)
    products = draws.normal(size=(60, DIM)).astype(np.float32)
    distortion = draws.normal(size=(DIM, DIM)).astype(np.float32) / 4
    within = [np.sort(draws.choice(60, 2, replace=False)) for _ in range(80)]
    regions = np.concatenate([products[one] + products[one] @ distortion * 2 for one in within])
    return ScenePairs(regions.astype(np.float32), np.arange(0, 161, 2), products, within)


def recall(model, world, scenes):
    hits = []
    for scene in scenes:
        part = world.regions[world.bounds[scene] : world.bounds[scene + 1]]
        scores = model.scores(part, np.array([0, 2]), world.products)[0]
        hits.append(np.isin(np.argsort(-scores)[:2], world.within[scene]).mean())
    return np.mean(hits)


def test_training_finds_products_of_scenes_it_never_saw(world):
    train, test = np.arange(60), range(60, 80)
    frozen = frozen_looks(Space("image", "1", DIM), world.regions[:120], world.products)
    settings = LooksSettings(steps=150, rate=1e-2, penalty=1e-4)
    trained = trained_looks(frozen, world, train, settings)
    assert recall(trained, world, test) > recall(frozen, world, test) + 0.1
    again = trained_looks(frozen, world, train, settings)
    assert (again.region.turn == trained.region.turn).all()


def test_no_steps_change_nothing(world):
    frozen = frozen_looks(Space("image", "1", DIM), world.regions, world.products)
    same = trained_looks(frozen, world, np.arange(5), LooksSettings(steps=0))
    assert np.allclose(same.region.turn, frozen.region.turn)


def test_scenes_without_products_are_refused(world):
    empty = ScenePairs(world.regions, world.bounds, world.products, [np.empty(0, np.int64)] * 80)
    frozen = frozen_looks(Space("image", "1", DIM), world.regions, world.products)
    with pytest.raises(InputError, match="none of 3 scenes has a product"):
        trained_looks(frozen, empty, np.arange(3))
