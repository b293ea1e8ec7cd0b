"""The exported trees decide exactly as LightGBM does."""

from __future__ import annotations

import lightgbm
import numpy as np
import pytest

from bowerbird.errors import InputError
from bowerbird.ranking.trees import one_thread_session
from bowerbird.training.tree_graph import floor32, tree_graph


def _booster(features: np.ndarray, target: np.ndarray, **extra: object) -> lightgbm.Booster:
    settings = {
        "objective": "binary",
        "num_leaves": 15,
        "min_data_in_leaf": 5,
        "verbosity": -1,
        "num_threads": 1,
    }
    return lightgbm.train({**settings, **extra}, lightgbm.Dataset(features, target), num_boost_round=20)


def _data(rng: np.random.Generator, missing: float) -> tuple[np.ndarray, np.ndarray]:
    features = rng.normal(size=(600, 4)).astype(np.float32)
    features[:, 1] = np.round(features[:, 1], 1)  # many values exactly on thresholds
    features[rng.random(features.shape) < missing] = np.nan
    target = (np.nan_to_num(features[:, 0]) + np.nan_to_num(features[:, 1]) > 0).astype(int)
    return features, target


@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_the_graph_gives_lightgbms_raw_scores(missing: float) -> None:
    features, target = _data(np.random.default_rng(3), missing)
    boosters = [_booster(features, target), _booster(features, 1 - target, num_leaves=4)]
    (logits,) = one_thread_session(tree_graph(boosters, 4)).run(None, {"features": features})
    expected = np.stack([booster.predict(features, raw_score=True) for booster in boosters], axis=1)
    np.testing.assert_allclose(logits, expected, atol=2e-6)


def test_a_missing_value_never_seen_in_training_is_read_as_lightgbm_reads_it() -> None:
    features, target = _data(np.random.default_rng(4), missing=0.0)
    booster = _booster(features, target)
    features[::3, 1] = np.nan
    (logits,) = one_thread_session(tree_graph([booster], 4)).run(None, {"features": features})
    np.testing.assert_allclose(logits[:, 0], booster.predict(features, raw_score=True), atol=2e-6)


def test_floor32_is_the_largest_single_not_above() -> None:
    for value in (0.1, -0.1, 1e-12, 123456789.123, 0.5, -3.0):
        low = floor32(value)
        assert low <= value
        assert float(np.nextafter(np.float32(low), np.float32(np.inf))) > value


def test_a_categorical_split_is_refused() -> None:
    rng = np.random.default_rng(5)
    features = rng.integers(0, 6, size=(500, 1)).astype(np.float64)
    target = np.isin(features[:, 0], (1, 3)).astype(int)
    data = lightgbm.Dataset(features, target, categorical_feature=[0])
    settings = {"objective": "binary", "verbosity": -1, "min_data_in_leaf": 5, "min_data_per_group": 5}
    booster = lightgbm.train(settings, data, num_boost_round=2)
    with pytest.raises(InputError, match="is not numeric"):
        tree_graph([booster], 1)
