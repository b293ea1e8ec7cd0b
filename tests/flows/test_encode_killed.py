"""Encoding killed from outside, and encoding on a cluster: the same bytes as if nothing had happened."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from bowerbird.content.ray_encoder import RayEncoder
from bowerbird.errors import MissingDependencyError
from bowerbird.workspace.encode_files import encode_files

ENCODER = "efficientnet-lite0:float"


def pictures(folder, count: int):
    """A parquet of drawn pictures, one of them broken and two equal."""
    rng = np.random.default_rng(2)
    files = []
    for _ in range(count):
        out = io.BytesIO()
        coarse = Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8))
        coarse.resize((64, 64)).save(out, format="PNG")
        files.append(out.getvalue())
    files[3], files[5] = files[1], b"not a picture"
    names = [f"p{number:04}" for number in range(count)]
    path = folder / "pictures.parquet"
    pq.write_table(pa.table({"image": names, "jpeg": pa.array(files, pa.binary())}), path)
    return path


@pytest.mark.slow
def test_encode_killed_with_kill_9_carries_on_to_the_same_bytes(tmp_path):
    path = pictures(tmp_path, 290)
    command = [sys.executable, "-m", "bowerbird", "encode", str(path), "--encoder", ENCODER, "--threads", "1"]
    whole = encode_files([path], tmp_path / "whole.parquet", ENCODER, threads=1)
    target = tmp_path / "killed.parquet"
    running = subprocess.Popen(
        [*command, "--to", str(target)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    kept = tmp_path / ".killed.parquet.unfinished" / "cache" / "vectors"
    deadline = time.monotonic() + 120
    while (
        not list(kept.rglob("[!.]*.arrow")) and time.monotonic() < deadline
    ):  # the first block is on the disk
        assert running.poll() is None, "it ended before it could be killed"
        time.sleep(0.01)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    assert not target.exists()
    found = encode_files([path], target, ENCODER, threads=1)
    assert found.reused >= 255
    assert found.vectors == whole.vectors == 289
    assert target.read_bytes() == (tmp_path / "whole.parquet").read_bytes()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.filterwarnings("ignore:lance is not fork-safe")  # Ray forks to start its own programs
def test_on_a_ray_cluster_the_bytes_are_the_same(tmp_path):
    ray = pytest.importorskip("ray")
    path = pictures(tmp_path, 130)  # three pieces for two actors
    encode_files([path], tmp_path / "here.parquet", ENCODER)
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False)
    try:
        found = encode_files([path], tmp_path / "there.parquet", ENCODER, engine="ray")
        _survives_dead_workers(ray, pq.read_table(path).column("jpeg").to_pylist())
    finally:
        ray.shutdown()
    assert found.failed
    assert (tmp_path / "there.parquet").read_bytes() == (tmp_path / "here.parquet").read_bytes()
    reports = [(tmp_path / f"{name}.failures.csv").read_text(encoding="utf-8") for name in ("here", "there")]
    assert reports[0] == reports[1]


def _survives_dead_workers(ray, files):
    encoder = RayEncoder(ENCODER)
    whole = [chunk.vectors.matrix.tobytes() for chunk in encoder.encode_chunks(files)]
    ray.kill(encoder._actors[0])
    assert [chunk.vectors.matrix.tobytes() for chunk in encoder.encode_chunks(files)] == whole
    alive, new_actor = encoder._actors[1], encoder._new_actor

    def stillborn():
        actor = new_actor()
        ray.kill(actor)
        return actor

    encoder._actors[0] = stillborn()
    encoder._new_actor = stillborn
    found = list(encoder.encode_chunks([None, *files[1:]]))
    assert encoder._actors[1] is alive
    failed = {one.position: one.reason for chunk in found for one in chunk.failures}
    assert set(failed) >= {
        *range(1, 64),
        *range(128, 130),
    }  # the first and the third piece, but not what was no input
    assert 0 not in failed
    assert not set(failed) & {*range(64, 128)}
    assert failed[1] == "2 workers died one after the other over the 64 inputs it was among"
    assert not found[0].vectors.present.any()
    encoder.close()


def test_without_ray_the_way_to_it_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'bowerbird\[ray\]'"):
        RayEncoder(ENCODER)
