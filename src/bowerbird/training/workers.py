"""Several workers, one training: each computes its share of an update's batches, and gradients are summed.

Which batches make an update is decided by the settings and the seed, never by who computes them: so two workers end
in the weights that one worker ends in, up to the order in which numbers are added.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, final, runtime_checkable

import torch
from torch import Tensor, nn

from bowerbird.extras import needed

__all__ = ["ALONE", "Alone", "Together", "Workers", "on_ray", "summed_gradients"]


@runtime_checkable  # so that a test run can check who passes one
class Workers(Protocol):
    """Who trains together."""

    @property
    def rank(self) -> int:
        """Which of them this is, from 0; the first validates and keeps checkpoints for all."""
        ...

    @property
    def count(self) -> int:
        """How many there are."""
        ...

    def sum(self, tensor: Tensor) -> None:
        """The tensor becomes the sum of everybody's, in place; all of them must ask."""
        ...


@final
class Alone:
    """One worker: this process."""

    rank, count = 0, 1

    def sum(self, tensor: Tensor) -> None:
        """Nothing is to be added."""


ALONE: Workers = Alone()


@final
class Together:
    """The processes of torch's default group, which whoever started them set up."""

    def __init__(self) -> None:
        self.rank = torch.distributed.get_rank()
        self.count = torch.distributed.get_world_size()

    def sum(self, tensor: Tensor) -> None:
        """One all-reduce."""
        torch.distributed.all_reduce(tensor)


def summed_gradients(parameters: Sequence[nn.Parameter], value: float, workers: Workers) -> float:
    """Every parameter's gradient becomes the sum over workers.

    Args:
        parameters: the same ones in the same order everywhere; a gradient may be absent where a worker had no batch.
        value: this worker's part of the loss.
        workers: who adds up.

    Returns:
        The sum of all parts of the loss.

    Cost: one exchange of all gradients at once.
    """
    if workers.count == 1:
        return value
    device = parameters[0].device
    told = torch.tensor(
        [value, *(float(one.grad is not None) for one in parameters)], dtype=torch.float64, device=device
    )
    workers.sum(told)
    flat = torch.cat(
        [(torch.zeros_like(one) if one.grad is None else one.grad).flatten() for one in parameters]
    )
    workers.sum(flat)
    parts = flat.split([one.numel() for one in parameters])
    for one, part, has in zip(parameters, parts, told[1:].tolist(), strict=True):
        one.grad = part.view_as(one) if has else None
    return float(told[0])


def on_ray(train: Callable[[Workers, Path], None], count: int) -> dict[str, bytes]:
    """Train on several workers of a Ray cluster (Ray Train), one processor each.

    Joins the cluster ``RAY_ADDRESS`` names, or starts one on this machine.

    Args:
        train: runs in every worker; what the first writes into its folder comes back. It is pickled, with all it holds.
        count: how many workers.

    Returns:
        The files of the first worker by name.

    Raises:
        MissingDependencyError: Ray is not installed.
    """
    ray = needed("ray", "ray", f"training on {count} workers", "train on one")
    needed("ray.train.torch", "ray", f"training on {count} workers", "train on one")
    if not ray.is_initialized():
        ray.init(include_dashboard=False, log_to_driver=False, configure_logging=False)
    with tempfile.TemporaryDirectory(prefix="bowerbird-train-") as folder:
        trainer = ray.train.torch.TorchTrainer(
            _in_worker,
            train_loop_config={"train": train},
            scaling_config=ray.train.ScalingConfig(num_workers=count, resources_per_worker={"CPU": 1}),
            run_config=ray.train.RunConfig(storage_path=folder, name="run"),
        )
        with trainer.fit().checkpoint.as_directory() as found:
            return {path.name: path.read_bytes() for path in Path(found).iterdir() if path.is_file()}


def _in_worker(config: dict[str, Any]) -> None:
    """What a worker of Ray runs; the process group is there."""
    from ray import train  # loads Ray: only where it is

    torch.set_num_threads(1)
    workers = Together()
    with tempfile.TemporaryDirectory() as folder:
        config["train"](workers, Path(folder))
        kept = train.Checkpoint.from_directory(folder) if workers.rank == 0 else None
        train.report({}, checkpoint=kept)
