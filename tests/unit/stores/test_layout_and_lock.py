from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bowerbird.errors import BusyError, StorageError
from bowerbird.stores.layout import Layout
from bowerbird.stores.lock import workspace_lock

HOLD = """
import sys
from pathlib import Path
from bowerbird.stores.layout import Layout
from bowerbird.stores.lock import workspace_lock
with workspace_lock(Layout(Path(sys.argv[1])), "build"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_directory_is_a_workspace_once_it_has_settings(tmp_path):
    layout = Layout(tmp_path / "shop")
    assert not layout.exists()
    layout.create()
    layout.create()
    assert not layout.exists()
    layout.settings.write_text("")
    assert layout.exists()
    assert layout.state.is_dir()


def test_a_place_that_cannot_be_made_is_a_storage_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="could not make a folder"):
        Layout(tmp_path / "file").create()
    with (
        pytest.raises(StorageError, match="could not open the lock"),
        workspace_lock(Layout(tmp_path / "file"), "build"),
    ):
        pass


def test_a_second_process_is_told_who_holds_the_workspace_until_that_one_is_killed(
    tmp_path, repository: Path
):
    layout = Layout(tmp_path)
    environment = {**os.environ, "PYTHONPATH": str(repository / "src")}
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with holder:
        assert holder.stdout.readline() == b"held\n"
        message = rf"process {holder.pid} \(build, since 2\d\d\d-.*Z\) holds the workspace; wait until it ends and run `import`"
        with pytest.raises(BusyError, match=message), workspace_lock(layout, "import"):
            pass
        holder.kill()
        holder.wait()
    with workspace_lock(layout, "import"):
        pass


def test_the_lock_is_free_after_a_block_that_failed(tmp_path):
    layout = Layout(tmp_path)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), workspace_lock(layout, "build"):
            raise ZeroDivisionError
    with (
        workspace_lock(layout, "build"),
        pytest.raises(BusyError, match=rf"process {os.getpid()} \(build"),
        workspace_lock(layout, "build"),
    ):
        pass


def test_a_holder_that_has_not_written_its_name_yet_is_another_process(tmp_path):
    layout = Layout(tmp_path)
    with workspace_lock(layout, "build"):
        (layout.state / "lock").write_bytes(b"")
        with (
            pytest.raises(BusyError, match="another process holds the workspace"),
            workspace_lock(layout, "build"),
        ):
            pass
