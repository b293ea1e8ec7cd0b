"""Checkpoints of a training: weights, optimiser and the best weights so far, in one safetensors file.

Written after an epoch, beside its place and then moved there, so a killed training finds a whole one. It
carries the fingerprint of data and settings: another training's checkpoint is not read.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from bowerbird.stores.atomic import storage_errors


@dataclass
class Checkpoint:
    """Where a training keeps itself.

    Args:
        path: the file; None keeps nothing.
        fingerprint: of everything the training depends on.
    """

    path: Path | None
    fingerprint: str

    def save(
        self,
        modules: dict[str, nn.Module],
        optimiser: torch.optim.Optimizer,
        best: dict[str, Tensor],
        history: list[float],
    ) -> None:
        """Keep the state after an epoch."""
        if self.path is None:
            return
        tensors = {
            f"{name}/{key}": value
            for name, module in modules.items()
            for key, value in module.state_dict().items()
        }
        tensors.update({f"best/{key}": value for key, value in best.items()})
        for number, state in optimiser.state_dict()["state"].items():
            tensors.update({f"optimiser/{number}/{key}": value for key, value in state.items()})
        draft = self.path.with_name(f".{self.path.name}.draft")
        with storage_errors(self.path, "write a checkpoint"):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            metadata = {"fingerprint": self.fingerprint, "history": json.dumps(history)}
            save_file({name: value.contiguous() for name, value in tensors.items()}, draft, metadata)
            draft.replace(self.path)

    def restore(
        self, modules: dict[str, nn.Module], optimiser: torch.optim.Optimizer
    ) -> tuple[dict[str, Tensor], list[float]] | None:
        """Put a kept state back; the best weights and the history, or None where there is nothing of this training."""
        if self.path is None or not self.path.is_file():
            return None
        try:
            with safe_open(self.path, framework="pt") as file:
                metadata = file.metadata() or {}
                if metadata.get("fingerprint") != self.fingerprint:
                    return None
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
        except SafetensorError:
            return None  # a damaged checkpoint: the training starts from the beginning
        for name, module in modules.items():
            module.load_state_dict(_below(tensors, name))
        whole = optimiser.state_dict()
        whole["state"] = {}
        for name, value in _below(tensors, "optimiser").items():
            number, key = name.split("/")
            whole["state"].setdefault(int(number), {})[key] = value
        optimiser.load_state_dict(whole)
        return _below(tensors, "best"), json.loads(metadata["history"])

    def drop(self) -> None:
        """The training is done; its checkpoint is not needed any more."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)


def _below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    start = f"{prefix}/"
    return {name[len(start) :]: value for name, value in tensors.items() if name.startswith(start)}
