"""How long EASE's inverse takes beside plain ways to the same matrix.

Example::

    python benchmarks/ease_inverse.py --items 4000
    python benchmarks/ease_inverse.py --events sequences.parquet

Prints CPU-seconds of: the Cholesky factor alone (no inverse), the inverse by a plain Cholesky solve
against the identity, the general inverse (LU), and :func:`inverse_of_gram`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from jaxtyping import Float32
from rich.console import Console
from rich.table import Table
from scipy import sparse
from scipy.linalg import cho_factor, cho_solve, lapack

from bowerbird.datasets.tables import read_table
from bowerbird.evaluation.bench.cost import row_cost
from bowerbird.evaluation.bench.report import machine_description
from bowerbird.randomness import generator
from bowerbird.recommenders.ease import inverse_of_gram
from bowerbird.recommenders.interactions import Interactions

REGULARISATION = 100.0


def main(
    items: Annotated[int, typer.Option(help="Size of a drawn catalogue, when no events are given.")] = 4000,
    events: Annotated[Path | None, typer.Option(help="Events with user_id, item_id.")] = None,
    seed: int = 0,
) -> None:
    """Print one row per way to the inverse."""
    matrix = _drawn(items, seed) if events is None else Interactions.from_table(read_table(events)).matrix()
    ways: dict[str, Callable[[], Float32[np.ndarray, "item item"]]] = {
        "plain Cholesky solve": lambda: cho_solve(
            cho_factor(_gram(matrix), lower=True), np.eye(matrix.shape[1], dtype=np.float32)
        ),
        "Cholesky factor alone": lambda: lapack.spotrf(_gram(matrix), lower=1, overwrite_a=1)[0],
        "general inverse": lambda: np.linalg.inv(_gram(matrix)),
        "inverse_of_gram": lambda: inverse_of_gram(matrix, REGULARISATION),
    }
    table = Table("way", "CPU s", "of the plain solve", "peak MB", title=f"{matrix.shape[1]:,} items")
    table.caption = machine_description()
    seconds: dict[str, float] = {}
    for name, way in ways.items():
        with row_cost() as cost:
            way()
        seconds[name] = cost.cpu_s
        ratio = cost.cpu_s / seconds["plain Cholesky solve"]
        table.add_row(name, f"{cost.cpu_s:.2f}", f"{ratio:.2f}", f"{cost.peak_mb:,.0f}")
    Console().print(table)


def _gram(matrix: sparse.csr_array) -> Float32[np.ndarray, "item item"]:
    gram = (matrix.T @ matrix).toarray(order="F")
    gram[np.diag_indices_from(gram)] += REGULARISATION
    return gram


def _drawn(items: int, seed: int) -> sparse.csr_array:
    random = generator(seed, "ease_inverse")
    matrix = sparse.random_array((2 * items, items), density=10 / items, rng=random, dtype=np.float32)
    matrix.data.fill(1.0)
    return sparse.csr_array(matrix)


if __name__ == "__main__":
    typer.run(main)
