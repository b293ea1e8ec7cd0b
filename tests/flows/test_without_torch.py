"""A server that answers everything without the libraries of training."""

from __future__ import annotations

import subprocess
import sys

ASKS_ALL_SIX = """
import sys
from starlette.testclient import TestClient
from bowerbird.serving import make_app
from bowerbird.workspace import Workspace

with TestClient(make_app(Workspace.open(sys.argv[1]))) as client:
    for surface, question in {
        "homefeed": {"user": "u3"}, "related": {"item": "i3"}, "search": {"query": "red circle"},
        "shopping": {"query": "blue"}, "ads": {"user": "u3"}, "growth": {"budget": 3},
    }.items():
        assert client.post("/v1/" + surface, json=question).status_code == 200, surface
print(*sorted(name for name in ("torch", "torchvision", "lightgbm", "bowerbird.nn", "bowerbird.training")
              if name in sys.modules))
"""


def test_a_warm_server_that_answered_all_six_surfaces_never_imported_torch(tiny_workspace):
    ran = subprocess.run(
        [sys.executable, "-c", ASKS_ALL_SIX, str(tiny_workspace.layout.root)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip() == ""
