"""Gaps in attributes are filled by the build, with confidence, abstention and evidence."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bowerbird.workspace.attribute_steps import lacks_gaps

pytest.importorskip("torch")


def test_an_attribute_with_gaps_is_learnt_and_predicted_where_it_lacks(own_workspace, tmp_path):
    items = own_workspace.workbench().items
    assert "no attribute is known" in (lacks_gaps(own_workspace.workbench()) or "")
    tops = [(path or "").split("/")[0] for path in items.column("category")]
    known = [
        json.dumps({"family": top, "code": str(row)}) if row % 3 else None for row, top in enumerate(tops)
    ]
    table = items.table.drop_columns(["attributes"]).append_column("attributes", pa.array(known, pa.string()))
    pq.write_table(table, tmp_path / "items.parquet")
    own_workspace.import_files("items", [tmp_path / "items.parquet"])
    built = {result.name: result for result in own_workspace.build(["attributes"])}
    assert built["attributes"].outcome == "built", built["attributes"].why
    filled = own_workspace.workbench().signals.table("attributes").to_pylist()
    assert {row["attribute"] for row in filled} == {"family"}  # codes never repeat
    rows = {name: row for row, name in enumerate(items.vocabulary.ids)}
    assert sorted(rows[row["item_id"]] for row in filled) == list(range(0, len(items), 3))
    right = [row["value"] == tops[rows[row["item_id"]]] for row in filled]
    assert sum(right) / len(right) > 0.6
    for row in filled:
        assert row["abstained"] == (row["confidence"] < 0.5)
        assert all(tops[rows[one]] == row["value"] for one in row["evidence"])
    fact = next(one for one in own_workspace.workbench().signals.cards() if one.name == "attributes")
    assert "gaps filled in family" in fact.note
