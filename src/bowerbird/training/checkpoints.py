"""Checkpoints of a training run: all it needs to go on as if it had never stopped."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor

from bowerbird.errors import InputError
from bowerbird.stores.atomic import storage_errors, write_atomically

__all__ = ["Checkpoint", "Progressed"]

_LENGTH_BYTES = 8


@dataclass
class Progressed:
    """How far a run is; the part of a checkpoint that is no tensor."""

    fingerprint: str
    """What is being trained on what; a checkpoint of another run is refused."""
    step: int = 0
    """Updates done."""
    epoch: int = 0
    """The epoch the next batch belongs to."""
    batch: int = 0
    """Batches of that epoch already done."""
    losses: list[float] = field(default_factory=list)
    """The loss of each update."""
    validations: list[float] = field(default_factory=list)
    """The validation metric after each epoch, larger is better."""
    best_epoch: int = -1
    """The epoch whose validation was best; -1 before the first."""
    cpu_s: float = 0.0
    """CPU-seconds spent so far, all processes of the run together."""


@dataclass
class Checkpoint:
    """One file: a header of JSON and the tensors, written so that a kill leaves the old one or the new."""

    path: Path

    def write(self, progressed: Progressed, tensors: dict[str, Tensor]) -> None:
        """Replace the file."""
        header = json.dumps(asdict(progressed)).encode()
        data = save({name: tensor.detach().contiguous().cpu() for name, tensor in tensors.items()})
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(self.path, len(header).to_bytes(_LENGTH_BYTES, "little") + header + data)

    def read(self, fingerprint: str) -> tuple[Progressed, dict[str, Tensor]] | None:
        """The stored state; None where there is none yet.

        Raises:
            InputError: the checkpoint belongs to another run.
            StorageError: the file cannot be read.
        """
        if not self.path.is_file():
            return None
        with storage_errors(self.path, "read"):
            raw = self.path.read_bytes()
        end = _LENGTH_BYTES + int.from_bytes(raw[:_LENGTH_BYTES], "little")
        stored: dict[str, Any] = json.loads(raw[_LENGTH_BYTES:end])
        if stored["fingerprint"] != fingerprint:
            raise InputError(
                f"{self.path}: the checkpoint is of the run {stored['fingerprint']}, this run is {fingerprint} "
                "(other data, settings or seed); delete the file to begin anew, or give another path"
            )
        return Progressed(**stored), load(bytes(raw[end:]))


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimizer's tensors by parameter number and name, e.g. ``3.exp_avg``."""
    state = optimizer.state_dict()["state"]
    return {f"{number}.{name}": value for number, slots in state.items() for name, value in slots.items()}


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """The inverse of :func:`optimizer_tensors`."""
    whole = optimizer.state_dict()
    slots: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        number, name = key.split(".", 1)
        slots.setdefault(int(number), {})[name] = value
    whole["state"] = slots
    optimizer.load_state_dict(whole)
