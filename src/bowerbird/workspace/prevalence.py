"""Sampling a workspace's items for people to label, and reading their labels back."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from jaxtyping import Float64

from bowerbird.clock import DAY_US
from bowerbird.datasets import columns
from bowerbird.datasets.columns import texts
from bowerbird.datasets.tables import read_table
from bowerbird.errors import InputError, NotReadyError
from bowerbird.evaluation.prevalence import (
    Prevalence,
    PrevalenceSample,
    estimated_prevalence,
    prevalence_sample,
)
from bowerbird.stores.atomic import write_atomically
from bowerbird.workspace.workbench import Workbench

__all__ = ["LabelledPrevalence", "SampleOptions", "labelled_prevalence", "write_sample"]

COLUMNS = ("item_id", "title", "category", "risk", "draws", "weight", "label")
_BAD = {
    "1": True,
    "yes": True,
    "true": True,
    "bad": True,
    "0": False,
    "no": False,
    "false": False,
    "ok": False,
}


@dataclass(frozen=True)
class SampleOptions:
    """What is sampled and how."""

    of: str = "nsfw"
    """The risk: ``nsfw`` or ``spam``."""
    risk: Path | None = None
    """A table with ``item_id, risk`` instead: anybody's score of anything."""
    draws: int = 200
    days: float | None = None
    """Only impressions of so many days before the build's time count."""
    seed: int = 7


@dataclass(frozen=True)
class LabelledPrevalence:
    """What labels say, and how many are missing."""

    found: Prevalence
    unlabelled: int


def write_sample(bench: Workbench, to: Path, options: SampleOptions) -> tuple[PrevalenceSample, str]:
    """Draw items and write them as a csv for people to fill in ``label``; the sample, and what was counted.

    Raises:
        NotReadyError: no item has such a score.
        InputError: the risk file lacks a column or a number is out of range.
        StorageError: the file cannot be written.
    """
    risk, seen, counted = _risk(bench, options), _impressions(bench, options.days), "impressions"
    if not seen.any():
        seen, counted = np.ones(len(bench.items)), "items, because the log holds no impressions"
    sample = prevalence_sample(seen, risk, options.draws, options.seed)
    text = io.StringIO()
    lines = csv.writer(text)
    lines.writerow(COLUMNS)
    titles, categories = bench.items.column("title"), bench.items.column("category")
    for row, draws, weight in zip(sample.rows.tolist(), sample.draws, sample.weights.tolist(), strict=True):
        known = "" if np.isnan(risk[row]) else f"{risk[row]:.4f}"
        facts = (bench.items.vocabulary.id(row), titles[row] or "", categories[row] or "")
        lines.writerow([*facts, known, int(draws), repr(weight), ""])
    write_atomically(to, text.getvalue().encode())
    return sample, counted


def labelled_prevalence(file: Path) -> LabelledPrevalence:
    """The prevalence a sample's labels give.

    Raises:
        InputError: a column is missing, a cell cannot be read, or too few are labelled.
    """
    table = read_table(file)
    missing = [name for name in ("draws", "weight", "label") if name not in table.column_names]
    if missing:
        raise InputError(
            f"{file.name}: no column {', '.join(map(repr, missing))}; found {', '.join(table.column_names)}; "
            "expected a file that `bowerbird quality prevalence --to` wrote"
        )
    draws, weights = (_numbers(texts(table[name]).to_pylist(), name, file) for name in ("draws", "weight"))
    words = [(word or "").strip().lower() for word in texts(table["label"]).to_pylist()]
    for row, word in enumerate(words, start=2):
        if word and word.removesuffix(".0") not in _BAD:
            raise InputError(
                f"{file.name} line {row}: label {word[:40]!r}; expected 1 (bad), 0 (fine) or nothing"
            )
    told = np.array([bool(word) for word in words], dtype=bool)
    bad = np.array([_BAD.get(word.removesuffix(".0"), False) for word in words], dtype=bool)
    found = estimated_prevalence(bad[told], draws[told].astype(np.int64), weights[told])
    return LabelledPrevalence(found, int((~told).sum()))


def _numbers(cells: list[str | None], name: str, file: Path) -> Float64[np.ndarray, "row"]:
    values, bad = columns.numbers(pa.array(cells, pa.string()))
    found = values.to_numpy(zero_copy_only=False)
    if bad.any() or np.isnan(found).any():
        row = int((bad | np.isnan(found)).argmax())
        raise InputError(f"{file.name} line {row + 2}: {name} is {cells[row]!r}; expected a number")
    return found


def _risk(bench: Workbench, options: SampleOptions) -> Float64[np.ndarray, "item"]:
    risk = np.full(len(bench.items), np.nan)
    if options.risk is not None:
        table = read_table(options.risk)
        missing = [name for name in ("item_id", "risk") if name not in table.column_names]
        if missing:
            raise InputError(
                f"{options.risk.name}: no column {missing[0]!r}; found {', '.join(table.column_names)}"
            )
        rows = bench.items.vocabulary.rows(texts(table["item_id"]).to_pylist())
        if (rows < 0).all():
            raise InputError(f"{options.risk.name}: none of its {rows.size:,} item_ids is in the catalogue")
        values = _numbers(texts(table["risk"]).to_pylist(), "risk", options.risk)
        risk[rows[rows >= 0]] = values[rows >= 0]
    elif bench.signals.card("safety") is not None:
        table = bench.signals.table("safety")
        mine = table.filter(
            np.array([name == options.of for name in table.column("name").to_pylist()], dtype=bool)
        )
        rows = bench.items.vocabulary.rows(mine.column("item_id").to_pylist())
        risk[rows[rows >= 0]] = mine.column("value").to_numpy()[rows >= 0]
    if np.isnan(risk).all():
        raise NotReadyError(
            f"prevalence: no item has a score of {options.of!r}; run `bowerbird build` with it switched on "
            "(content.nsfw), or give scores of your own with --risk"
        )
    return risk


def _impressions(bench: Workbench, days: float | None) -> Float64[np.ndarray, "item"]:
    rows = np.arange(len(bench.items), dtype=np.int32)
    since = 0 if days is None else bench.as_of - round(days * DAY_US)
    return bench.counts.counts(rows, ("impression",), since, bench.as_of).astype(np.float64)
