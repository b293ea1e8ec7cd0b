"""One tiny workspace, built once: a world of drawn shapes, imported and built through the ordinary way."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bowerbird.testing.tiny_world import tiny_world
from bowerbird.workspace import Workspace

LITE = ("content.image_encoder=efficientnet-lite0",)
"""The smaller encoder: a build of the tiny world then takes seconds."""


@pytest.fixture(scope="session")
def tiny_workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A built workspace. It is shared: only read it, or take ``own_workspace``."""
    root = tmp_path_factory.mktemp("tiny")
    tiny_world().write(root / "raw")
    endless = pq.read_table(
        root / "raw" / "campaigns.parquet"
    )  # theirs end with the log; then no ad would run
    endless = endless.set_column(
        endless.schema.get_field_index("ends_at"), "ends_at", pa.nulls(len(endless), pa.int64())
    )
    pq.write_table(endless, root / "raw" / "campaigns.parquet")
    Workspace.create(root / "ws", simulated=True, credit="drawn by the tests")
    workspace = Workspace.open(root / "ws", LITE)
    for kind in ("items", "users", "campaigns", "events"):
        workspace.import_files(kind, [root / "raw" / f"{kind}.parquet"])
    workspace.build()
    return workspace


@pytest.fixture
def own_workspace(tiny_workspace: Workspace, tmp_path: Path) -> Workspace:
    """A copy of the built workspace that a test may change."""
    copy = tmp_path / "own"
    shutil.copytree(tiny_workspace.layout.root, copy)
    return Workspace.open(copy, LITE)
