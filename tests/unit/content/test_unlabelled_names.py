"""Labels are told apart without one labelled picture."""

from __future__ import annotations

import numpy as np
import pytest

from bowerbird.content.imagenet_classes import imagenet_classes
from bowerbird.content.text_encoder import TextEncoder
from bowerbird.content.unlabelled_names import as_neighbours_say, label_shares


def test_a_label_is_spread_over_classes_that_are_called_alike() -> None:
    shares = label_shares(TextEncoder(), ["t-shirt", "shoes"])
    assert shares.sum(axis=0) == pytest.approx(np.ones(2), abs=1e-4)
    named = [one.names for one in imagenet_classes()]
    jersey = next(row for row, names in enumerate(named) if "T-shirt" in names)
    assert shares[jersey].argmax() == 0
    assert jersey in np.argsort(-shares[:, 0])[:3]


@pytest.fixture
def kinds() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The kind of 240 pictures, their vectors near that of their kind, and scores of which a quarter are wrong."""
    draw = np.random.default_rng(3)
    kind = draw.integers(3, size=240)
    vectors = np.eye(3, 16)[kind] + draw.normal(0, 0.1, size=(240, 16)) + 1
    said = np.where(draw.random(240) < 0.25, draw.integers(3, size=240), kind)
    scores = np.full((240, 3), 0.2) + 0.4 * np.eye(3)[said]
    return kind, vectors.astype(np.float32), scores.astype(np.float32)


def test_pictures_that_look_alike_put_each_other_right(kinds: tuple) -> None:
    kind, vectors, scores = kinds
    before = (scores.argmax(axis=1) == kind).mean()
    said = as_neighbours_say(scores, vectors, np.arange(200))
    assert said.sum(axis=1) == pytest.approx(np.ones(240), abs=1e-5)
    assert before < 0.9
    assert (said.argmax(axis=1) == kind)[200:].all()  # pictures that nobody may ask


def test_what_a_picture_shows_does_not_depend_on_what_else_is_asked(kinds: tuple) -> None:
    _, vectors, scores = kinds
    said = as_neighbours_say(scores, vectors, np.arange(200))
    fewer = np.r_[np.arange(200), 230]
    again = as_neighbours_say(scores[fewer], vectors[fewer], np.arange(200))
    np.testing.assert_allclose(again, said[fewer], atol=1e-6)


def test_a_catalogue_with_few_pictures_a_label_is_not_asked(kinds: tuple) -> None:
    _, vectors, scores = kinds
    said = as_neighbours_say(scores[:11], vectors[:11], np.arange(11))
    np.testing.assert_allclose(said, scores[:11], atol=1e-6)
    assert as_neighbours_say(scores[:2], vectors[:2], np.arange(0)).shape == (2, 3)
