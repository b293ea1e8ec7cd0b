"""Heads learn columns together, and their confidence means what it says on fresh items."""

import numpy as np
import pytest

pytest.importorskip("torch")

from bowerbird.content.attributes import AttributeSettings
from bowerbird.errors import InputError
from bowerbird.metrics.classification import top_label_ece
from bowerbird.training.attribute_heads import AttributeTraining, HeadSettings, trained_heads
from bowerbird.training.logistic import fitted_logistic, softmax

QUICK = HeadSettings(members=1, hidden=32, epochs=8, batch=64)


def world(count: int, seed: int) -> AttributeTraining:
    """Two noisy columns that depend on the features; a fifth of the cells is empty."""
    draws = np.random.default_rng(seed)
    features = draws.normal(size=(count, 12)).astype(np.float32)
    first = (features[:, 0] + draws.normal(size=count) > 0).astype(np.int64)
    second = np.digitize(features[:, 1] + draws.normal(size=count) * 0.5, [-1.0, 1.5])
    codes = np.stack([first, second]).astype(np.int64)
    codes[draws.random(codes.shape) < 0.2] = -1
    return AttributeTraining(features, ("first", "second"), (("no", "yes"), ("a", "b", "c")), codes)


@pytest.fixture(scope="module")
def heads():
    return trained_heads(world(2400, 0), np.arange(1800), np.arange(1800, 2400), QUICK)


def test_confidence_is_the_accuracy_on_fresh_items(heads):
    fresh = world(3000, 1)
    for at, found in enumerate(heads.predictions(fresh.features)):
        known = fresh.codes[at] >= 0
        right = found.code[known] == fresh.codes[at][known]
        assert right.mean() > 0.7
        assert top_label_ece(right, found.confidence[known]) < 0.05


def test_probabilities_sum_to_one_and_the_unsure_abstain(heads):
    for found in heads.predictions(world(300, 2).features):
        assert found.probability.sum(axis=1) == pytest.approx(np.ones(300), abs=1e-5)
        assert (found.abstained == (found.confidence < 0.5)).all()


def test_the_order_of_items_and_blocks_change_nothing(heads):
    features = world(1500, 3).features
    turned = heads.predictions(features[::-1])
    for one, other in zip(heads.predictions(features), turned, strict=True):
        assert one.probability == pytest.approx(other.probability[::-1], abs=1e-5)


def test_evidence_has_the_predicted_class(heads):
    features = world(20, 4).features
    code = heads.predictions(features)[0].code
    rows, near = heads.evidence(features, 0, code, k=2)
    assert (heads.voters.codes[0][rows] == code[:, None]).all()
    assert (near[:, 0] >= near[:, 1]).all()


def test_a_seed_decides(heads):
    again = trained_heads(world(2400, 0), np.arange(1800), np.arange(1800, 2400), QUICK)
    assert (again.members[0].hidden == heads.members[0].hidden).all()


def test_a_column_without_labels_and_one_class_are_carried_along():
    data = world(60, 5)
    codes = np.vstack([np.full(60, -1), np.zeros(60, np.int64)])
    parts = np.arange(40), np.arange(40, 60)
    nothing = AttributeTraining(data.features, ("empty",), (("x", "y"),), codes[:1])
    with pytest.raises(InputError, match="no label among 40 training items"):
        trained_heads(nothing, *parts, QUICK)
    both = AttributeTraining(data.features, ("empty", "same"), (("x", "y"), ("only",)), codes)
    _, same = trained_heads(both, *parts, QUICK).predictions(data.features[:3])
    assert same.code.tolist() == [0, 0, 0]
    assert same.confidence == pytest.approx([1, 1, 1])
    assert AttributeSettings().least_confidence == 0.5


def test_logistic_regression_meets_its_first_order_condition():
    draws = np.random.default_rng(0)
    x = draws.normal(size=(200, 3)).astype(np.float32)
    y = draws.integers(0, 3, 200)
    model = fitted_logistic(x, y, 3, penalty=0.1, iterations=300)
    error = softmax(model.logits(x)) - np.eye(3)[y]
    assert np.abs(x.T @ error / 200 + 0.1 * model.weights).max() < 1e-3
    assert np.abs(error.mean(axis=0)).max() < 1e-3
    with pytest.raises(InputError, match=r"codes 0..2; expected examples of classes 0..1"):
        fitted_logistic(x, y, 2)
