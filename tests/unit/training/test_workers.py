"""Workers that train together end in the weights that one worker ends in."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402

from bowerbird.errors import InputError  # noqa: E402
from bowerbird.training.loop import LoopSettings, Trained, train  # noqa: E402

SETTINGS = LoopSettings(epochs=3, learning_rate=0.05, warmup_steps=2, average=0.5, accumulate=2)


class Line:
    """Fits y = 2 x; a part of the weights is never used."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.model = nn.ModuleDict({"used": nn.Linear(1, 1), "unused": nn.Linear(1, 1)})
        self.asked = 0

    def batches(self, epoch: int) -> Sequence[Tensor]:
        return list(torch.randn(5, 8, 1, generator=torch.Generator().manual_seed(epoch)))

    def loss(self, batch: Tensor, step: int) -> Tensor:
        self.asked += 1
        return ((self.model["used"](batch) - 2 * batch) ** 2).mean() * (1 + step % 3)

    def validation(self) -> float:
        return -float((self.model["used"].weight.detach() - 2).abs())


class Threads:
    """A worker among threads that add up their tensors in order of rank."""

    def __init__(self, rank: int, count: int, meet: threading.Barrier, held: list[Tensor | None]) -> None:
        self.rank, self.count, self._meet, self._held = rank, count, meet, held

    def sum(self, tensor: Tensor) -> None:
        self._held[self.rank] = tensor.clone()
        self._meet.wait()
        total = torch.stack([one for one in self._held if one is not None]).sum(dim=0)
        self._meet.wait()
        tensor.copy_(total)


def together(count: int, folders: Sequence[Path | None]) -> tuple[list[Line], list[Trained | Exception]]:
    """What each of several workers ends in."""
    meet, held = threading.Barrier(count, timeout=30), [None] * count
    tasks, ends = [Line() for _ in range(count)], [None] * count

    def work(rank: int) -> None:
        workers = Threads(rank, count, meet, held)
        try:
            ends[rank] = train(tasks[rank], SETTINGS, checkpoint=folders[rank], workers=workers)
        except InputError as error:
            ends[rank] = error

    threads = [threading.Thread(target=work, args=(rank,)) for rank in range(count)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    return tasks, ends


@pytest.mark.parametrize("count", [2, 3])  # three of two batches: one has nothing to do
def test_several_workers_are_one_training(count: int) -> None:
    alone = Line()
    expected = train(alone, SETTINGS)
    tasks, ends = together(count, [None] * count)
    for task, end in zip(tasks, ends, strict=True):
        assert isinstance(end, Trained)
        assert end.losses == pytest.approx(expected.losses, rel=1e-5)
        assert end.validations == pytest.approx(expected.validations, rel=1e-5)
        for found, wanted in zip(task.model.parameters(), alone.model.parameters(), strict=True):
            assert torch.allclose(found, wanted, rtol=1e-5)
    assert sum(task.asked for task in tasks) == alone.asked
    assert tasks[0].asked < alone.asked


def test_the_first_worker_keeps_the_checkpoint_and_all_go_on_from_it(tmp_path: Path) -> None:
    shared = tmp_path / "run"
    together(2, [shared, shared])
    assert shared.is_file()
    tasks, ends = together(2, [shared, shared])
    assert [task.asked for task in tasks] == [0, 0]
    assert all(isinstance(end, Trained) for end in ends)


def test_workers_that_do_not_see_the_checkpoint_are_refused(tmp_path: Path) -> None:
    together(2, [tmp_path / "a", tmp_path / "a"])
    _, ends = together(2, [tmp_path / "a", tmp_path / "b"])
    assert "begins at update 9, others do not; give a folder for checkpoints that all of them see" in str(
        ends[0]
    )
    assert "worker 1 of 2 begins at update 0" in str(ends[1])
