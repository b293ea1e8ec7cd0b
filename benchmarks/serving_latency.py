"""CPU and wall milliseconds of a homefeed request in a warm server, inside the process and over HTTP.

Usage: python benchmarks/serving_latency.py WORKSPACE [--requests 300] [--candidates 500] [--json OUT]

People are drawn from those with a history, each asked once per round. "In process" is the pipeline
alone; "application" adds routing, limits and JSON through ASGI; "HTTP" is a real server in its own
process, asked by one client on one connection. CPU is the serving process's own time. "In process, network" has a
neural ranker in place of the workspace's, with drawn weights, and everybody's history is encoded anew; it needs torch.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

for _library in ("OMP", "OPENBLAS", "MKL"):
    os.environ.setdefault(f"{_library}_NUM_THREADS", "1")

import anyio  # noqa: E402 - the lines above must run first
import numpy as np  # noqa: E402

from bowerbird.extras import installed  # noqa: E402
from bowerbird.pipeline.settings import SurfaceSettings  # noqa: E402
from bowerbird.randomness import generator  # noqa: E402
from bowerbird.records.request import Request  # noqa: E402
from bowerbird.serving import make_app  # noqa: E402
from bowerbird.surfaces.answers import Answers  # noqa: E402
from bowerbird.testing.servers import cpu_seconds  # noqa: E402
from bowerbird.workspace import Workspace  # noqa: E402

WARM = 30


def with_candidates(surface: SurfaceSettings, total: int) -> SurfaceSettings:
    """The surface with quotas scaled so that its sources may bring ``total`` candidates."""
    whole = sum(source.quota for source in surface.sources.values())
    sources = {
        name: source.model_copy(update={"quota": -(-source.quota * total // whole)})
        for name, source in surface.sources.items()
    }
    return surface.model_copy(update={"sources": sources})


def summary(name: str, wall_s: list[float], cpu_s: float, candidates: float | None) -> dict:
    wall_ms = 1000 * np.array(wall_s)
    return {
        "path": name,
        "requests": len(wall_s),
        "cpu_ms": round(1000 * cpu_s / len(wall_s), 2),
        "p50_ms": round(float(np.percentile(wall_ms, 50)), 2),
        "p99_ms": round(float(np.percentile(wall_ms, 99)), 2),
        "candidates": candidates,
    }


def in_process(name: str, answers: Answers, people: list[str]) -> dict:
    wall, sizes = [], []
    for user in people[:WARM]:
        answers.answer(Request("homefeed", answers.release.as_of, user_id=user))
    cpu = time.process_time()
    for user in people:
        began = time.perf_counter()
        slate = answers.answer(Request("homefeed", answers.release.as_of, user_id=user))
        wall.append(time.perf_counter() - began)
        sizes.append(next(stage.candidates_out for stage in slate.trace if stage.stage == "blend"))
    return summary(name, wall, time.process_time() - cpu, round(float(np.mean(sizes)), 1))


def with_network(workspace: Workspace, people: list[str]) -> list[dict]:
    if not installed("torch"):
        print("torch is not installed: the network is not measured")
        return []
    from drawn_network import with_drawn_network  # beside this file

    release = with_drawn_network(workspace.answers.release, people)
    answers = Answers(release, workspace.settings.surfaces, workspace.ledger)
    return [in_process("in process, network", answers, people)]


async def through_application(workspace: Workspace, people: list[str]) -> dict:
    import httpx

    transport = httpx.ASGITransport(make_app(workspace))
    async with httpx.AsyncClient(transport=transport, base_url="http://local") as client:
        wall = []
        for user in people[:WARM]:
            (await client.get("/v1/homefeed", params={"user": user})).raise_for_status()
        cpu = time.process_time()
        for user in people:
            began = time.perf_counter()
            (await client.get("/v1/homefeed", params={"user": user})).raise_for_status()
            wall.append(time.perf_counter() - began)
        return summary("application (with its test client)", wall, time.process_time() - cpu, None)


def over_http(directory: Path, people: list[str], overrides: list[str]) -> dict:
    code = (
        "import sys, uvicorn; from bowerbird.workspace import Workspace; from bowerbird.serving import make_app;"
        "uvicorn.run(make_app(Workspace.open(sys.argv[1], sys.argv[2:])), port=8391, log_level='warning')"
    )
    server = subprocess.Popen([sys.executable, "-c", code, str(directory), *overrides])
    try:
        client = http.client.HTTPConnection("127.0.0.1", 8391)
        for _ in range(600):
            try:
                client.request("GET", "/healthz")
                client.getresponse().read()
                break
            except OSError:
                client.close()
                time.sleep(0.1)
        wall = []
        for number, user in enumerate([*people[:WARM], *people]):
            if number == WARM:
                cpu = cpu_seconds(server.pid)
            began = time.perf_counter()
            client.request("GET", f"/v1/homefeed?user={user}")
            reply = client.getresponse()
            reply.read()
            assert reply.status == 200
            if number >= WARM:
                wall.append(time.perf_counter() - began)
        return summary("HTTP", wall, cpu_seconds(server.pid) - cpu, None)
    finally:
        server.terminate()
        server.wait(20)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--requests", type=int, default=300)
    parser.add_argument("--candidates", type=int, default=500)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--profile", action="store_true", help="show where the pipeline's time goes and stop")
    options = parser.parse_args()
    plain = Workspace.open(options.workspace)
    scaled = with_candidates(plain.settings.surfaces["homefeed"], options.candidates)
    overrides = [
        f"surfaces.homefeed.sources.{name}.quota={one.quota}" for name, one in scaled.sources.items()
    ]
    workspace = Workspace.open(options.workspace, overrides)
    release = workspace.answers.release
    active = [
        row for row in range(len(release.people)) if len(release.sequences.history(row, release.as_of)) > 0
    ]
    drawn = generator(0, "serving latency").choice(
        active, size=options.requests, replace=options.requests > len(active)
    )
    people = release.people.names(drawn.tolist())
    if options.profile:
        import cProfile

        in_process("", workspace.answers, people)
        profile = cProfile.Profile()
        profile.runcall(in_process, "", workspace.answers, people)
        profile.print_stats("tottime")
        return
    rows = [
        in_process("in process", workspace.answers, people),
        *with_network(workspace, people),
        anyio.run(through_application, workspace, people),
        over_http(options.workspace, people, overrides),
    ]
    report = {"task": "serve", "machine": f"{platform.machine()}, {os.cpu_count()} cores", "rows": rows}
    for row in rows:
        print("  ".join(f"{name} {value}" for name, value in row.items() if value is not None))
    if options.json:
        options.json.write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
