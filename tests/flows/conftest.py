"""Workspaces built once for all flows: a tiny one, and a larger one with a trained ranker.

Worlds of drawn shapes, imported and built through the ordinary way.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bowerbird.simulation.world import World
from bowerbird.testing.tiny_world import tiny_world
from bowerbird.workspace import Workspace

KINDS = ("items", "users", "campaigns", "events")


def made(directory: Path, world: World, cache: Path | None = None) -> Workspace:
    """A workspace with a world's files imported and everything built.

    The smaller picture encoder is named in ``bowerbird.toml``: a build of the tiny world then takes
    seconds. Vectors of a cache are not computed again.
    """
    raw = directory / "raw"
    world.write(raw)
    campaigns = pq.read_table(raw / "campaigns.parquet")  # theirs end with the log; then no ad would run
    place = campaigns.schema.get_field_index("ends_at")
    endless = campaigns.set_column(place, "ends_at", pa.nulls(len(campaigns), pa.int64()))
    pq.write_table(endless, raw / "campaigns.parquet")
    layout = Workspace.create(
        directory / "workspace", simulated=True, credit="drawn by the tests", nsfw="off"
    ).layout
    text = layout.settings.read_text(encoding="utf-8")
    layout.settings.write_text(text.replace("efficientnet-lite2", "efficientnet-lite0"), encoding="utf-8")
    if cache is not None:
        shutil.copytree(cache, layout.cache, dirs_exist_ok=True)
    workspace = Workspace.open(layout.root)
    for kind in KINDS:
        workspace.import_files(kind, [raw / f"{kind}.parquet"])
    workspace.build()
    return workspace


@pytest.fixture(scope="session")
def tiny_workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """60 people, two weeks: every signal, too little for a ranker. Shared: only read it."""
    return made(tmp_path_factory.mktemp("tiny"), tiny_world())


@pytest.fixture(scope="session")
def ranked_workspace(tmp_path_factory: pytest.TempPathFactory, tiny_workspace: Workspace) -> Workspace:
    """200 people, five weeks, and a trained ranker. Shared: only read it."""
    world = tiny_world(people=200, days=35, items=120)
    workspace = made(tmp_path_factory.mktemp("ranked"), world, tiny_workspace.layout.cache)
    assert workspace.answers.release.scorer is not None, "the ranked workspace has no ranker"
    return workspace


@pytest.fixture(scope="session")
def built() -> Callable[..., Workspace]:
    """Builds the tiny world again: ``built(directory, cache=...)``."""
    return lambda directory, cache=None: made(directory, tiny_world(), cache)


@pytest.fixture
def own_workspace(tiny_workspace: Workspace, tmp_path: Path) -> Workspace:
    """A copy of the built tiny workspace that a test may change."""
    copy = tmp_path / "own"
    shutil.copytree(tiny_workspace.layout.root, copy)
    return Workspace.open(copy)
