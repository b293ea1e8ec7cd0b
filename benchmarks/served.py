"""A server as a process, asked over HTTP: started, loaded at a rate, looked at from outside."""

from __future__ import annotations

import http.client
import json
import re
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bowerbird.randomness import generator
from bowerbird.testing.servers import ServeProcess

CONNECTIONS = 32


class Client:
    """One connection, opened again when it breaks."""

    def __init__(self, port: int, timeout_s: float = 30.0) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)

    def ask(self, path: str, body: object = None) -> tuple[int, dict]:
        """Status and JSON of a reply; a connection that was closed while idle is opened again, once."""
        text = None if body is None else json.dumps(body)
        headers = {} if text is None else {"content-type": "application/json"}
        for fresh in (False, True):
            try:
                self._connection.request("GET" if text is None else "POST", path, text, headers)
                reply = self._connection.getresponse()
                return reply.status, json.loads(reply.read())
            except (OSError, http.client.HTTPException):
                self._connection.close()
                if fresh:
                    raise
        raise AssertionError


@dataclass
class Load:
    """What became of requests that were due at a steady rate."""

    rate: float
    waits_s: list[float] = field(default_factory=list)
    """From when each was due to its answer, so that a queue counts."""
    failed: list[str] = field(default_factory=list)
    releases: set[str] = field(default_factory=set)

    def row(self) -> dict:
        """The numbers of it."""
        waits = 1000 * np.array(self.waits_s or [np.nan])
        return {
            "rate_per_s": self.rate,
            "answered": len(self.waits_s),
            "failed": len(self.failed),
            "p50_ms": round(float(np.percentile(waits, 50)), 1),
            "p99_ms": round(float(np.percentile(waits, 99)), 1),
        }


def loaded(
    port: int, people: Sequence[str], rate: float, seconds: float, stop: threading.Event | None = None
) -> Load:
    """Ask for home feeds at a rate, whatever the server makes of it: arrivals are drawn, not answered for."""
    load, guard = Load(rate), threading.Lock()
    draws = generator(0, f"load {rate}")
    count = max(1, round(rate * seconds))
    due = np.cumsum(draws.exponential(1.0 / rate, count))
    asked = draws.integers(len(people), size=count)
    began, turn = time.perf_counter(), iter(range(count))

    def caller() -> None:
        client = Client(port)
        while stop is None or not stop.is_set():
            with guard:
                number = next(turn, None)
            if number is None:
                return
            time.sleep(max(0.0, began + due[number] - time.perf_counter()))
            try:
                status, reply = client.ask(f"/v1/homefeed?user={people[asked[number]]}")
                problem = "" if status == 200 else str(status)
            except (OSError, http.client.HTTPException) as error:
                problem, reply = type(error).__name__, {}
            with guard:
                if problem:
                    load.failed.append(problem)
                else:
                    load.waits_s.append(time.perf_counter() - began - due[number])
                    load.releases.add(reply["release"])

    callers = [threading.Thread(target=caller) for _ in range(CONNECTIONS)]
    for one in callers:
        one.start()
    for one in callers:
        one.join()
    return load


@contextmanager
def served(directory: Path, workers: int, log: Path) -> Iterator[ServeProcess]:
    """A server over a workspace, all workers ready; ended afterwards."""
    server = ServeProcess(directory, log, workers)
    try:
        server.until_ready(workers, 300)
        yield server
    finally:
        server.end()


def with_candidates(path: Path, total: int) -> None:
    """Scale the quotas of homefeed's sources in a ``bowerbird.toml`` so that they may bring ``total`` candidates."""
    text = path.read_text(encoding="utf-8")
    head, begin, rest = text.partition("[surfaces.homefeed.sources]")
    body, end, tail = rest.partition("\n\n[")
    whole = sum(int(one) for one in re.findall(r"quota = (\d+)", body))
    body = re.sub(r"quota = (\d+)", lambda one: f"quota = {-(-int(one[1]) * total // whole)}", body)
    path.write_text(head + begin + body + end + tail, encoding="utf-8")
