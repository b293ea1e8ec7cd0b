"""The encoder of the guide: built as a package, installed, named in ``bowerbird.toml``, built and asked."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bowerbird.testing.tiny_world import tiny_world
from bowerbird.workspace import Workspace

COMMAND = "from bowerbird.cli import main; main()"


@pytest.fixture(scope="module")
def installed(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the example package in it, as pip leaves it."""
    pytest.importorskip("hatchling", reason="HATCHLING ABSENT: the example package cannot be built")
    target = tmp_path_factory.mktemp("site")
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--disable-pip-version-check"]
    example = str(repository / "examples" / "plugin_encoder")
    subprocess.run(
        [sys.executable, "-m", "pip", "install", *options, "--target", str(target), example], check=True
    )
    return target


def bowerbird(installed: Path, *arguments: str) -> str:
    """What a command prints in a process of its own that has the example installed."""
    paths = [str(installed), *filter(None, sys.path)]
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_example_is_listed_and_encodes_a_workspace(installed, tmp_path):
    assert "colour-histogram" in json.loads(bowerbird(installed, "plugins", "--json"))["encoders"]
    world = tiny_world()
    world.write(tmp_path / "raw")
    space = str(tmp_path / "shop")
    settings = Workspace.create(space).layout.settings
    text = settings.read_text(encoding="utf-8")
    text = re.sub(r"efficientnet-lite2[:\w]*", "colour-histogram", text)
    settings.write_text(text, encoding="utf-8")
    bowerbird(installed, "import", "items", str(tmp_path / "raw" / "items.parquet"), "-w", space)
    bowerbird(installed, "build", "image_index", "near_duplicates", "-w", space)
    cards = {one["name"]: one for one in json.loads(bowerbird(installed, "signals", "--json", "-w", space))}
    assert cards["image_vector"]["space"]["version"] == "colour-histogram.1"
    assert cards["image_vector"]["coverage"] == 1.0
    slate = json.loads(bowerbird(installed, "ask", "related", "--item", "i0", "--json", "-w", space))
    assert {one["source"] for entry in slate["entries"] for one in entry["because"]} >= {"look_alike"}


def test_without_the_package_the_name_is_an_error_that_lists_what_is_installed(tmp_path):
    from bowerbird.content.encoder import load_encoder
    from bowerbird.errors import NotFoundError

    with pytest.raises(NotFoundError, match="encoders: no plugin 'colour-histogram' is installed"):
        load_encoder("colour-histogram", tmp_path)
