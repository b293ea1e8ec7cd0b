"""The numbers of serving: what a request costs, how soon an event shows, how many events go in, what scoring shares.

Usage: python -P benchmarks/measure_serving.py WORKSPACE [--out numbers/serving] [--requests 300] [--soak-s 0]

The workspace is copied first: events are sent to the copy. Latency is serving_latency.py's; scoring is
`bowerbird bench score`. `--soak-s 1800` asks and sends for half an hour and reports errors and memory.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

for _library in ("OMP", "OPENBLAS", "MKL"):
    os.environ.setdefault(f"{_library}_NUM_THREADS", "1")

import numpy as np  # noqa: E402 - the lines above must run first

from bowerbird.randomness import generator  # noqa: E402
from bowerbird.serving.live import LiveWorkspace  # noqa: E402
from bowerbird.serving.wire import Question  # noqa: E402
from bowerbird.workspace import Workspace  # noqa: E402

HERE = Path(__file__).parent
BATCH = 1000


def resident_mb() -> float:
    """Resident memory of this process (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def batches(live: LiveWorkspace, count: int, size: int, name: str) -> list[list[dict]]:
    """Events as senders write them."""
    draw = generator(0, f"measure {name}")
    items, people = live.edition.release.items.vocabulary.ids, live.edition.release.people.ids
    return [
        [
            {
                "event_id": f"{name}-{batch}-{place}",
                "user_id": people[draw.integers(len(people))],
                "item_id": items[draw.integers(len(items))],
                "action": ("impression", "click", "save")[place % 3],
                "surface": "homefeed",
                "position": place % 25,
            }
            for place in range(size)
        ]
        for batch in range(count)
    ]


def ingest(live: LiveWorkspace, count: int) -> dict:
    """Events per CPU-second from checked JSON values to the disk and the histories, one thread."""
    work = batches(live, count, BATCH, "ingest")
    cpu, wall = time.process_time(), time.perf_counter()
    taken = sum(live.take(rows).accepted for rows in work)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return {"events": taken, "events_per_cpu_s": round(taken / cpu), "events_per_s": round(taken / wall)}


def visible(live: LiveWorkspace, count: int) -> dict:
    """Milliseconds from sending a hide to a slate without the item, under a stream of other events."""
    noise = batches(live, count, 50, "noise")
    people, waits = live.edition.release.people.ids, []
    for number, rows in enumerate(noise):
        user = people[number % len(people)]
        slate, _ = live.ask("homefeed", Question(user=user, n=10))
        if not slate.entries:
            continue
        item = slate.entries[0].item_id
        live.take(rows)
        began = time.perf_counter()
        live.take([{"user_id": user, "item_id": item, "action": "hide", "event_id": f"hide-{number}"}])
        while item in live.ask("homefeed", Question(user=user, n=10))[0].item_ids:
            time.sleep(0.001)
        waits.append(1000 * (time.perf_counter() - began))
    return {
        "events": len(waits),
        "p50_ms": round(float(np.percentile(waits, 50)), 1),
        "p99_ms": round(float(np.percentile(waits, 99)), 1),
    }


def memory(live: LiveWorkspace) -> dict:
    """Resident memory, and what a release holds of each item beyond its vectors and their indexes."""
    release = live.edition.release
    columns = release.items.table.nbytes + release.categories.nbytes + release.created_at.nbytes
    return {
        "resident_mb": round(resident_mb()),
        "catalogue_bytes_per_item": round(columns / max(len(release.items), 1)),
    }


def soak(live: LiveWorkspace, seconds: float) -> dict:
    """Ask and send for a while; errors and growth."""
    people, began, before = live.edition.release.people.ids, time.monotonic(), resident_mb()
    asked = failed = number = 0
    while time.monotonic() - began < seconds:
        try:
            live.ask("homefeed", Question(user=people[number % len(people)], n=10))
            if number % 10 == 0:
                live.take(batches(live, 1, 20, f"soak-{number}")[0])
        except OSError:
            failed += 1
        asked, number = asked + 1, number + 1
    return {
        "seconds": seconds,
        "asked": asked,
        "failed": failed,
        "grown_mb": round(resident_mb() - before, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--out", type=Path, default=Path("numbers/serving"))
    parser.add_argument("--requests", type=int, default=300)
    parser.add_argument("--batches", type=int, default=20)
    parser.add_argument("--soak-s", type=float, default=0.0)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    latency, score = options.out / "latency.json", options.out / "score.json"
    subprocess.run(
        [
            sys.executable,
            "-P",
            str(HERE / "serving_latency.py"),
            str(options.workspace),
            "--json",
            str(latency),
            "--requests",
            str(options.requests),
        ],
        check=True,
    )
    subprocess.run([sys.executable, "-m", "bowerbird", "bench", "score", "--json", str(score)], check=True)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "workspace"
        shutil.copytree(options.workspace, copy)
        live = LiveWorkspace(Workspace.open(copy))
        found = {
            "ingest": ingest(live, options.batches),
            "visible": visible(live, 100),
            "memory": memory(live),
        }
        if options.soak_s:
            found["soak"] = soak(live, options.soak_s)
    found["latency"] = json.loads(latency.read_text())["rows"]
    (options.out / "serving.json").write_text(json.dumps(found, indent=1))
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
