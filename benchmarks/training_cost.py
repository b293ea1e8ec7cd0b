"""CPU-seconds an epoch of SASRec, ours beside RecTools': 64 numbers, 2 blocks, the latest 50 events, one thread.

Example::

    python -m venv rectools && rectools/bin/pip install "rectools[torch]"
    python benchmarks/training_cost.py ml_100k/interactions.parquet --rectools rectools/bin/python

Leave-last-out, so the last two events of a person are not learnt from. Both learn the same targets in an
epoch: those among a person's latest 51 events; a second row of ours learns every event. An epoch's
cost is that of several more epochs in one fit, so starting up does not count. Without --rectools only ours
is measured.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer

from bowerbird.datasets.tables import read_table
from bowerbird.evaluation.splits import leave_one_out
from bowerbird.nn.causal_blocks import AttentionBlock
from bowerbird.nn.dropout import MaskStream
from bowerbird.nn.sequence_encoder import ItemVectors, SequenceEncoder
from bowerbird.recommenders.interactions import Interactions
from bowerbird.recommenders.sequence_inputs import sequence_data_of
from bowerbird.training.loop import LoopSettings, train
from bowerbird.training.next_item import NextItemModel, NextItemTask

DIM, BLOCKS, HEADS, LENGTH, RATE = 64, 2, 2, 50, 0.2


def main(
    events: Annotated[Path, typer.Argument(help="Events with user_id, item_id and at or pos.")],
    rectools: Annotated[Path | None, typer.Option(help="Python of an environment with RecTools.")] = None,
    epochs: Annotated[int, typer.Option(help="Epochs measured.")] = 3,
    tokens: Annotated[int, typer.Option(help="Places of a batch of ours.")] = 4096,
    users: Annotated[int, typer.Option(help="Users of a batch of RecTools'.")] = 128,
) -> None:
    """Print the table."""
    torch.set_num_threads(1)
    learnt = leave_one_out(Interactions.from_table(read_table(events), events.name)).train
    latest = learnt.where(learnt.ages() <= LENGTH)
    rows = []
    for round_number in range(2):  # the order of who goes first is turned
        ours = [
            ("ours, 512 negatives, same targets", _ours(latest, 512, tokens, epochs), _targets(latest)),
            ("ours, full cross-entropy, same targets", _ours(latest, 0, tokens, epochs), _targets(latest)),
            ("ours, 512 negatives, every event", _ours(learnt, 512, tokens, epochs), _targets(learnt)),
        ]
        theirs = (
            [("RecTools, full cross-entropy", _theirs(latest, rectools, users, epochs), _targets(latest))]
            if rectools
            else []
        )
        rows += ours + theirs if round_number == 0 else theirs + ours
    typer.echo("| | targets an epoch | CPU-s an epoch, two runs | microseconds a target |\n|---|---|---|---|")
    for name in dict.fromkeys(row[0] for row in rows):
        found = [(cost, targets) for one, cost, targets in rows if one == name]
        costs = " / ".join(f"{cost:.2f}" for cost, _ in found)
        least = min(cost / targets for cost, targets in found)
        typer.echo(f"| {name} | {found[0][1]:,} | {costs} | {1e6 * least:.0f} |")


def _targets(events: Interactions) -> int:
    return len(events) - int(np.unique(events.users).size)


def _ours(events: Interactions, negatives: int, tokens: int, epochs: int) -> float:
    costs = []
    for total in (1, 1, 1 + epochs):  # the first one warms up
        torch.manual_seed(0)
        masks = MaskStream()
        blocks = [AttentionBlock(DIM, HEADS, RATE, masks) for _ in range(BLOCKS)]
        model = NextItemModel(
            ItemVectors(events.items_total, DIM, masks),
            SequenceEncoder(DIM, blocks, RATE, masks, positions=LENGTH),
        )
        task = NextItemTask(
            model,
            sequence_data_of(events, times=False),
            length=LENGTH,
            tokens=tokens,
            negatives=negatives,
            cases=None,
            seed=0,
        )
        begun = time.process_time()
        train(task, LoopSettings(epochs=total))
        costs.append(time.process_time() - begun)
    return (costs[2] - costs[1]) / epochs


def _theirs(events: Interactions, python: Path, users: int, epochs: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "events.csv"
        places = np.arange(len(events))
        np.savetxt(path, np.stack([events.users, events.items, places], axis=1), fmt="%d", delimiter=",")
        script = Path(__file__).with_name("rectools_sasrec.py")
        done = subprocess.run(
            [str(python), str(script), str(path), str(epochs), str(users)],
            check=True,
            capture_output=True,
            text=True,
        )
    return float(json.loads(done.stdout.splitlines()[-1])["epoch_s"])


if __name__ == "__main__":
    typer.run(main)
