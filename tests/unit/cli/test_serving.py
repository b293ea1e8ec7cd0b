from __future__ import annotations

import errno
import gc
import os
import socket
from collections.abc import Iterator

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits
from typer.testing import CliRunner

from bowerbird.cli.app import app
from bowerbird.cli.serving import _free_port, _settled
from bowerbird.errors import InputError, NotFoundError, NotReadyError
from bowerbird.workspace import Workspace


def test_a_taken_port_is_an_error_that_names_another():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"--port {port}: cannot listen there .*--port {port + 1}"):
            _free_port("127.0.0.1", port)


def test_port_0_takes_a_free_one():
    assert _free_port("127.0.0.1", 0) > 0


@pytest.mark.parametrize("host", ["192.0.2.1", "a" * 80, "no such host"])
def test_an_address_that_is_not_ours_is_an_error_about_the_address(host):
    with pytest.raises(
        InputError, match=r"cannot listen there .*address of this machine: --host 127\.0\.0\.1"
    ):
        _free_port(host, 8080)


@pytest.mark.parametrize(
    ("code", "port", "advice"),
    [
        (errno.EACCES, 80, "choose a port of 1024 or above, e.g. --port 8080"),
        (errno.EADDRINUSE, 65535, "another port, e.g. --port 8080"),
    ],
)
def test_what_to_do_about_a_port_depends_on_why_it_cannot_be_had(monkeypatch, code, port, advice):
    def bind(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(socket.socket, "bind", bind)
    with pytest.raises(InputError, match=advice):
        _free_port("127.0.0.1", port)


def test_what_is_not_there_or_not_built_is_not_served(tmp_path):
    run = CliRunner().invoke(app, ["serve", "-w", str(tmp_path / "none")])
    assert isinstance(run.exception, NotFoundError)
    Workspace.create(tmp_path / "empty")
    run = CliRunner().invoke(app, ["serve", "-w", str(tmp_path / "empty")])
    assert isinstance(run.exception, NotReadyError)
    assert "run `bowerbird build -w" in str(run.exception)


@pytest.fixture
def _nothing_kept_from_the_garbage_collector() -> Iterator[None]:
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("_nothing_kept_from_the_garbage_collector")
def test_a_loaded_server_holds_every_pool_of_threads_to_one() -> None:
    _ = np.ones((4, 4)) @ np.ones((4, 4))
    with threadpool_limits(2):
        assert {pool["num_threads"] for pool in threadpool_info()} == {2}
        _settled()
        assert {pool["num_threads"] for pool in threadpool_info()} == {1}
