"""The recommender of the guide: built as a package, installed, and run by the bench."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

COMMAND = "from bowerbird.cli import main; main()"


@pytest.mark.slow
def test_the_example_trains_and_stands_beside_the_baselines(repository: Path, tmp_path: Path) -> None:
    pytest.importorskip("hatchling", reason="HATCHLING ABSENT: the example package cannot be built")
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--disable-pip-version-check"]
    example = str(repository / "examples" / "plugin_recommender")
    subprocess.run(
        [sys.executable, "-m", "pip", "install", *options, "--target", str(tmp_path / "site"), example],
        check=True,
    )
    random = np.random.default_rng(0)
    starts = random.integers(0, 40, 300)
    items = (
        starts[:, None] + np.arange(10)
    ) % 40  # the next item is the item plus one: what is left to learn
    users = np.repeat(np.arange(300), 10)
    events = pa.table({"user_id": users, "item_id": items.ravel(), "pos": np.tile(np.arange(10), 300)})
    pq.write_table(events, tmp_path / "events.parquet")
    out = tmp_path / "out.json"
    arguments = ["bench", "next-item", "--events", str(tmp_path / "events.parquet"), "--models", "gru,pop"]
    paths = [str(tmp_path / "site"), *filter(None, sys.path)]
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, *arguments, "--seeds", "1", "--effort", "quick", "--json", str(out)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = {row["model"]: row["hr@10"]["mean"] for row in json.loads(out.read_text())["rows"]}
    assert found["gru"] > 0.9 > found["pop"]
