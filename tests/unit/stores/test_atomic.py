from __future__ import annotations

import os
import subprocess
import sys

import pytest

from bowerbird.errors import StorageError
from bowerbird.stores.atomic import (
    replace_directory,
    scratch_path,
    storage_errors,
    sweep_scratch,
    write_atomically,
)


def test_a_file_is_replaced_whole(tmp_path):
    path = tmp_path / "a.json"
    write_atomically(path, b"old")
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_that_fails_names_the_file_the_bytes_and_what_to_do(tmp_path):
    with pytest.raises(
        StorageError, match=r"a\.json: could not write \(3 bytes needed\).*run the command again"
    ):
        write_atomically(tmp_path / "absent" / "a.json", b"abc")


@pytest.mark.parametrize(
    ("number", "advice"),
    [(28, "disk is full; free some space"), (13, "permission denied"), (27, "ulimit -f")],
)
def test_the_advice_fits_the_systems_error(tmp_path, number, advice):
    with pytest.raises(StorageError, match=advice), storage_errors(tmp_path, "write"):
        raise OSError(number, os.strerror(number))


def test_a_storage_error_passes_through_as_it_is(tmp_path):
    with pytest.raises(StorageError, match=r"^as it is$"), storage_errors(tmp_path, "write"):
        raise StorageError("as it is")


def test_a_folder_takes_the_place_of_another(tmp_path):
    written, target = tmp_path / "written", tmp_path / "target"
    for folder, text in ((written, "new"), (target, "old")):
        folder.mkdir()
        (folder / "a").write_text(text)
    replace_directory(written, target)
    assert (target / "a").read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_that_cannot_be_replaced_is_put_back(tmp_path, monkeypatch):
    written, target = tmp_path / "written", tmp_path / "target"
    for folder in (written, target):
        folder.mkdir()
        (folder / "a").write_text(folder.name)
    rename = type(written).rename

    def failing(self, other):
        if self == written:
            raise OSError(5, "Input/output error")
        return rename(self, other)

    monkeypatch.setattr(type(written), "rename", failing)
    with pytest.raises(StorageError, match=r"could not replace the folder.*check it before trying again"):
        replace_directory(written, target)
    assert (target / "a").read_text() == "target"


def test_the_leavings_of_dead_processes_are_swept_and_those_of_living_ones_are_not(tmp_path):
    dead = int(
        subprocess.run(
            [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True
        ).stdout
    )
    (tmp_path / f".writing-{dead}-0-a").write_text("half")
    (tmp_path / f".writing-{dead}-1-b").mkdir()
    (tmp_path / ".writing-1-0-c").write_text("another process")
    mine = scratch_path(tmp_path / "d")
    mine.write_text("mine")
    assert sweep_scratch(tmp_path) == 2
    assert {path.name for path in tmp_path.iterdir()} == {".writing-1-0-c", mine.name}
