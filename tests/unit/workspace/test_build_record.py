"""Seconds of the live build: kept while a step stays as it is, forgotten when its version changes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bowerbird.records.signal import SignalCard
from bowerbird.stores.layout import Layout
from bowerbird.workspace.build_record import record_build, signal_lines
from bowerbird.workspace.plan import StepResult

CARD = SignalCard("lexical", "item", "model", "v1", "BM25", 3, 1.0, 0, note="three")


def test_seconds_of_unchanged_steps_stay(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.create()
    record_build(layout, [StepResult("lexical", "built", 1.5, CARD)])
    record_build(
        layout, [StepResult("lexical", "unchanged", 0.0, CARD), StepResult("ranker", "skipped", 0.0)]
    )
    (line,) = signal_lines(layout, [CARD])
    assert (line.name, line.rows, line.coverage, line.seconds, line.note) == ("lexical", 3, 1.0, 1.5, "three")


def test_another_version_has_no_seconds_of_its_own(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.create()
    record_build(layout, [StepResult("lexical", "built", 1.5, CARD)])
    assert signal_lines(layout, [replace(CARD, version="v2")])[0].seconds is None
