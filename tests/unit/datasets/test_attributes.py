from __future__ import annotations

import pyarrow as pa
import pytest

from bowerbird.datasets.attributes import gathered

MAP = pa.map_(pa.string(), pa.string())


@pytest.mark.parametrize(
    "column",
    [
        pa.array(['{"size": "3", "tags": ["a"], "none": null}', None, ""]),
        pa.array([{"size": "3", "tags": ["a"]}, None, None]),
        pa.array([[("size", "3"), ("tags", '["a"]')], None, None], MAP),
    ],
)
def test_json_structs_and_maps_say_the_same(column: pa.Array) -> None:
    maps, bad = gathered({}, column, 3)
    assert maps.to_pylist() == [[("size", "3"), ("tags", '["a"]')], None, None]
    assert not bad.any()


def test_unknown_columns_join_the_attributes_and_none_hides_the_other() -> None:
    maps, _ = gathered(
        {"size": pa.array([4, None]), "mood": pa.array(["x", "y"])}, pa.array(['{"size": 3}', None]), 2
    )
    assert maps.to_pylist() == [[("size", "3"), ("size (column)", "4"), ("mood", "x")], [("mood", "y")]]


@pytest.mark.parametrize("cell", ["no", "[1]", "3", '{"a": '])
def test_what_is_no_object_is_bad(cell: str) -> None:
    maps, bad = gathered({}, pa.array([cell]), 1)
    assert (maps.to_pylist(), bad.tolist()) == ([None], [True])


def test_no_columns_are_no_maps() -> None:
    assert gathered({}, None, 2)[0].to_pylist() == [None, None]
