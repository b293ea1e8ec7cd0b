"""A build: its steps run in order, and what is live after them noted as a release."""

from __future__ import annotations

from collections.abc import Sequence

from bowerbird.workspace.build_record import record_build
from bowerbird.workspace.forgetting import settled
from bowerbird.workspace.plan import StepResult, needed, run
from bowerbird.workspace.releases import only_live, record_release
from bowerbird.workspace.steps import step_groups
from bowerbird.workspace.workbench import Workbench

__all__ = ["built", "note_release"]


def built(bench: Workbench, wanted: Sequence[str]) -> list[StepResult]:
    """Bring signals, indexes and models up to date. The caller holds the workspace's lock.

    Args:
        bench: the workspace's stores.
        wanted: signals, or groups of them, with what they read; all when empty.

    Raises:
        NotFoundError: a wanted signal does not exist.
    """
    groups = step_groups(bench.settings)
    steps = [step for group in groups.values() for step in group]
    names = {group: [step.name for step in members] for group, members in groups.items()}
    results = run(needed(steps, wanted, names), bench, bench.inputs(), bench.live_card, bench.progress)
    results = [one.of_people(bench.redone.get(one.name)) for one in results]
    note_release(bench, results)
    return results


def note_release(bench: Workbench, results: Sequence[StepResult]) -> None:
    """Write down what is live now; once nothing learnt from what was forgotten is, give up the releases before."""
    record_build(bench.layout, results)
    record_release(bench.layout, bench.signals.cards(), bench.models.cards())
    if settled(bench.layout):
        only_live(bench.layout)
