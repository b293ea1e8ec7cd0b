"""Queries nobody means well with: very long, only emoji, nothing, and what steers a terminal; and a picture that changes."""

from __future__ import annotations

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from bowerbird.errors import InputError
from bowerbird.workspace import Workspace

ODD = {
    "ten thousand characters": "red circle " * 909,
    "one word of ten thousand": "a" * 10_000,
    "emoji": "🔴⭕🟥 👩‍👩‍👧‍👦",
    "only marks": "?!… *** \u200b\u202e",
    "a lone surrogate": "red \ud800 circle",
    "zero bytes": "red\x00circle",
    "another script": "赤い丸",
}


@pytest.mark.parametrize("query", ODD.values(), ids=ODD.keys())
def test_an_odd_query_is_answered(tiny_workspace, query):
    found = tiny_workspace.ask("search", query=query, n=5)
    assert len(found.entries) <= 5
    assert all(entry.score == entry.score for entry in found.entries)  # no NaN


def test_a_long_query_finds_what_the_short_one_finds(tiny_workspace):
    assert {
        one.item_id for one in tiny_workspace.ask("search", query=ODD["ten thousand characters"], n=3).entries
    } <= {one.item_id for one in tiny_workspace.ask("search", query="red circle", n=20).entries}


@pytest.mark.parametrize("query", ["", "   ", "\n\t", None])
def test_a_query_of_nothing_is_refused_with_what_to_give(tiny_workspace, query):
    with pytest.raises(
        InputError, match="search: the request has no query or image; expected query or image"
    ):
        tiny_workspace.ask("search", query=query)


def test_a_query_over_the_limit_is_refused_with_the_limit(tiny_workspace):
    with pytest.raises(InputError, match="query has 10,001 characters; at most 10,000 are read"):
        tiny_workspace.ask("search", query="a" * 10_001)


def test_a_picture_that_changes_is_encoded_again_and_until_the_build_the_old_one_answers(
    own_workspace, tmp_path
):
    items = own_workspace.workbench().items
    before = own_workspace.workbench().item_vectors("image_vector")
    out = io.BytesIO()
    Image.radial_gradient("L").convert("RGB").save(out, format="PNG")
    changed = pa.table({"item_id": ["i7"], "title": ["another picture"], "image": [out.getvalue()]})
    pq.write_table(changed, tmp_path / "items.parquet")
    own_workspace.import_files("items", [tmp_path / "items.parquet"])
    row = items.vocabulary.row("i7")
    still = Workspace.open(own_workspace.layout.root).workbench().item_vectors("image_vector")
    assert (still.matrix[row] == before.matrix[row]).all()
    built = {one.name: one for one in own_workspace.build(["near_duplicates", "picture_quality"])}
    assert built["image_vector"].card.note.startswith("1 encoded")
    after = own_workspace.workbench().item_vectors("image_vector")
    assert not (after.matrix[row] == before.matrix[row]).all()
    others = [one for one in range(len(items)) if one != row]
    assert (after.matrix[others] == before.matrix[others]).all()
    measured = own_workspace.workbench().signals.table("picture_quality").to_pylist()[row]
    assert (measured["item_id"], measured["width"]) == ("i7", 256)
