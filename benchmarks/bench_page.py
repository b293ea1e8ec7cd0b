"""A page of bench tables: commands that write JSON, and the tables between two markers of a document."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

ROOT = Path(__file__).resolve().parent.parent
END = "<!-- numbers: end -->"


@dataclass(frozen=True)
class Part:
    """One measurement: a bench command that writes JSON, and how its table is headed."""

    name: str
    title: str
    arguments: tuple[str, ...]
    columns: tuple[str, ...] = ()
    """Metrics to show, in order; all of the first row when empty."""


@dataclass(frozen=True)
class Page:
    """Where results are kept and shown."""

    target: str
    """The make target, named in the marker."""
    out: Path
    path: Path
    parts: Sequence[Part]

    def run(self, only: str, *, render: bool, missing: bool = False) -> None:
        """Measure the wanted parts, unless only rendering is asked for, and write the page after each.

        Args:
            only: names of parts by comma; all when empty.
            render: measure nothing.
            missing: leave out parts that have a result.
        """
        self.out.mkdir(parents=True, exist_ok=True)
        wanted = {name for name in only.split(",") if name}
        for part in self.parts:
            done = missing and (self.out / f"{part.name}.json").exists()
            if not render and not done and (not wanted or part.name in wanted):
                self._measure(part)
                self._write()
        self._write()

    def _measure(self, part: Part) -> None:
        """Run one bench; its JSON is kept."""
        typer.echo(f"== {part.name}")
        data = data_folder()
        if any("{data}" in one for one in part.arguments) and not data.exists():
            typer.echo(f"   skipped: {data} is not here; set BOWERBIRD_DATA to the folder of public sets")
            return
        arguments = [one.format(data=data, out=self.out) for one in part.arguments]
        target = str(self.out / f"{part.name}.json")
        subprocess.run(
            [sys.executable, "-m", "bowerbird", "bench", *arguments, "--json", target],
            check=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )

    def _write(self) -> None:
        """Put every kept result between the page's markers; a part without one keeps its section of the page."""
        begin = f"<!-- numbers: begin (make {self.target}) -->"
        before, _, rest = self.path.read_text(encoding="utf-8").partition(begin)
        old, _, after = rest.partition(END)
        written = {f"## {one.splitlines()[0]}": f"## {one.strip()}" for one in old.split("\n## ")[1:]}
        sections = [
            _section(part, self.out / f"{part.name}.json") or written.get(f"## {part.title}", "")
            for part in self.parts
        ]
        body = "\n\n".join(section for section in sections if section)
        self.path.write_text(f"{before}{begin}\n\n{body}\n\n{END}{after}", encoding="utf-8")
        typer.echo(f"wrote {self.path}")


def data_folder() -> Path:
    """Where the public sets are."""
    return Path(os.environ.get("BOWERBIRD_DATA", ROOT / "../shared/data"))


def _section(part: Part, path: Path) -> str:
    """One bench as a table."""
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
        cells = [number(row.get(metric)) for metric in metrics]
        cells += [f"{row.get('cpu_seconds') or 0:,.1f}", f"{row.get('peak_mb') or 0:,.0f}"]
        lines.append(f"| {row['model']} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", *(f"- {note}" for note in report["notes"])])


def _metrics(row: dict[str, Any]) -> list[str]:
    return [name for name, value in row.items() if isinstance(value, dict) and "mean" in value]


def number(value: dict[str, Any] | None, digits: int = 3) -> str:
    """A mean with its standard error, and its deviation over seeds where there are several."""
    if value is None or value.get("mean") is None:
        return ""
    form = f".{digits}f" if abs(value["mean"]) < 10 else ",.0f"
    text = f"{value['mean']:{form}}"
    if value.get("se") is not None and abs(value["mean"]) < 10:
        text += f" (se {value['se']:{form}})"
    if value.get("sd") and len(value.get("seeds", [])) > 1:
        text += f" ± {value['sd']:{form}}"
    return text
