"""CPU-seconds an epoch of RecTools' SASRec; run by training_cost.py in RecTools' own environment.

Example::

    python benchmarks/rectools_sasrec.py events.csv 3 128   # epochs measured, users a batch

Reads users, items and places in order; prints one line of JSON.
"""

import json
import logging
import sys
import time
import warnings

import pandas as pd
import torch
from pytorch_lightning import Trainer
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import SASRecModel


def seconds(dataset: Dataset, epochs: int, batch: int) -> float:
    """CPU-seconds of a fit."""
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    model = SASRecModel(
        n_factors=64,
        n_blocks=2,
        n_heads=2,
        session_max_len=50,
        loss="softmax",
        batch_size=batch,
        epochs=epochs,
        get_trainer_func=lambda: Trainer(
            max_epochs=epochs, accelerator="cpu", enable_model_summary=False, **quiet
        ),
    )
    begun = time.process_time()
    model.fit(dataset)
    return time.process_time() - begun


def main() -> None:
    """Measure and print."""
    warnings.filterwarnings("ignore")
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    torch.set_num_threads(1)
    path, epochs, batch = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    events = pd.read_csv(path, names=[Columns.User, Columns.Item, "place"])
    events[Columns.Datetime] = pd.Timestamp(0) + pd.to_timedelta(events.pop("place"), unit="s")
    events[Columns.Weight] = 1.0
    dataset = Dataset.construct(events)
    seconds(dataset, 1, batch)  # warms up
    one, more = seconds(dataset, 1, batch), seconds(dataset, 1 + epochs, batch)
    sys.stdout.write(json.dumps({"first_s": one, "epoch_s": (more - one) / epochs}) + "\n")


if __name__ == "__main__":
    main()
