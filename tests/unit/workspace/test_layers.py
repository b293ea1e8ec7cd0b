"""What is made without events is shared; what is learnt from them is not."""

from __future__ import annotations

from bowerbird.workspace.layers import CONTENT_MODELS, CONTENT_SIGNALS
from bowerbird.workspace.settings import WorkspaceSettings
from bowerbird.workspace.steps import build_steps


def test_the_shared_signals_are_those_that_no_event_reaches() -> None:
    reached = {"events", "events size"}
    steps = build_steps(WorkspaceSettings())
    for step in steps:  # in order, each after what it reads
        if reached & set(step.reads):
            reached.add(step.name)
    blind = {step.name for step in steps} - reached
    assert blind == {*CONTENT_SIGNALS, *CONTENT_MODELS}
