from __future__ import annotations

import socket

import pytest
from typer.testing import CliRunner

from bowerbird.cli.app import app
from bowerbird.cli.serving import _free_port
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


def test_an_address_that_is_not_ours_is_an_error():
    with pytest.raises(InputError, match="cannot listen there"):
        _free_port("192.0.2.1", 8080)


def test_what_is_not_there_or_not_built_is_not_served(tmp_path):
    run = CliRunner().invoke(app, ["serve", "-w", str(tmp_path / "none")])
    assert isinstance(run.exception, NotFoundError)
    Workspace.create(tmp_path / "empty")
    run = CliRunner().invoke(app, ["serve", "-w", str(tmp_path / "empty")])
    assert isinstance(run.exception, NotReadyError)
    assert "run `bowerbird build -w" in str(run.exception)
