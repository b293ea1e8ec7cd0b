"""The demo workspace: real pictures and words, simulated people with known truth."""

from __future__ import annotations

import json
from pathlib import Path

from bowerbird.datasets.openmoji import CREDIT, openmoji_catalogue
from bowerbird.errors import InputError
from bowerbird.simulation.settings import WorldSettings
from bowerbird.simulation.world import make_world
from bowerbird.stores.atomic import write_atomically
from bowerbird.telemetry import SILENT, Progress
from bowerbird.workspace.against_truth import TRUTH
from bowerbird.workspace.facade import Workspace

RAW = "raw"
"""Folder with the world's files in the standard columns, as anybody's data would come."""
IMPORTED = "demo.json"


def demo_workspace(
    path: Path, settings: WorldSettings | None = None, progress: Progress = SILENT
) -> Workspace:
    """Make the demo workspace, or carry on where a killed run was; a finished one is left alone.

    The world's files go through the ordinary import, so the demo proves that path too.

    Args:
        path: the directory.
        settings: the world's dials.
        progress: shows drawing, simulating and importing.

    Raises:
        InputError: the directory holds the demo of other settings.
        MissingDependencyError: the artwork is not installed.
        BusyError: another process holds the workspace.
    """
    world_settings = settings or WorldSettings()
    workspace = Workspace.create(path, simulated=True, credit=CREDIT, nsfw="off")  # drawings; 2 minutes
    done = workspace.layout.state / IMPORTED
    if done.exists():
        if json.loads(done.read_text(encoding="utf-8"))["world"] == world_settings.fingerprint():
            return workspace
        raise InputError(
            f"{path}: holds the demo of another world (other seed or dials); name a new directory: two worlds in one "
            "workspace would have one truth for the people of both"
        )
    progress.start("draw pictures", None)
    catalogue = openmoji_catalogue()
    progress.finish(f"{len(catalogue):,} items")
    progress.start("simulate people", None)
    world = make_world(world_settings, catalogue)
    raw, truth = workspace.layout.root / RAW, workspace.layout.root / TRUTH
    world.write(raw)
    world.truth.write(truth)
    progress.finish(f"{len(world.events):,} events")
    for kind in ("items", "users", "campaigns", "events"):
        workspace.import_files(kind, [raw / f"{kind}.parquet"], progress=progress)
    write_atomically(done, json.dumps({"world": world_settings.fingerprint()}).encode())
    return workspace
