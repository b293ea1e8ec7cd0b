"""The demo workspace holds one world."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bowerbird.errors import InputError
from bowerbird.simulation.settings import WorldSettings
from bowerbird.workspace import Workspace
from bowerbird.workspace.demo import IMPORTED, demo_workspace


def test_a_finished_demo_is_left_alone_and_another_world_is_refused(tmp_path: Path):
    made = Workspace.create(tmp_path / "demo", simulated=True)
    own, other = WorldSettings(seed=7), WorldSettings(seed=8)
    (made.layout.state / IMPORTED).write_text(json.dumps({"world": own.fingerprint()}))
    assert demo_workspace(tmp_path / "demo", own).layout == made.layout
    with pytest.raises(InputError, match="holds the demo of another world"):
        demo_workspace(tmp_path / "demo", other)
