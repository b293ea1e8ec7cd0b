"""What choosing a slate costs, and what looking up a lifelong history costs.

Example::

    python benchmarks/slate_and_lifelong.py --candidates 500 --n 25 --dim 256

Prints CPU-milliseconds of each diversifier over the same drawn candidates, and of the nearest actions of
histories of several lengths beside a full sort.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from bowerbird.arrays import normalise
from bowerbird.evaluation.bench.report import machine_description
from bowerbird.randomness import generator
from bowerbird.ranking.lifelong import NEAREST, CompactItems
from bowerbird.records.history import History
from bowerbird.records.signal import Space, Vectors
from bowerbird.slate.diversity import dpp, mmr
from bowerbird.slate.spectrum import ssd

ITEMS = 20_000


def main(candidates: int = 500, n: int = 25, dim: int = 256, repeats: int = 20, seed: int = 0) -> None:
    """Print both tables."""
    rng = generator(seed, "slate benchmark")
    value = rng.random(candidates).astype(np.float32)
    vectors = normalise(rng.normal(size=(candidates, dim)))
    table = Table("diversifier", "CPU ms", title=f"{n} of {candidates} candidates of {dim} numbers")
    ways: dict[str, Callable[[], object]] = {
        "ssd, window 8": lambda: ssd(value, vectors, n, 0.3, 8),
        "dpp, greedy": lambda: dpp(value, vectors, n, 0.7),
        "mmr": lambda: mmr(value, vectors, n, 0.7),
    }
    for name, way in ways.items():
        table.add_row(name, f"{_ms(way, repeats):.2f}")
    items = Vectors.full(Space("item", "1", dim), normalise(rng.normal(size=(ITEMS, dim))))
    compact, rows = CompactItems.of(items), rng.integers(ITEMS, size=candidates).astype(np.int32)
    lifelong = Table(
        "actions", "CPU ms", "full sort of floats", title=f"nearest {NEAREST} of {candidates} candidates"
    )
    for steps in (200, 1000, 10_000):
        history = History(
            rng.integers(ITEMS, size=steps).astype(np.int32), np.arange(steps), np.zeros(steps, np.int8)
        )
        fast = _ms(lambda history=history: compact.nearest(history, rows, ITEMS), repeats)
        slow = _ms(lambda history=history: _sorted(items, history, rows), 2)
        lifelong.add_row(f"{steps:,}", f"{fast:.1f}", f"{slow:.1f}")
    console = Console()
    console.print(table, lifelong, machine_description())


def _sorted(items: Vectors, history: History, rows: np.ndarray) -> np.ndarray:
    similarity = items.matrix[rows] @ items.matrix[history.rows].T
    return np.argsort(-similarity, axis=1, kind="stable")[:, :NEAREST]


def _ms(way: Callable[[], object], repeats: int) -> float:
    way()
    began = time.process_time()
    for _ in range(repeats):
        way()
    return (time.process_time() - began) * 1000 / repeats


if __name__ == "__main__":
    typer.run(main)
