"""Ingest and consumer killed at twenty random moments: nothing acknowledged is lost or doubled."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def test_killed_twenty_times_every_acknowledged_event_is_there_once_and_the_state_is_the_batch(
    repository, tmp_path
):
    memory = Path("/dev/shm")
    folder = (memory if os.access(memory, os.W_OK) else tmp_path) / f"killed-stream-{os.getpid()}"
    try:
        ended = subprocess.run(
            [sys.executable, str(Path(__file__).with_name("killed_stream.py")), str(folder), "20"],
            env={**os.environ, "PYTHONPATH": str(repository / "src")},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        kills, batches = map(int, ended.stdout.split())
        assert kills == 20
        assert batches > 20
    finally:
        subprocess.run(["rm", "-rf", str(folder)], check=True)
