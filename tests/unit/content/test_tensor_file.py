"""Tensor files: read back whole by the package, and the same bytes however often they are written."""

from __future__ import annotations

import numpy as np
from safetensors import safe_open

from bowerbird.content.tensor_file import write_tensors

FACTS = {f"fact {place}": f"wörd {place}\nnext" for place in range(12)}


def test_what_was_written_is_read_back(tmp_path):
    tensors = {
        "wide": np.arange(12, dtype=np.float32).reshape(3, 4).T,
        "none": np.zeros((0, 5), np.float32),
        "bytes": np.array([1, -2, 3], np.int8),
    }
    write_tensors(tmp_path / "a", tensors, FACTS)
    with safe_open(tmp_path / "a", framework="numpy") as file:
        assert file.metadata() == FACTS
        assert set(file.keys()) == set(tensors)
        for name, values in tensors.items():
            found = file.get_tensor(name)
            np.testing.assert_array_equal(found, values)
            assert found.dtype == values.dtype


def test_the_same_content_is_the_same_bytes_in_any_order_of_facts(tmp_path):
    tensors = {"b": np.ones(3, np.float32), "a": np.zeros(2, np.float32)}
    found = set()
    for turn in range(12):
        names = list(FACTS)[turn:] + list(FACTS)[:turn]
        write_tensors(tmp_path / str(turn), tensors, {name: FACTS[name] for name in names})
        found.add((tmp_path / str(turn)).read_bytes())
    assert len(found) == 1
