"""A training that is killed with kill -9 goes on, through the command line, to the table it would have printed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

pytest.importorskip("torch")

COMMAND = "from bowerbird.cli import main; main()"
USERS, ITEMS, STEPS = 260, 40, 11


def arguments(folder: Path, name: str, *more: str) -> list[str]:
    told = ["--models", "sasrec", "--seeds", "1", "--effort", "quick", "--json", str(folder / f"{name}.json")]
    task = ["bench", "next-item", "--events", str(folder / "walks.parquet")]
    return [sys.executable, "-c", COMMAND, *task, *told, *more]


def row(folder: Path, name: str) -> dict:
    (only,) = json.loads((folder / f"{name}.json").read_text())["rows"]
    return {metric: value for metric, value in only.items() if metric not in ("cpu_seconds", "peak_mb")}


@pytest.mark.slow
def test_a_killed_bench_goes_on_to_the_same_table(tmp_path):
    starts = np.random.default_rng(0).integers(0, ITEMS, USERS)
    walks = (starts[:, None] + np.arange(STEPS)) % ITEMS
    table = {"user_id": np.repeat(np.arange(USERS), STEPS), "item_id": walks.ravel()}
    pq.write_table(pa.table(table), tmp_path / "walks.parquet")
    kept = tmp_path / "kept"
    with subprocess.Popen(
        arguments(tmp_path, "killed", "--checkpoints", str(kept)), stderr=subprocess.DEVNULL
    ) as killed:
        began = time.monotonic()
        while not list(kept.glob("sasrec-0-*.checkpoint")):
            assert killed.poll() is None, "it ended before it kept anything"
            assert time.monotonic() - began < 200, "nothing was kept"
            time.sleep(0.01)
        os.kill(killed.pid, signal.SIGKILL)
    assert killed.returncode == -signal.SIGKILL
    assert not (tmp_path / "killed.json").exists()
    subprocess.run(
        arguments(tmp_path, "resumed", "--checkpoints", str(kept)), check=True, capture_output=True
    )
    subprocess.run(arguments(tmp_path, "whole"), check=True, capture_output=True)
    assert row(tmp_path, "resumed") == row(tmp_path, "whole")
