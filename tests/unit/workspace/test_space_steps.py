"""Where items and queries live is decided once for both; what cannot meet is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bowerbird.errors import NotReadyError
from bowerbird.records.signal import Space, Vectors
from bowerbird.workspace import Workspace
from bowerbird.workspace.space_steps import lacks_pairs, loaded_space


@pytest.fixture
def shop(tmp_path: Path) -> Workspace:
    items = tmp_path / "items.parquet"
    pq.write_table(pa.table({"item_id": ["a", "b"], "title": ["red cup", "blue lamp"]}), items)
    made = Workspace.create(tmp_path / "shop")
    made.import_files("items", [items])
    return made


def test_too_few_described_pictures_are_fused(shop: Workspace) -> None:
    bench = shop.workbench()
    why = lacks_pairs(bench)
    assert why is not None
    assert "a tower needs 500" in why or "torch is not installed" in why
    fused = Workspace.open(shop.layout.root, ['content.item_space="fused"'])
    assert lacks_pairs(fused.workbench()) == 'the settings say [content] item_space = "fused"'


def test_queries_go_where_the_items_are_or_nowhere(shop: Workspace) -> None:
    shop.build(["item_vector"])
    bench = shop.workbench()
    items = bench.item_vectors("item_vector")
    space = loaded_space(bench, items)
    assert space is not None
    assert space.space == items.space
    assert loaded_space(bench, None) is None
    others = Vectors.full(Space("item", "unified.1.other", 256), np.zeros((2, 256), np.float32))
    with pytest.raises(NotReadyError, match="queries would live in item/fused"):
        loaded_space(bench, others)
