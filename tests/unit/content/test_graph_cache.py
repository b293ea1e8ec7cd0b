from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from bowerbird.content.graph_cache import cached_graph
from bowerbird.errors import StorageError


def identity() -> onnx.ModelProto:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    return helper.make_model(
        helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "identity", [x], [y])
    )


def never() -> onnx.ModelProto:
    raise AssertionError("built again")


def test_a_graph_is_built_once_for_each_recipe(tmp_path: Path) -> None:
    first = cached_graph(tmp_path / "models", "g", "r1", identity)
    assert cached_graph(tmp_path / "models", "g", "r1", never) == first
    with pytest.raises(AssertionError, match="built again"):
        cached_graph(tmp_path / "models", "g", "r2", never)
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["g-r1.onnx"]


def test_without_a_directory_nothing_is_kept() -> None:
    assert cached_graph(None, "g", "r", identity) == identity().SerializeToString()


def test_a_directory_that_cannot_be_written_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="could not be kept"):
        cached_graph(tmp_path / "file", "g", "r", identity)
