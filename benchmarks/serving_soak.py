"""A soak: two workers, a Redis and a consumer under load, with a new release, a killed worker and a killed Redis in it.

Usage: python benchmarks/serving_soak.py WORKSPACE [--seconds 1800] [--rate RATE] [--json OUT] [--picture OUT]

A copy of the workspace is served. 100 events a second are sent and home feeds asked at ``--rate`` a second (unless
given, half of what is answered in fifteen seconds when everything is due at once and the events come too); a
quarter of the way a build, which yields the processor to the server, and a reload switch the release, half way one
worker is killed with SIGKILL, at three quarters Redis is, and started again two seconds later. At the end every acknowledged event must be in the log
once, every answer must have been whole and of one release, and the memory of the server on the way is told.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

from curve import memory_svg
from served import Client, loaded, served

from bowerbird.randomness import generator
from bowerbird.testing.servers import RedisServer, ServeProcess
from bowerbird.workspace import Workspace

BATCH, BATCHES_PER_S = 20, 5
LONGEST, PATIENCE_S = 4, 600
FLAT_OUT_S, LOOKS = 15.0, 30
RELEASED, WORKER_KILLED, REDIS_KILLED = 0.25, 0.5, 0.75
"""When, as shares of the time."""


class Sender:
    """Sends events without end, each batch until it is acknowledged.

    Args:
        port: of the server.
        people: ids.
        items: ids.
    """

    def __init__(self, port: int, people: tuple[str, ...], items: tuple[str, ...]) -> None:
        self._port, self._people, self._items = port, people, items
        self.acknowledged: set[str] = set()
        self.refused: Counter[str] = Counter()
        """Batches that were not taken and sent again, by the answer."""
        self.ended = threading.Event()

    def run(self) -> None:
        client, draw, number, began = Client(self._port), generator(0, "soak"), 0, time.monotonic()
        while not self.ended.is_set():
            rows = [
                {
                    "event_id": f"soak-{number}-{place}",
                    "user_id": self._people[draw.integers(len(self._people))],
                    "item_id": self._items[draw.integers(len(self._items))],
                    "action": ("impression", "click", "save")[place % 3],
                }
                for place in range(BATCH)
            ]
            if self._sent(client, rows):
                self.acknowledged.update(row["event_id"] for row in rows)
            number += 1
            self.ended.wait(max(0.0, began + number / BATCHES_PER_S - time.monotonic()))

    def _sent(self, client: Client, rows: list[dict]) -> bool:
        while not self.ended.is_set():
            try:
                status, reply = client.ask("/v1/events", {"events": rows})
            except (OSError, http.client.HTTPException) as error:
                self.refused[type(error).__name__] += 1
            else:
                if status == 200:
                    assert not reply["rejected"], reply
                    return True
                self.refused[str(status)] += 1
            time.sleep(0.2)
        return False


def disturbed(server: ServeProcess, redis: RedisServer, directory: Path, seconds: float, told: dict) -> None:
    """What happens on the way, at its times."""
    began = time.monotonic()

    def at(share: float) -> None:
        time.sleep(max(0.0, began + share * seconds - time.monotonic()))

    at(RELEASED)
    subprocess.run(
        ["nice", "-n", "19", sys.executable, "-m", "bowerbird", "build", "-w", str(directory), "--json"],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    asked = time.monotonic()
    told["switched"] = Client(server.port, PATIENCE_S).ask("/v1/reload", {})[0] == 200
    told["switched_within_s"] = round(time.monotonic() - asked, 1)
    at(WORKER_KILLED)
    os.kill(server.workers()[0], signal.SIGKILL)
    at(REDIS_KILLED)
    redis.kill()
    time.sleep(2)
    redis.start_again()
    at(1.0)


def watched(server: ServeProcess, every_s: float, over: threading.Event, told: dict) -> None:
    """Notes what all processes of the server hold, again and again, with the load of the machine."""
    told["memory"] = []
    began = time.monotonic()
    while not over.wait(every_s):
        seconds, load = round(time.monotonic() - began), round(os.getloadavg()[0], 1)
        with suppress(OSError):  # a worker that was just killed
            told["memory"].append({"second": seconds, "load": load, **server.memory_mb()})


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--seconds", type=float, default=1800)
    parser.add_argument("--rate", type=float)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--picture", type=Path, help="memory over time, as SVG")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "workspace"
        shutil.copytree(options.workspace, copy)
        (Path(folder) / "redis").mkdir()
        redis = RedisServer(Path(folder) / "redis")
        with (copy / "bowerbird.toml").open("a", encoding="utf-8") as settings:
            settings.write(f'\n[realtime]\nstream = "{redis.url}"\nstate = "{redis.url}"\n')
        try:
            found = soak(copy, redis, options.seconds, options.rate, Path(folder) / "log")
        finally:
            redis.kill()
    print(json.dumps(found, indent=1))
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))
    if options.picture:
        options.picture.write_text(memory_picture(found))


def memory_picture(found: dict) -> str:
    """The SVG of what :func:`soak` told."""
    shares = {
        "a release is built": RELEASED,
        "a worker is killed": WORKER_KILLED,
        "Redis is killed": REDIS_KILLED,
    }
    return memory_svg(found["memory"], {what: share * found["seconds"] for what, share in shares.items()})


def soak(directory: Path, redis: RedisServer, seconds: float, rate: float | None, log: Path) -> dict:
    space = Workspace.open(directory)
    people, items = space.workbench().people.ids, space.workbench().items.vocabulary.ids
    consuming = [sys.executable, "-m", "bowerbird", "consume", "-w", str(directory)]
    consumer = subprocess.Popen(
        ["bash", "-c", 'while ! "$@"; do sleep 1; done', "supervisor", *consuming], start_new_session=True
    )
    told: dict = {}
    try:
        with served(directory, 2, log) as server:
            sender = Sender(server.port, people, items)
            sending = threading.Thread(target=sender.run)
            sending.start()
            if rate is None:
                stop = threading.Event()
                threading.Timer(FLAT_OUT_S, stop.set).start()
                most = len(loaded(server.port, people, 1000.0, FLAT_OUT_S, stop).waits_s) / FLAT_OUT_S
                rate = told["most_per_s"] = round(most, 1)
                rate /= 2
                print(f"{most:.1f} a second at most; from now on {rate:.1f}", flush=True)
            told["load_of_machine_before"] = os.getloadavg()
            over, loads = threading.Event(), []
            longest = (
                LONGEST * seconds + PATIENCE_S
            )  # a build may take its time; the load goes on until all is over
            callers = (
                threading.Thread(target=watched, args=(server, seconds / LOOKS, over, told)),
                threading.Thread(
                    target=lambda: loads.append(loaded(server.port, people, rate, longest, over))
                ),
            )
            for one in callers:
                one.start()
            disturbed(server, redis, directory, seconds, told)
            over.set()
            sender.ended.set()
            for one in (sending, *callers):
                one.join()
            (load,) = loads
            told["load_of_machine_after"] = os.getloadavg()
    finally:
        os.killpg(consumer.pid, signal.SIGTERM)
        consumer.wait()
    subprocess.run([*consuming, "--once"], check=True, stdout=subprocess.DEVNULL)
    kept = Counter(Workspace.open(directory).workbench().events.table.column("event_id").to_pylist())
    lost = [name for name in sender.acknowledged if kept[name] != 1]
    return {
        "seconds": seconds,
        **load.row(),
        "failures": dict(Counter(load.failed)),
        "error_rate": len(load.failed) / max(len(load.waits_s) + len(load.failed), 1),
        "releases": len(load.releases),
        "acknowledged": len(sender.acknowledged),
        "lost_or_doubled": len(lost),
        "batches_sent_again": dict(sender.refused),
        **told,
    }


if __name__ == "__main__":
    main()
