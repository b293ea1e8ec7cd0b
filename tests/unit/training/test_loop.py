from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from bowerbird.errors import InputError
from bowerbird.training import loop
from bowerbird.training.loop import LoopSettings, train
from bowerbird.training.memory import TrainingShape, refuse_too_large, training_bytes

SETTINGS = LoopSettings(epochs=4, learning_rate=0.05, warmup_steps=2, average=0.5, patience=10)


class KilledError(Exception):
    """Stands for kill -9 in the middle of a run."""


class LineTask:
    """Fits y = 2 x; dies or returns NaN at a step when told to."""

    def __init__(self, die_at: int = -1, nan_at: int = -1, worse: bool = False) -> None:
        torch.manual_seed(0)
        self.model = nn.Linear(1, 1)
        self.die_at, self.nan_at, self.worse = die_at, nan_at, worse
        self.epochs_validated = 0

    def batches(self, epoch: int) -> Sequence[Tensor]:
        return list(torch.randn(5, 8, 1, generator=torch.Generator().manual_seed(epoch)))

    def loss(self, batch: Tensor, step: int) -> Tensor:
        if step == self.die_at:
            raise KilledError
        loss = ((self.model(batch) - 2 * batch) ** 2).mean()
        return loss * float("nan") if step == self.nan_at else loss

    def validation(self) -> float:
        self.epochs_validated += 1
        probe = torch.linspace(-1, 1, 9)[:, None]
        with torch.no_grad():
            error = float(((self.model(probe) - 2 * probe) ** 2).mean())
        return -self.epochs_validated if self.worse else -error


@pytest.mark.parametrize("die_at", [0, 3, 7, 12, 19])
def test_a_killed_run_resumes_to_the_same_curve_and_weights(tmp_path: Path, monkeypatch, die_at) -> None:
    whole = LineTask()
    expected = train(whole, SETTINGS)
    monkeypatch.setattr(loop, "CHECKPOINT_S", 0.0)  # a checkpoint after each update
    with pytest.raises(KilledError):
        train(LineTask(die_at=die_at), SETTINGS, fingerprint="a", checkpoint=tmp_path / "run")
    resumed = LineTask()
    found = train(resumed, SETTINGS, fingerprint="a", checkpoint=tmp_path / "run")
    assert found == expected
    assert found.earlier_cpu_s >= 0.0
    assert expected.earlier_cpu_s == 0.0
    assert torch.equal(resumed.model.weight, whole.model.weight)


def test_accumulated_batches_are_one_update() -> None:
    found = train(LineTask(), SETTINGS.model_copy(update={"accumulate": 5}))
    assert len(found.losses) == 4


def test_the_best_epoch_is_restored_and_patience_ends_the_run() -> None:
    task = LineTask(worse=True)
    found = train(task, SETTINGS.model_copy(update={"patience": 2}))
    assert found.best_epoch == 0
    assert len(found.validations) == 3
    assert "no better for 2 epochs" in found.stopped


def test_a_loss_that_is_no_number_stops_with_the_place_and_keeps_good_weights(tmp_path: Path) -> None:
    task = LineTask(nan_at=7)
    with pytest.raises(InputError, match=r"loss is nan.*update 7 \(epoch 1, batch 2\).*lower learning_rate"):
        train(task, SETTINGS, fingerprint="a", checkpoint=tmp_path / "run")
    assert bool(torch.isfinite(task.model.weight).all())
    assert (tmp_path / "run").is_file()


def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    train(LineTask(), SETTINGS, fingerprint="a", checkpoint=tmp_path / "run")
    with pytest.raises(InputError, match="the checkpoint is of the run a, this run is b"):
        train(LineTask(), SETTINGS, fingerprint="b", checkpoint=tmp_path / "run")


def test_a_run_that_will_not_fit_is_refused_with_what_to_lower() -> None:
    shape = TrainingShape(items=1000, dim=64, blocks=2, heads=2, tokens=1024, length=50, negatives=512)
    refuse_too_large(shape, available=lambda: sum(training_bytes(shape).values()))
    with pytest.raises(InputError, match=r"lower dim \(64\) or blocks \(2\)"):
        refuse_too_large(shape, available=lambda: 1000)
    with pytest.raises(InputError, match=r"keep fewer items \(100,000,000\)"):
        refuse_too_large(replace(shape, items=100_000_000), available=lambda: 1 << 30)
