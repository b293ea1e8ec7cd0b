"""People per CPU-second when their vectors are made in a batch, beside a plain PyTorch loop that pads to the full length.

Example::

    python benchmarks/user_vectors.py --events events.parquet      # lengths of real histories
    python benchmarks/user_vectors.py                              # lengths drawn: most short, some long

The same weights, one thread, histories cut to the newest 256. The plain loop takes 128 people at a time in the order they
come and pads everybody to 256, float32, as a first script does. Both give the same vectors.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer

from bowerbird.datasets.tables import read_table
from bowerbird.recommenders.interactions import Interactions
from bowerbird.recommenders.ours import gated_blocks
from bowerbird.recommenders.sequence_model import Recipe, SequenceSettings, _network
from bowerbird.training.batches import Ragged, padded
from bowerbird.training.next_item import NextItemModel, SequenceData, query_vectors

LENGTH, BATCH, ITEMS = 256, 128, 5_000


def main(
    events: Annotated[Path | None, typer.Option(help="Events whose history lengths are used.")] = None,
    people: Annotated[int, typer.Option(help="Most people.")] = 2_000,
) -> None:
    """Print people per CPU-second."""
    torch.set_num_threads(1)
    random = np.random.default_rng(0)
    if events is not None:
        found = Interactions.from_table(read_table(events))
        lengths = random.permutation(np.bincount(found.users))[:people]
    else:
        lengths = np.maximum(1, random.lognormal(3.0, 1.2, people)).astype(np.int64)
    bounds = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    items = random.integers(0, ITEMS, int(bounds[-1])).astype(np.int32)
    shape = Interactions(items[:1], items[:1], np.array(["u"]), np.arange(ITEMS).astype(str))
    model = _network(shape, Recipe(SequenceSettings(), gated_blocks), 0.0, LENGTH, 0).eval()
    data = SequenceData(Ragged(bounds), items)

    began = time.process_time()
    plain = _padded_loop(model, bounds, items)
    plain_s = time.process_time() - began
    began = time.process_time()
    exact = query_vectors(model, data, LENGTH)
    exact_s = time.process_time() - began
    began = time.process_time()
    torch.set_float32_matmul_precision("medium")  # products in bfloat16 units where the processor has them
    query_vectors(model, data, LENGTH)
    torch.set_float32_matmul_precision("highest")
    fast_s = time.process_time() - began
    print(
        f"{len(lengths):,} people, mean length {np.minimum(lengths, LENGTH).mean():.0f} of at most {LENGTH}"
    )
    print(f"largest difference {np.abs(plain - exact).max():.1e}")
    for name, seconds in (("padded loop", plain_s), ("ours", exact_s), ("ours, bfloat16 products", fast_s)):
        print(f"{name:24} {len(lengths) / seconds:8.0f} people per CPU-second, {plain_s / seconds:.1f}x")


def _padded_loop(model: NextItemModel, bounds: np.ndarray, items: np.ndarray) -> np.ndarray:
    found = []
    with torch.no_grad():
        table = model.items()
        for start in range(0, len(bounds) - 1, BATCH):
            ends = bounds[start + 1 : start + BATCH + 1]
            starts = np.maximum(bounds[start : start + len(ends)], ends - LENGTH)
            rows = padded(items, starts, ends).astype(np.int64)
            rows = np.pad(rows, ((0, 0), (0, LENGTH - rows.shape[1])))
            hidden = model.encoder(torch.nn.functional.embedding(torch.from_numpy(rows), table))
            found.append(hidden[torch.arange(len(ends)), torch.from_numpy(ends - starts - 1)].numpy())
    return np.concatenate(found)


if __name__ == "__main__":
    typer.run(main)
