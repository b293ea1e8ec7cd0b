"""Measures the content numbers and writes them into docs/numbers-content.md.

Example::

    make numbers-content                                        # everything
    python benchmarks/measure_content.py --only flickr8k,knn    # some parts again
    python benchmarks/measure_content.py --render               # only write the page from numbers/content/

Each part is one ``bowerbird bench`` command in a process of its own. Parts on public data sets need them in
the folder that BOWERBIRD_DATA names, else in ``../shared/data``; a part whose data is absent says so and
keeps its last result. A part is one entry of :data:`PARTS`; ``{data}`` stands for that folder.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "numbers" / "content"
PAGE = ROOT / "docs" / "numbers-content.md"
BEGIN, END = "<!-- numbers: begin (make numbers-content) -->", "<!-- numbers: end -->"
FLICKR = ("--images", "{data}/flickr8k_224", "--captions", "{data}/flickr8k_224/captions.parquet")
MYNTRA = ("--images", "{data}/myntra_fashion", "--captions", "{data}/myntra_fashion/styles.parquet")
CLOTHING = ("--images", "{data}/clothing_small", "--captions", "{data}/clothing_small/labels.parquet")


@dataclass(frozen=True)
class Part:
    """One measurement: a bench command that writes JSON, and how its table is headed."""

    name: str
    title: str
    arguments: tuple[str, ...]
    columns: tuple[str, ...] = ()
    """Metrics to show, in order; all of the first row when empty."""


PARTS = (
    Part(
        "image-text",
        "Texts and pictures that find each other; Flickr8k (dev), Myntra titles and clothing classes (drawn test)",
        ("image-text", *FLICKR, *MYNTRA, *CLOTHING),
        ("t2i r@1", "t2i r@10", "i2t r@1", "i2t r@10", "t2i r@10, 64 numbers", "t2i r@10, int8"),
    ),
    Part(
        "knn",
        "Clothing classes (validation) by neighbours, by a probe and by names alone",
        (
            *("knn", "--images", "{data}/clothing_small"),
            *("--labels", "{data}/clothing_small/labels.parquet", "--columns", "label"),
        ),
        ("knn-20", "probe", "zero-shot"),
    ),
    Part("encode", "Pictures and texts to vectors", ("encode",)),
)


def main(
    only: Annotated[str, typer.Option(help="Parts by comma; all when empty.")] = "",
    render: Annotated[bool, typer.Option("--render", help="Measure nothing, only write the page.")] = False,
) -> None:
    """Measure the content numbers."""
    OUT.mkdir(parents=True, exist_ok=True)
    wanted = {name for name in only.split(",") if name}
    for part in PARTS:
        if not render and (not wanted or part.name in wanted):
            _measure(part)
    _write_page()


def _measure(part: Part) -> None:
    """Run one bench; its JSON is kept."""
    typer.echo(f"== {part.name}")
    data = Path(os.environ.get("BOWERBIRD_DATA", ROOT / "../shared/data"))
    if any("{data}" in one for one in part.arguments) and not data.exists():
        typer.echo(f"   skipped: {data} is not here; set BOWERBIRD_DATA to the folder of public sets")
        return
    arguments = [one.format(data=data) for one in part.arguments]
    command = [
        sys.executable,
        "-m",
        "bowerbird",
        "bench",
        *arguments,
        "--json",
        str(OUT / f"{part.name}.json"),
    ]
    subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})


def _write_page() -> None:
    """Put every kept result between the page's markers."""
    sections = [_section(part) for part in PARTS]
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    body = "\n\n".join(section for section in sections if section)
    PAGE.write_text(f"{before}{BEGIN}\n\n{body}\n\n{END}{after}", encoding="utf-8")
    typer.echo(f"wrote {PAGE}")


def _section(part: Part) -> str:
    """One bench as a table."""
    path = OUT / f"{part.name}.json"
    if not path.exists():
        return ""
    report = json.loads(path.read_text(encoding="utf-8"))
    rows = report["rows"]
    known = {
        name for row in rows for name, value in row.items() if isinstance(value, dict) and "mean" in value
    }
    metrics = [name for name in part.columns or _metrics(rows[0]) if name in known]
    data = report["data"]
    counts = ", ".join(f"{data[name]:,} {name}" for name in ("items", "events") if data.get(name))
    lines = [
        f"## {part.title}",
        "",
        f"{counts}; data {data['hash'][:12]}, commit {report['commit'][:9]}, {report['machine']}.",
        "",
        "| model | " + " | ".join(metrics) + " | CPU s | peak MB |",
        "|---" * (len(metrics) + 3) + "|",
    ]
    for row in rows:
        cells = [_number(row.get(metric)) for metric in metrics]
        cells += [f"{row.get('cpu_seconds') or 0:,.1f}", f"{row.get('peak_mb') or 0:,.0f}"]
        lines.append(f"| {row['model']} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", *(f"- {note}" for note in report["notes"])])


def _metrics(row: dict[str, Any]) -> list[str]:
    return [name for name, value in row.items() if isinstance(value, dict) and "mean" in value]


def _number(value: dict[str, Any] | None) -> str:
    """A mean with its standard error, and its deviation over seeds where there are several."""
    if value is None or value.get("mean") is None:
        return ""
    mean = value["mean"]
    text = f"{mean:.3f}" if abs(mean) < 10 else f"{mean:,.0f}"
    if value.get("se") is not None and abs(mean) < 10:
        text += f" (se {value['se']:.3f})"
    if value.get("sd") and len(value.get("seeds", [])) > 1:
        text += f" ± {value['sd']:.3f}"
    return text


if __name__ == "__main__":
    typer.run(main)
