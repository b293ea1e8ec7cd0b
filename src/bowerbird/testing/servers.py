"""Real servers for tests and measurements, started on a free port and ended by whoever started them."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

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


class ServeProcess:
    """``bowerbird serve`` as a process with its workers, on a port of its own (Linux, where its workers are looked at).

    Args:
        root: the workspace.
        log: file its log goes to.
        workers: how many.
    """

    def __init__(self, root: Path, log: Path, workers: int) -> None:
        self._log = log
        command = [sys.executable, "-m", "bowerbird", "serve", "-w", str(root), "--port", "0"]
        with log.open("wb") as errors:
            self.process = subprocess.Popen(
                [*command, "--workers", str(workers)], stdout=subprocess.PIPE, stderr=errors, text=True
            )
        assert self.process.stdout is not None
        self.port = 0
        for text in self.process.stdout:
            found = re.search(r":(\d+)/v1", text)
            self.port = int(found[1]) if found else self.port
            if "Ctrl-C" in text:
                break

    def ask(self, path: str, method: str = "GET", body: object = None) -> tuple[int, Any]:
        """Status and JSON of one request, on a connection of its own, as a balancer spreads them."""
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            text = None if body is None else json.dumps(body)
            client.request(method, path, text, {"content-type": "application/json"} if text else {})
            reply = client.getresponse()
            return reply.status, json.loads(reply.read())
        finally:
            client.close()

    def until(self, told: Callable[[], bool], seconds: float = 60) -> None:
        """Wait for something; a connection that breaks is tried again.

        Raises:
            StorageError: it did not happen in time; with the log.
        """
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                if told():
                    return
            except (OSError, http.client.HTTPException):
                pass
            time.sleep(0.1)
        raise StorageError(f"not within {seconds:.0f} s; the server's log says {self._log.read_text()}")

    def until_ready(self, workers: int, seconds: float = 60) -> None:
        """Wait until so many workers said that they are ready, ones that ended included."""
        self.until(lambda: sum(line["event"] == "ready" for line in self.lines()) >= workers, seconds)

    def lines(self) -> list[dict[str, Any]]:
        """The log so far; every line must be JSON."""
        return [json.loads(text) for text in self._log.read_text().splitlines()]

    def workers(self) -> list[int]:
        """Process ids of the workers."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                if parent == self.process.pid and b"spawn_main" in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
        return sorted(found)

    def cpu_s(self) -> float:
        """User and system seconds of the process and its workers."""
        return sum(cpu_seconds(pid) for pid in (self.process.pid, *self.workers()))

    def memory_mb(self) -> dict[str, int]:
        """Resident set of all workers: each page once (``together``), and of each its own."""
        totals = {"together": 0, "private": 0, "resident": 0}
        names = {"Pss": "together", "Private_Dirty": "private", "Private_Clean": "private", "Rss": "resident"}
        for pid in self.workers():
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
                name, _, rest = line.partition(":")
                if name in names:
                    totals[names[name]] += int(rest.split()[0])
        return {name: round(value / 1024) for name, value in totals.items()}

    def end(self) -> None:
        """Ask it to leave; kill it where it does not."""
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()


def cpu_seconds(pid: int) -> float:
    """User and system seconds of a process (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
