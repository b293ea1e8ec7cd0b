"""The numbers of serving: what a request costs, how soon an event shows, how many events go in, when it is full.

Usage: python benchmarks/measure_serving.py WORKSPACE [--large DIRECTORY] [--out numbers/serving] [--soak-s 0]

WORKSPACE is copied, events are sent to the copy. `--large` names a workspace of large_world.py for what depends
on size: latency, saturation, memory. Latency is serving_latency.py's; scoring is `bowerbird bench score`;
`--soak-s 1800` adds the soak of serving_soak.py. `--only ingest,visible` measures a part and keeps the rest of
what was measured before.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

for _library in ("OMP", "OPENBLAS", "MKL"):
    os.environ.setdefault(f"{_library}_NUM_THREADS", "1")

import numpy as np  # noqa: E402 - the lines above must run first
from curve import curve_svg  # noqa: E402 - beside this file
from served import Client, loaded, served, with_candidates  # noqa: E402

from bowerbird.randomness import generator  # noqa: E402
from bowerbird.serving.live import LiveWorkspace  # noqa: E402
from bowerbird.testing.servers import ServeProcess  # noqa: E402
from bowerbird.workspace import Workspace  # noqa: E402

HERE = Path(__file__).parent
BATCH = 1000
CANDIDATES = 500
PARTS = ("latency", "score", "ingest", "visible", "memory", "saturation", "soak")
SHARES = (0.25, 0.5, 0.75, 0.9, 1.1)
"""Rates asked for, as shares of what is answered when everything is due at once."""


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


def visible(server: ServeProcess, items: Sequence[str], people: Sequence[str], seconds: float) -> dict:
    """Milliseconds from sending a hide to a slate without the item, over HTTP, under 1,000 other events a second."""
    ended, sent, waits = threading.Event(), [0], []

    def noise() -> None:
        client, draw, number = Client(server.port), generator(0, "noise"), 0
        began = time.perf_counter()
        while not ended.is_set():
            rows = [
                {
                    "event_id": f"noise-{number}-{place}",
                    "user_id": people[draw.integers(len(people))],
                    "item_id": items[draw.integers(len(items))],
                    "action": "click",
                }
                for place in range(100)
            ]
            sent[0] += client.ask("/v1/events", {"events": rows})[1].get("accepted", 0)
            number += 1
            ended.wait(max(0.0, began + number * 0.1 - time.perf_counter()))

    sender = threading.Thread(target=noise)
    sender.start()
    client, began, number = Client(server.port), time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        number += 1
        user = people[number % len(people)]
        entries = client.ask(f"/v1/homefeed?user={user}&n=5")[1]["entries"]
        if not entries:
            continue
        item = entries[0]["item_id"]
        hide = {"user_id": user, "item_id": item, "action": "hide", "event_id": f"hide-{number}"}
        hid = time.perf_counter()
        client.ask("/v1/events", hide)
        while item in [one["item_id"] for one in client.ask(f"/v1/homefeed?user={user}&n=5")[1]["entries"]]:
            time.sleep(0.005)
        waits.append(1000 * (time.perf_counter() - hid))
    ended.set()
    sender.join()
    return {
        "hides": len(waits),
        "other_events_per_s": round(sent[0] / (time.perf_counter() - began)),
        "p50_ms": round(float(np.percentile(waits, 50)), 1),
        "p99_ms": round(float(np.percentile(waits, 99)), 1),
    }


def saturation(server: ServeProcess, people: Sequence[str], seconds: float) -> dict:
    """Latency at rising rates, each for some seconds; how many requests a second two workers answer at most."""
    loaded(server.port, people, 20.0, 3.0)  # warms both workers
    cpu, began = server.cpu_s(), time.perf_counter()
    stop = threading.Event()
    threading.Timer(seconds, stop.set).start()
    flat = loaded(server.port, people, 1000.0, seconds, stop)  # far more is due than can be answered
    wall, spent = time.perf_counter() - began, server.cpu_s() - cpu
    most = len(flat.waits_s) / wall
    rows = []
    for share in SHARES:
        load = loaded(server.port, people, round(most * share, 1), seconds)
        rows.append({"share": share, **load.row()})
        print(rows[-1], flush=True)
    return {
        "most_per_s": round(most, 1),
        "cpu_ms_per_request": round(1000 * spent / len(flat.waits_s), 1),
        "cores_in_use": round(spent / wall, 2),
        "load_of_machine": [round(one, 1) for one in os.getloadavg()],
        "memory_mb": server.memory_mb(),
        "rows": rows,
    }


def memory(live: LiveWorkspace) -> dict:
    """Resident memory, and what a release holds of each item beyond its vectors: tables, names, indexes, neighbours."""
    release = live.edition.release
    parts = {
        "catalogue": (release.items, release.row_of, release.categories, release.created_at),
        "vector indexes": list(release.indexes.values()),
        "neighbours": release.cooccurrence,
        "words": release.lexical,
        "interests": release.interests,
    }
    items = max(len(release.items), 1)
    each = {name: round(held_bytes(part, set()) / items) for name, part in parts.items()}
    return {"resident_mb": round(resident_mb()), "bytes_per_item": each, "together": sum(each.values())}


def held_bytes(thing: object, met: set[int]) -> int:
    """Bytes of the arrays, tables and texts a thing leads to, each once."""
    if id(thing) in met or thing is None:
        return 0
    met.add(id(thing))
    own = getattr(thing, "size_bytes", None) or getattr(thing, "nbytes", None)
    if isinstance(own, int):
        return own
    if isinstance(thing, (str, bytes, int, float)):
        return sys.getsizeof(thing)
    if isinstance(thing, dict):
        return sys.getsizeof(thing) + sum(held_bytes(one, met) for pair in thing.items() for one in pair)
    if isinstance(thing, (list, tuple, set, frozenset)):
        return sys.getsizeof(thing) + sum(held_bytes(one, met) for one in thing)
    return sum(held_bytes(one, met) for one in getattr(thing, "__dict__", {}).values())


def run(script: str, *arguments: str) -> None:
    subprocess.run([sys.executable, str(HERE / script), *arguments], check=True)


def in_process(workspace: Path, parts: set[str], count: int) -> dict:
    """What is measured without HTTP, in a process that leaves memory as a server does."""
    if not parts & {"memory", "ingest"}:
        return {}
    live = LiveWorkspace(Workspace.open(workspace))
    gc.collect()
    gc.freeze()
    found = {}
    if "memory" in parts:
        found["memory"] = memory(live)
    if "ingest" in parts:
        found["ingest"] = ingest(live, count)
    return found


def over_http(workspace: Path, parts: set[str], seconds: float, log: Path) -> dict:
    """What is measured of a server with two workers."""
    if not parts & {"visible", "saturation"}:
        return {}
    with_candidates(workspace / "bowerbird.toml", CANDIDATES)
    space = Workspace.open(workspace)
    people, items = space.workbench().people.ids, space.workbench().items.vocabulary.ids
    found = {}
    with served(workspace, 2, log) as server:
        if "saturation" in parts:
            found["saturation"] = saturation(server, people, seconds)
        if "visible" in parts:
            found["visible"] = visible(server, items, people, seconds)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--large", type=Path)
    parser.add_argument("--out", type=Path, default=Path("numbers/serving"))
    parser.add_argument("--requests", type=int, default=300)
    parser.add_argument("--batches", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=8.0, help="at each rate")
    parser.add_argument("--soak-s", type=float, default=0.0)
    parser.add_argument("--only", default=",".join(PARTS))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    parts, big = set(options.only.split(",")), options.large or options.workspace
    latency, score, soak = (options.out / f"{name}.json" for name in ("latency", "score", "soak"))
    if "latency" in parts:
        run("serving_latency.py", str(big), "--json", str(latency), "--requests", str(options.requests))
    if "score" in parts:
        subprocess.run(
            [sys.executable, "-m", "bowerbird", "bench", "score", "--json", str(score)], check=True
        )
    document = options.out / "serving.json"
    found = json.loads(document.read_text()) if document.exists() else {}
    with tempfile.TemporaryDirectory(dir=big.parent) as folder:
        copy = Path(folder) / "workspace"
        if parts & {"ingest", "memory", "visible", "saturation"}:
            shutil.copytree(big, copy, copy_function=os.link)  # tables are never written in place ...
            written = [copy / "bowerbird.toml", *copy.glob("events/*.sqlite*"), *copy.glob("state/**/*")]
            for path in filter(Path.is_file, written):
                data = path.read_bytes()  # ... these are
                path.unlink()
                path.write_bytes(data)
            found |= in_process(copy, parts, options.batches)
            found |= over_http(copy, parts, options.seconds, options.out / "server.log")
    if options.soak_s and "soak" in parts:
        run("serving_soak.py", str(options.workspace), "--seconds", str(options.soak_s), "--json", str(soak))
    for path in (latency, soak):
        if path.exists():
            found[path.stem] = json.loads(path.read_text())
    document.write_text(json.dumps(found, indent=1))
    if "saturation" in found:
        (options.out / "saturation.svg").write_text(curve_svg(found["saturation"]))
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
