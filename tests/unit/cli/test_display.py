from __future__ import annotations

import io

import pytest

from bowerbird.cli import display
from bowerbird.cli.display import BarProgress

ITEMS = 3000


class Clock:
    """Seconds that pass when told."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_log_tells_every_half_minute_how_far_it_is_how_fast_and_what_is_left(clock, capsys):
    progress = BarProgress(seconds=clock)
    progress.start("encode pictures", ITEMS, "pictures")
    for _ in range(30):
        clock.now += 2.0
        progress.advance(50)
    assert capsys.readouterr().err.splitlines() == [
        "  encode pictures: 750 of 3,000 pictures, 25 a second, 90 s left",
        "  encode pictures: 1,500 of 3,000 pictures, 25 a second, 60 s left",
    ]
    progress.finish("all read")
    said = "  encode pictures: all read; 1,500 pictures in 60 s, 25 a second"
    assert capsys.readouterr().err.splitlines() == [said]


def test_what_is_slow_says_its_seconds_an_item_and_what_is_quick_says_nothing_of_speed(clock, capsys):
    progress = BarProgress(seconds=clock)
    progress.start("train", None, "epochs")
    clock.now = 40.0
    progress.advance(4)
    progress.start("inside", 2)  # tasks nest
    progress.advance(2)
    progress.finish()
    progress.finish()
    assert capsys.readouterr().err.splitlines() == [
        "  train: 4 epochs, 10.0 s each",
        "  train: 4 epochs in 40 s, 10.0 s each",
    ]


def test_quiet_work_says_nothing(clock, capsys):
    progress = BarProgress(quiet=True, seconds=clock)
    progress.start("train", 2)
    clock.now = 100.0
    progress.advance()
    progress.finish("done")
    assert capsys.readouterr().err == ""


def test_a_table_that_goes_into_a_file_is_not_cut_at_80_columns(monkeypatch):
    written = io.StringIO()
    output = display.Output(file=written)
    monkeypatch.delenv("COLUMNS", raising=False)
    assert output.limit is None
    output.print("-" * 200)
    monkeypatch.setenv("COLUMNS", "100")
    assert output.limit == 100
    output.print("-" * 200)
    assert written.getvalue().split() == ["-" * 200, "-" * 100, "-" * 100]
