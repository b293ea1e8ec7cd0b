from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bowerbird.arrays import normalise
from bowerbird.content.fusion import HALF_DIM, Fusion, fitted_fusion, fitted_projection
from bowerbird.errors import InputError, SpaceMismatchError
from bowerbird.randomness import generator
from bowerbird.records.signal import Space, Vectors

IMAGE = Space("image", "test.1", 20)
TEXT = Space("text", "test.1", 160)


def some(space: Space, rows: int, seed: int = 1) -> Vectors:
    values = generator(seed, space.name).normal(size=(rows, space.dim)) + 1.0
    return Vectors.full(space, normalise(values))


def test_the_cosine_of_two_items_is_the_weighted_mean_of_both_modalities() -> None:
    image, text = some(IMAGE, 30), some(TEXT, 30)
    fusion = fitted_fusion(image, text, text_weight=0.25)
    fused = fusion.project(image, text).matrix
    assert fusion.image is not None
    assert fusion.text is not None
    look, words = fusion.image.project(image), fusion.text.project(text)
    expected = 0.75 * look @ look.T + 0.25 * words @ words.T
    np.testing.assert_allclose(fused @ fused.T, expected, atol=1e-5)


def test_a_missing_modality_is_zeros_and_the_rest_has_unit_length() -> None:
    image, text = some(IMAGE, 30), some(TEXT, 30)
    fusion = fitted_fusion(image, text)
    only_words = fusion.project(None, text.take(np.array([4])))
    assert not only_words.matrix[0, :HALF_DIM].any()
    assert np.linalg.norm(only_words.matrix) == pytest.approx(1, abs=1e-5)
    same_item = fusion.project(image, text).matrix[4]
    # half of the cosine comes from the words and they are equal; the query's other half is empty
    assert same_item @ only_words.matrix[0] == pytest.approx(np.sqrt(0.5), abs=1e-5)


def test_a_row_without_any_modality_is_absent() -> None:
    image, text = some(IMAGE, 5), some(TEXT, 5)
    rows = np.array([0, -1, -1])
    fused = fitted_fusion(image, text).project(image.take(rows), text.take(np.array([-1, 1, -1])))
    assert fused.present.tolist() == [True, True, False]
    assert not fused.matrix[2].any()


def test_the_axes_are_orthonormal_and_their_largest_coordinate_is_positive() -> None:
    axes = fitted_projection(some(TEXT, 400)).axes
    np.testing.assert_allclose(axes.T @ axes, np.eye(HALF_DIM), atol=1e-5)
    assert (axes[np.abs(axes).argmax(axis=0), np.arange(HALF_DIM)] > 0).all()


@given(st.integers(1, 12))
def test_fewer_rows_than_axes_keep_all_distances(rows: int) -> None:
    image = some(IMAGE, rows)
    projection = fitted_projection(image)
    assert np.linalg.matrix_rank(projection.axes) == max(rows - 1, 1)
    centred = normalise(image.matrix - projection.mean)
    turned = projection.project(image)
    np.testing.assert_allclose(turned @ turned.T, centred @ centred.T, atol=1e-4)


def test_another_fit_is_another_space() -> None:
    image = some(IMAGE, 30)
    one, other = fitted_fusion(image, None), fitted_fusion(some(IMAGE, 30, seed=2), None)
    assert one.space != other.space
    assert fitted_fusion(image, None).space == one.space


def test_a_catalogue_without_pictures_has_no_picture_half() -> None:
    absent = some(IMAGE, 3).take(np.array([-1, -1, -1]))
    fusion = fitted_fusion(absent, some(TEXT, 3))
    assert fusion.image is None
    assert fusion.project(absent, some(TEXT, 3)).present.all()
    assert not fusion.project(some(IMAGE, 2), None).present.any()


def test_save_then_load_gives_equal_answers(tmp_path: Path) -> None:
    image, text = some(IMAGE, 30), some(TEXT, 30)
    fusion = fitted_fusion(image, text, 0.3)
    fusion.save(tmp_path / "fusion.safetensors")
    again = Fusion.load(tmp_path / "fusion.safetensors")
    assert again.space == fusion.space
    np.testing.assert_array_equal(again.project(image, text).matrix, fusion.project(image, text).matrix)


def test_vectors_of_another_space_are_refused() -> None:
    fusion = fitted_fusion(some(IMAGE, 5), None)
    with pytest.raises(SpaceMismatchError, match="fusion: vectors of space"):
        fusion.project(some(Space("image", "other", 20), 5), None)


def test_nothing_to_fuse_is_refused() -> None:
    with pytest.raises(InputError, match="neither picture nor text"):
        fitted_fusion(some(IMAGE, 5), None).project(None, None)


def test_unequal_rows_are_refused() -> None:
    with pytest.raises(InputError, match="5 picture rows and 4 text rows"):
        fitted_fusion(some(IMAGE, 5), some(TEXT, 5)).project(some(IMAGE, 5), some(TEXT, 4))


def test_a_weight_outside_zero_and_one_is_refused() -> None:
    with pytest.raises(InputError, match=r"text_weight is 1\.5"):
        fitted_fusion(some(IMAGE, 5), None, text_weight=1.5)


def test_a_file_that_is_no_fusion_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"nothing")
    with pytest.raises(InputError, match="not a saved fusion"):
        Fusion.load(tmp_path / "x")
