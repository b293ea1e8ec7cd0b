"""A picture lands where the names of what is seen in it are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bowerbird.content.conse import TOP, ConSE, class_vectors
from bowerbird.content.imagenet_classes import imagenet_classes
from bowerbird.errors import InputError, SpaceMismatchError
from bowerbird.records.signal import Space, Vectors

IMAGE, TEXT = Space("image", "toy", 4), Space("text", "toy", 100)


def bridge() -> ConSE:
    draw = np.random.default_rng(0)
    classes = draw.normal(size=(300, 100)).astype(np.float32) + 1
    return ConSE(IMAGE, TEXT, classes / np.linalg.norm(classes, axis=1, keepdims=True))


def here(rows: int) -> Vectors:
    return Vectors.full(IMAGE, np.ones((rows, 4), np.float32))


def test_a_sure_picture_is_nearest_to_its_class() -> None:
    one = bridge()
    logits = np.zeros((300, 300), np.float32)
    np.fill_diagonal(logits, 20.0)
    found = one.project(logits, here(300))
    assert found.space == TEXT
    np.testing.assert_array_equal((found.matrix @ one.classes.T).argmax(axis=1), np.arange(300))


def test_only_the_strongest_classes_are_mixed() -> None:
    one, logits = bridge(), np.zeros((1, 300), np.float32)
    logits[0, : TOP + 10] = np.linspace(3, 1, TOP + 10)
    weaker = logits.copy()
    weaker[0, TOP + 2 :] = 0.5
    np.testing.assert_allclose(
        one.project(logits, here(1)).matrix, one.project(weaker, here(1)).matrix, atol=1e-6
    )


def test_a_missing_picture_stays_missing_and_other_encoders_are_refused(tmp_path: Path) -> None:
    one = bridge()
    absent = Vectors(IMAGE, np.zeros((1, 4), np.float32), np.zeros(1, bool))
    assert not one.project(np.ones((1, 300), np.float32), absent).matrix.any()
    others = Vectors.full(Space("image", "other", 4), np.ones((1, 4), np.float32))
    with pytest.raises(SpaceMismatchError, match="ConSE"):
        one.project(np.ones((1, 300), np.float32), others)
    with pytest.raises(InputError, match=r"logits of shape \(1, 7\), expected \(1, 300\)"):
        one.project(np.ones((1, 7), np.float32), here(1))
    one.save(tmp_path / "conse.safetensors")
    np.testing.assert_array_equal(ConSE.load(tmp_path / "conse.safetensors").classes, one.classes)
    (tmp_path / "conse.safetensors").write_bytes(b"no")
    with pytest.raises(InputError, match="not a saved bridge"):
        ConSE.load(tmp_path / "conse.safetensors")


def test_every_class_has_a_vector_of_unit_length() -> None:
    class Words:
        space = TEXT
        modality = "text"

        def encode(self, raw: list[str]) -> Vectors:
            lengths = np.array([[len(text)] for text in raw], dtype=np.float32)
            return Vectors.full(TEXT, np.repeat(lengths, 100, axis=1))

        def encode_chunks(self, raw):
            raise AssertionError

    found = class_vectors(Words())
    assert len(found) == len(imagenet_classes()) == 1000
    np.testing.assert_allclose(np.linalg.norm(found.matrix, axis=1), 1, atol=1e-5)
