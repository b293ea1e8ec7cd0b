"""Real servers for tests and measurements, started on a free port and ended by whoever started them."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from pathlib import Path

from bowerbird.errors import MissingDependencyError, StorageError

DURABLE = ("--appendonly", "yes", "--appendfsync", "always")
"""Options with which Redis keeps what it acknowledged."""
PATIENCE_S = 20.0


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])


class RedisServer:
    """A Redis server of the system, with its files in a folder.

    Args:
        folder: where it keeps them; a server started again over them has what the one before acknowledged.
        options: of its command line.

    Raises:
        MissingDependencyError: redis-server is not installed.
        StorageError: it did not come up.
    """

    def __init__(self, folder: Path, options: tuple[str, ...] = DURABLE) -> None:
        if shutil.which("redis-server") is None:
            raise MissingDependencyError("redis-server is not installed; apt-get install redis-server")
        self._folder, self._options, self.port = folder, options, free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._process = self._started()

    def kill(self) -> None:
        """End it as a crash does."""
        self._process.kill()
        self._process.wait()

    def start_again(self) -> None:
        """Start it over its files, on the same port."""
        self._process = self._started()

    def _started(self) -> subprocess.Popen[bytes]:
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        process = subprocess.Popen(
            [*command, "--dir", str(self._folder), *self._options], stdout=subprocess.DEVNULL
        )
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            with socket.socket() as trial:
                if trial.connect_ex(("127.0.0.1", self.port)) == 0:
                    return process
            time.sleep(0.05)
        process.kill()
        raise StorageError(f"redis-server on port {self.port} did not come up within {PATIENCE_S:.0f} s")
