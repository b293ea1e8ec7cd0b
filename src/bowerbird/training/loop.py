"""The one training loop: batches in, the best weights out, whatever the model.

A task says what a batch is and what its loss is; the loop owns the optimizer, the schedule, the
running average of the weights, validation and stopping, checkpoints, and what to do when a loss
is not a number.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from pydantic import Field
from torch import Tensor, nn

from bowerbird.config import Settings
from bowerbird.errors import InputError
from bowerbird.telemetry import SILENT, Progress
from bowerbird.training.checkpoints import Checkpoint, Progressed, optimizer_tensors, restore_optimizer
from bowerbird.training.workers import ALONE, Workers, summed_gradients

__all__ = ["LoopSettings", "Task", "Trained", "best_device", "parameter_groups", "train"]

CHECKPOINT_S = 30.0
"""Seconds between checkpoints within an epoch; each epoch ends with one."""


class LoopSettings(Settings):
    """How long and how fast the loop learns."""

    epochs: int = Field(default=60, ge=1)
    """The most epochs."""
    learning_rate: float = Field(default=1e-3, gt=0.0)
    """The largest step size of AdamW."""
    weight_decay: float = Field(default=0.0, ge=0.0)
    """Decay of matrices; vectors (norms, biases) have none."""
    warmup_steps: int = Field(default=100, ge=0)
    """Updates over which the step size grows from 0."""
    final_share: float = Field(default=0.05, ge=0.0, le=1.0)
    """Share of the step size left at the last epoch; it falls along a cosine."""
    accumulate: int = Field(default=1, ge=1)
    """Batches whose gradients are summed before an update."""
    clip: float = Field(default=5.0, gt=0.0)
    """Largest norm of an update's gradient."""
    average: float = Field(default=0.99, ge=0.0, lt=1.0)
    """Decay of the running average of the weights, which is what is validated and kept; 0: none."""
    patience: int = Field(default=5, ge=1)
    """Epochs without a better validation before the loop stops."""


@runtime_checkable  # so that a test run can check who passes one
class Task(Protocol):
    """What is trained."""

    @property
    def model(self) -> nn.Module:
        """The module whose parameters are learnt."""
        ...

    def batches(self, epoch: int) -> Sequence[Any]:
        """The batches of an epoch; equal for equal epochs."""
        ...

    def loss(self, batch: Any, step: int) -> Tensor:
        """The mean loss of a batch; all randomness is decided by the step."""
        ...

    def validation(self) -> float | None:
        """The metric that chooses the epoch, larger is better; None where there is nothing to validate on."""
        ...


@dataclass(frozen=True)
class Trained:
    """How a run went. The task's model holds the best weights."""

    losses: tuple[float, ...]
    """The loss of each update."""
    validations: tuple[float, ...]
    """The validation metric after each epoch."""
    best_epoch: int
    """The epoch whose weights were kept."""
    stopped: str
    """Why the run ended, in words."""
    earlier_cpu_s: float = field(default=0.0, compare=False)
    """CPU-seconds of the processes before this one, when the run went on from a checkpoint."""


def best_device() -> torch.device:
    """CUDA where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def train(
    task: Task,
    settings: LoopSettings,
    *,
    name: str = "training",
    fingerprint: str = "",
    checkpoint: Path | None = None,
    progress: Progress = SILENT,
    shares: Mapping[str, float] | None = None,
    workers: Workers = ALONE,
) -> Trained:
    """Train a task's model; when it returns, the model holds the best weights and is in evaluation mode.

    Args:
        task: what is trained.
        settings: how long and how fast.
        name: what the progress bar says.
        fingerprint: what the run is (data, settings, seed); a checkpoint of another run is refused.
        checkpoint: a file to keep the state in, and to go on from when it is there.
        progress: where the loop says how far it is.
        shares: share of the step size of parameters whose names begin so, e.g. ``{"encoder.": 0.1}`` where the encoder
            was trained before; parameters that are not named have all of it.
        workers: who trains together; each computes its share of the batches of an update, of which there are
            ``settings.accumulate``. All begin with the same model, task and settings, and see the same checkpoint.

    Raises:
        InputError: the loss is not finite; the model then holds the last good weights. Or some workers do not see the
            checkpoint that others go on from.
    """
    kept = Checkpoint(checkpoint) if checkpoint else None
    run = _Run(task, settings, fingerprint, kept, shares or {}, workers)
    run.resume()
    progress.start(name, settings.epochs, "epochs")
    progress.advance(run.progressed.epoch)
    while (stopped := run.finished()) is None:
        run.epoch()
        progress.advance()
    best = max(run.progressed.validations, default=None)
    progress.finish(stopped if best is None else f"{stopped}, best validation {best:.4f}")
    run.keep_best()
    done = run.progressed
    return Trained(tuple(done.losses), tuple(done.validations), done.best_epoch, stopped, run.earlier_cpu_s)


def parameter_groups(
    model: nn.Module, weight_decay: float, shares: Mapping[str, float]
) -> list[dict[str, Any]]:
    """The parameters by their share of the step size, matrices (which decay) before vectors (which don't).

    Args:
        model: whose parameters.
        weight_decay: of matrices.
        shares: by the first letters of names; of several that fit, the first.

    Raises:
        InputError: a name fits no parameter.
    """
    found: dict[float, tuple[list[nn.Parameter], list[nn.Parameter]]] = {1.0: ([], [])}
    names = [name for name, _ in model.named_parameters()]
    for prefix in shares:
        if not any(name.startswith(prefix) for name in names):
            raise InputError(
                f"training: no parameter begins with {prefix!r}; found {', '.join(names[:6])}, ...; expected one of their beginnings"
            )
    for name, one in model.named_parameters():
        share = next((share for prefix, share in shares.items() if name.startswith(prefix)), 1.0)
        found.setdefault(share, ([], []))[one.ndim <= 1].append(one)
    return [
        {"params": own, "weight_decay": decay, "share": share}
        for share, (matrices, vectors) in found.items()
        for own, decay in ((matrices, weight_decay), (vectors, 0.0))
        if own
    ]


class _Run:
    """The state of one run: weights, their average, the best so far, optimizer, and how far it is."""

    def __init__(
        self,
        task: Task,
        settings: LoopSettings,
        fingerprint: str,
        checkpoint: Checkpoint | None,
        shares: Mapping[str, float],
        workers: Workers,
    ) -> None:
        self._task, self._settings, self._checkpoint, self._workers = task, settings, checkpoint, workers
        groups = parameter_groups(task.model, settings.weight_decay, shares)
        self._optimizer = torch.optim.AdamW(groups, lr=settings.learning_rate, betas=(0.9, 0.98), fused=True)
        self._average = self._copy()
        self._best = self._copy()
        self._saved_at = time.monotonic()
        self._begun_cpu_s = time.process_time()
        self.earlier_cpu_s = 0.0
        self.progressed = Progressed(fingerprint)

    def _copy(self) -> dict[str, Tensor]:
        return {name: one.detach().clone() for name, one in self._task.model.named_parameters()}

    def _load(self, weights: dict[str, Tensor]) -> None:
        with torch.no_grad():
            for name, one in self._task.model.named_parameters():
                one.copy_(weights[name])

    def resume(self) -> None:
        """Go on from the checkpoint, when there is one."""
        found = self._checkpoint.read(self.progressed.fingerprint) if self._checkpoint else None
        self._all_at(found[0].step if found else 0)
        if found is None:
            return
        self.progressed, tensors = found
        self.earlier_cpu_s = self.progressed.cpu_s
        parts: dict[str, dict[str, Tensor]] = {"weights": {}, "average": {}, "best": {}, "optimizer": {}}
        for key, tensor in tensors.items():
            part, name = key.split("/", 1)
            parts[part][name] = tensor
        self._load(parts["weights"])
        for target, part in ((self._average, "average"), (self._best, "best")):
            for name, one in target.items():
                one.copy_(parts[part][name])
        if parts["optimizer"]:
            restore_optimizer(self._optimizer, parts["optimizer"])

    def _all_at(self, step: int) -> None:
        """Refuse workers that would begin at different steps."""
        total = torch.tensor(float(step), dtype=torch.float64)
        self._workers.sum(total)
        if float(total) != step * self._workers.count:
            raise InputError(
                f"training: worker {self._workers.rank} of {self._workers.count} begins at update {step}, others do not; "
                "give a folder for checkpoints that all of them see"
            )

    def save(self) -> None:
        """Write the checkpoint, when one is wanted; the first worker does it for all."""
        if self._checkpoint is None or self._workers.rank > 0:
            return
        self.progressed.cpu_s = self.earlier_cpu_s + time.process_time() - self._begun_cpu_s
        parts = {
            "weights": self._copy(),
            "average": self._average,
            "best": self._best,
            "optimizer": optimizer_tensors(self._optimizer),
        }
        tensors = {f"{part}/{name}": one for part, named in parts.items() for name, one in named.items()}
        self._checkpoint.write(self.progressed, tensors)
        self._saved_at = time.monotonic()

    def finished(self) -> str | None:
        """Why the run is over, or None."""
        done = self.progressed
        if done.epoch >= self._settings.epochs:
            return f"{done.epoch} epochs"
        if done.validations and done.epoch - 1 - done.best_epoch >= self._settings.patience:
            return f"no better for {self._settings.patience} epochs after {done.epoch}"
        return None

    def epoch(self) -> None:
        """The rest of the current epoch, its validation and its checkpoint."""
        done = self.progressed
        batches = self._task.batches(done.epoch)
        self._task.model.train()
        while done.batch < len(batches):
            group = batches[done.batch : done.batch + self._settings.accumulate]
            self._update(group, len(batches))
            done.batch += len(group)
            done.step += 1
            if time.monotonic() - self._saved_at > CHECKPOINT_S:
                self.save()
        self._task.model.eval()
        self._validate()
        done.epoch, done.batch = done.epoch + 1, 0
        self.save()

    def _update(self, group: Sequence[Any], batches: int) -> None:
        done = self.progressed
        self._optimizer.zero_grad(set_to_none=True)
        value = 0.0
        for place in range(self._workers.rank, len(group), self._workers.count):
            loss = self._task.loss(group[place], done.step * self._settings.accumulate + place) / len(group)
            value += float(loss.detach())
            loss.backward()
        value = summed_gradients([*self._task.model.parameters()], value, self._workers)
        norm = nn.utils.clip_grad_norm_(self._task.model.parameters(), self._settings.clip)
        if not (math.isfinite(value) and math.isfinite(float(norm))):
            self._stop(value, float(norm))
        for parameters in self._optimizer.param_groups:
            parameters["lr"] = parameters["share"] * self._learning_rate(batches)
        self._optimizer.step()
        done.losses.append(value)
        # short at first, so that the random start is forgotten soon
        kept = min(self._settings.average, (done.step + 1) / (done.step + 10))
        with torch.no_grad():
            for name, one in self._task.model.named_parameters():
                self._average[name].lerp_(one, 1.0 - kept)

    def _stop(self, value: float, norm: float) -> None:
        done = self.progressed
        self.save()
        self._load(self._average)
        where = "" if self._checkpoint is None else f"; {self._checkpoint.path} holds the last good state"
        raise InputError(
            f"training: the loss is {value}, its gradient {norm} at update {done.step} (epoch {done.epoch}, "
            f"batch {done.batch}); expected finite numbers; lower learning_rate "
            f"({self._settings.learning_rate:g}) or clip ({self._settings.clip:g}){where}"
        )

    def _learning_rate(self, batches: int) -> float:
        updates = math.ceil(batches / self._settings.accumulate)
        step, total = self.progressed.step, self._settings.epochs * updates
        warm = min(1.0, (step + 1) / max(1, self._settings.warmup_steps))
        fallen = 0.5 * (1.0 + math.cos(math.pi * min(1.0, step / total)))
        left = self._settings.final_share + (1.0 - self._settings.final_share) * fallen
        return self._settings.learning_rate * warm * left

    def _validate(self) -> None:
        done = self.progressed
        running = self._copy()
        self._load(self._average)
        value = self._first_says(self._task.validation)
        if value is not None:
            done.validations.append(value)
        if value is None or value > max(done.validations[:-1], default=-math.inf):
            done.best_epoch = done.epoch
            self._best = self._copy()
        self._load(running)

    def _first_says(self, ask: Callable[[], float | None]) -> float | None:
        """What the first worker measures; the others wait for it, so that all choose alike."""
        found = ask() if self._workers.rank == 0 else None
        told = torch.tensor([0.0, 1.0] if found is None else [found, 0.0], dtype=torch.float64)
        if self._workers.rank > 0:
            told.zero_()
        self._workers.sum(told)
        return None if told[1] else float(told[0])

    def keep_best(self) -> None:
        """Put the best weights into the model."""
        self._load(self._best)
        self._task.model.eval()
