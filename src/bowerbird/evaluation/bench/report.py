"""The one form of every bench result: rows of estimates, as JSON for machines and a table for people.

Two sources of doubt are kept apart in each number: ``sd`` is the spread over seeds (the model's own
luck), ``se`` is the standard error over the evaluated users (the sample's luck).
"""

from __future__ import annotations

import json
import math
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from bowerbird.errors import InputError

__all__ = ["BenchData", "BenchReport", "BenchRow", "Estimate", "checkout_commit", "machine_description"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """One metric of one model: a value per seed and the standard error over the users.

    Example:
        >>> ndcg = Estimate(seeds=(0.50, 0.52), se=0.009)
        >>> round(ndcg.mean, 4), round(ndcg.sd, 4)
        (0.51, 0.0141)
    """

    seeds: tuple[float, ...]
    """The value of each seed, in order of the seeds."""
    se: float | None = None
    """Standard error over evaluated users (or queries); None where no such sample exists."""

    def __post_init__(self) -> None:
        if not self.seeds:
            raise InputError("Estimate: found no value; expected one value per seed")

    @property
    def mean(self) -> float:
        """The mean over seeds."""
        return math.fsum(self.seeds) / len(self.seeds)

    @property
    def sd(self) -> float | None:
        """The sample standard deviation over seeds; None with one seed, where it is not defined."""
        if len(self.seeds) < 2:
            return None
        if len(set(self.seeds)) == 1:
            return 0.0  # exactly, where rounding of the mean would leave dust
        mean = self.mean
        return math.sqrt(math.fsum((value - mean) ** 2 for value in self.seeds) / (len(self.seeds) - 1))

    def to_record(self) -> dict[str, Any]:
        """The JSON form: mean, sd, se, seeds."""
        return {"mean": self.mean, "sd": self.sd, "se": self.se, "seeds": list(self.seeds)}


@dataclass(frozen=True, slots=True)
class BenchData:
    """What was evaluated on; the hash tells two data sets of one name apart."""

    users: int
    items: int
    events: int
    hash: str

    def to_record(self) -> dict[str, Any]:
        """The JSON form."""
        return {"users": self.users, "items": self.items, "events": self.events, "hash": self.hash}


@dataclass(frozen=True, slots=True)
class BenchRow:
    """One model's line of the table."""

    model: str
    metrics: Mapping[str, Estimate]
    """Metric name, e.g. ``ndcg@10``, to its estimate."""
    cpu_seconds: float
    """CPU-seconds to fit and to score, mean over seeds."""
    peak_mb: float
    """Highest resident memory while the row was made, in MB."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The hyper-parameters that made the row."""

    def to_record(self) -> dict[str, Any]:
        """The JSON form: model, each metric, cpu_seconds, peak_mb, settings."""
        record: dict[str, Any] = {"model": self.model}
        record.update((name, estimate.to_record()) for name, estimate in self.metrics.items())
        record.update(cpu_seconds=self.cpu_seconds, peak_mb=self.peak_mb, settings=dict(self.settings))
        return record


def machine_description(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """What the numbers ran on: processor, cores this process may use, system, Python; no host name.

    Args:
        cpuinfo: where Linux describes the processor.
    """
    model = platform.processor() or platform.machine()
    if cpuinfo.is_file():
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
        model = next(
            (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), model
        )
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{model}, {cores} cores, {platform.system()}, Python {platform.python_version()}"


def checkout_commit(directory: Path = Path(__file__).parent) -> str:
    """The short commit of the checkout the code runs from, ``+`` added when files differ from it.

    ``unknown`` outside a git checkout, e.g. when installed from a wheel.
    """
    commit = _git(directory, "rev-parse", "--short=12", "HEAD")
    if not commit:
        return "unknown"
    return f"{commit}+" if _git(directory, "status", "--porcelain", "--untracked-files=no") else commit


@dataclass(frozen=True, slots=True)
class BenchReport:
    """The result of one bench task, ours and the baselines in the same table."""

    task: str
    """The task, e.g. ``next-item``."""
    protocol: str
    """The protocol, e.g. ``loo``."""
    data: BenchData
    rows: Sequence[BenchRow]
    notes: Sequence[str] = ()
    """What a reader must know to compare: seen items, ties, refit, what was left out and counted."""
    commit: str = field(default_factory=checkout_commit)
    machine: str = field(default_factory=machine_description)

    def to_record(self) -> dict[str, Any]:
        """The report as plain values, in the form of the design page."""
        return {
            "task": self.task,
            "protocol": self.protocol,
            "data": self.data.to_record(),
            "commit": self.commit,
            "machine": self.machine,
            "notes": list(self.notes),
            "rows": [row.to_record() for row in self.rows],
        }

    def to_json(self) -> str:
        """The report as JSON text. NaN and infinity are refused, since JSON has neither.

        Raises:
            InputError: a value of some row is not finite.
        """
        try:
            return json.dumps(self.to_record(), indent=2, allow_nan=False)
        except ValueError as error:
            raise InputError(
                f"bench {self.task}: a row holds NaN or infinity, which JSON cannot carry; "
                "expected finite numbers, check the metric of that model"
            ) from error

    def render(self, width: int | None = None) -> Table:
        """The report as a table: a line per model, ``mean ± sd (se)`` per metric.

        Args:
            width: characters a line may have; metrics that do not fit are left out from the right
                and named below. All are shown when None.
        """
        counts = {"users": self.data.users, "items": self.data.items, "events": self.data.events}
        size = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
        title = f"{self.task} · {self.protocol} · {size} · data {self.data.hash}"
        notes = "; ".join(self.notes)
        caption = f"mean ± sd over seeds (standard error) · {self.machine} · commit {self.commit}"
        names = list(dict.fromkeys(name for row in self.rows for name in row.metrics))
        shown = self._fitting(names, width)
        if len(shown) < len(names):
            caption += f"\nnot shown, in --json: {', '.join(names[len(shown) :])}"
        table = Table(
            box=None,
            pad_edge=False,
            header_style="bold",
            title=title,
            caption=escape(f"{notes}\n{caption}" if notes else caption),
        )
        table.add_column("model", no_wrap=True)
        names = shown
        for name in [*names, "cpu s", "peak MB"]:
            table.add_column(name, justify="right", no_wrap=True)
        for row in self.rows:
            cells = [_cell(row.metrics.get(name)) for name in names]
            table.add_row(escape(row.model), *cells, f"{row.cpu_seconds:,.2f}", f"{row.peak_mb:,.0f}")
        return table

    def _fitting(self, names: list[str], width: int | None) -> list[str]:
        """The first metrics whose columns fit beside the model's name and its cost."""
        if width is None:
            return names
        margin = 2  # between columns
        used = max([5, *(len(row.model) for row in self.rows)]) + margin
        used += max([5, *(len(f"{row.cpu_seconds:,.2f}") for row in self.rows)]) + margin
        used += max([7, *(len(f"{row.peak_mb:,.0f}") for row in self.rows)]) + margin
        for place, name in enumerate(names):
            cells = [len(_cell(row.metrics.get(name))) for row in self.rows]
            used += max([len(name), *cells]) + margin
            if used > width and place > 0:
                return names[:place]
        return names


def _cell(estimate: Estimate | None) -> str:
    if estimate is None:
        return "-"
    digits = 4 if abs(estimate.mean) < 10 else 1
    text = _short(estimate.mean, digits)
    if estimate.sd:  # one seed has none, and a model without randomness has zero
        text += f" ± {_short(estimate.sd, digits)}"
    return text if estimate.se is None else f"{text} ({_short(estimate.se, digits)})"


def _short(value: float, digits: int) -> str:
    """A number without the zero before its point: the tables of this field are written so."""
    text = f"{value:,.{digits}f}"
    return text.replace("0.", ".", 1) if text.startswith(("0.", "-0.")) else text


def _git(directory: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(directory), *arguments], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
