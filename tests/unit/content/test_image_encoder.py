from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bowerbird.content.efficientnet_lite import LITE0_VARIANT, VECTOR_DIM, efficientnet_lite_graph
from bowerbird.content.encoder import load_encoder
from bowerbird.content.graph_cache import session
from bowerbird.content.image_encoder import ImageEncoder
from bowerbird.content.pictures import decoded, square
from bowerbird.errors import SpaceMismatchError
from bowerbird.records.signal import Space, Vectors


def test_vectors_have_unit_length_and_say_their_space(
    small_encoder: ImageEncoder, draw: Any, save: Any
) -> None:
    vectors = small_encoder.encode([save(draw(seed)) for seed in range(3)])
    np.testing.assert_allclose(np.linalg.norm(vectors.matrix, axis=1), 1, atol=1e-5)
    assert vectors.space == small_encoder.space
    assert small_encoder.space.name == "image"


def test_a_batch_equals_one_by_one_on_any_number_of_threads(
    small_encoder: ImageEncoder, draw: Any, save: Any
) -> None:
    files = [save(draw(seed), "JPEG") for seed in range(7)]
    one_by_one = np.concatenate([small_encoder.encode([file]).matrix for file in files])
    parallel = ImageEncoder(LITE0_VARIANT, threads=3)
    np.testing.assert_allclose(small_encoder.encode(files).matrix, one_by_one, atol=1e-5)
    np.testing.assert_array_equal(parallel.encode(files).matrix, small_encoder.encode(files).matrix)


def test_bad_pictures_are_told_and_do_not_disturb_the_others(
    small_encoder: ImageEncoder, draw: Any, save: Any
) -> None:
    good = save(draw(1))
    chunks = list(small_encoder.encode_chunks([good, b"junk", None, good, good[:100], good]))
    present = np.concatenate([chunk.vectors.present for chunk in chunks])
    matrix = np.concatenate([chunk.vectors.matrix for chunk in chunks])
    failures = [failure for chunk in chunks for failure in chunk.failures]
    assert present.tolist() == [True, False, False, True, False, True]
    assert [failure.position for failure in failures] == [1, 4]
    assert "not a readable picture" in failures[0].reason
    np.testing.assert_allclose(matrix[5], matrix[0], atol=1e-5)
    assert not matrix[~present].any()
    hashes = np.concatenate([chunk.hashes.words() for chunk in chunks if chunk.hashes is not None])
    assert (hashes[0] == hashes[5]).all()
    assert not hashes[~present].any()


def test_a_stream_is_drawn_only_as_its_chunks_are_taken(
    small_encoder: ImageEncoder, draw: Any, save: Any
) -> None:
    drawn = []

    def stream() -> Any:
        for seed in range(1000):
            drawn.append(seed)
            yield save(draw(1))

    next(iter(small_encoder.encode_chunks(stream())))
    assert len(drawn) < 40


def test_no_pictures_give_no_rows(small_encoder: ImageEncoder) -> None:
    assert small_encoder.encode([]).matrix.shape == (0, 1280)


def test_encoders_load_by_their_registered_name(tmp_path: Path) -> None:
    encoder = load_encoder("efficientnet-lite0", tmp_path)
    assert encoder.modality == "image"
    assert [path.suffix for path in tmp_path.iterdir()] == [".onnx"]


def test_class_logits_come_from_the_vectors_alone(small_encoder: ImageEncoder, draw: Any, save: Any) -> None:
    (chunk,) = small_encoder.encode_chunks([save(draw(seed)) for seed in (1, 2)])
    assert chunk.lengths is not None
    pixels = np.stack([square(decoded(save(draw(seed))), 224) for seed in (1, 2)])
    graph = efficientnet_lite_graph(LITE0_VARIANT, LITE0_VARIANT.weights.read()).SerializeToString()
    (expected,) = session(graph).run(["logits"], {"pixels": pixels})
    np.testing.assert_allclose(small_encoder.class_logits(chunk.vectors, chunk.lengths), expected, atol=1e-4)


def test_class_logits_of_another_encoders_vectors_are_refused(small_encoder: ImageEncoder) -> None:
    others = Vectors.full(Space("image", "other.1", VECTOR_DIM), np.zeros((1, VECTOR_DIM), np.float32))
    with pytest.raises(SpaceMismatchError, match=r"class logits: vectors of space 'image/other\.1"):
        small_encoder.class_logits(others, np.ones(1, np.float32))
