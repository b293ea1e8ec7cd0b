"""The build plan: steps that know what they read, redone only when that changed.

A step's version is a hash of its own code version and settings and of the versions of what it
reads. A step whose live signal has that version is up to date. Every step replaces its signal
atomically, so a build killed anywhere leaves whole signals and carries on at the next one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from bowerbird.errors import NotFoundError, NotReadyError, TooLargeError, did_you_mean
from bowerbird.records.signal import SignalCard
from bowerbird.telemetry import Progress, measured

B = TypeVar("B")


@dataclass(frozen=True)
class Step(Generic[B]):
    """One unit of a build: makes one signal or model.

    Args:
        name: the signal's name.
        reads: names of steps, or of the workspace's inputs (``catalogue``, ``events``).
        revision: raised by hand when the step's code changes what it makes.
        settings: fingerprint of the settings it depends on.
        make: does the work and stores the result under the given version.
        applies: why the step cannot run in this workspace, or None when it can.
    """

    name: str
    reads: tuple[str, ...]
    revision: int
    settings: str
    make: Callable[[B, str], SignalCard]
    applies: Callable[[B], str | None] = lambda _: None


@dataclass(frozen=True)
class StepResult:
    """What became of one step."""

    name: str
    outcome: str
    """``built``, ``unchanged`` or ``skipped``."""
    seconds: float
    card: SignalCard | None = None
    why: str = ""
    """Why a step was skipped."""
    people: tuple[int, int] | None = None
    """Of a signal of people: how many were redone, and of how many."""

    def of_people(self, people: tuple[int, int] | None) -> StepResult:
        """The same, with how many people were redone."""
        return replace(self, people=people)


def step_version(step: Step, versions: Mapping[str, str]) -> str:
    """Fingerprint of everything a step is made from."""
    parts = [step.name, str(step.revision), step.settings, *(versions.get(name, "-") for name in step.reads)]
    return hashlib.blake2b("|".join(parts).encode(), digest_size=8).hexdigest()


def needed(
    steps: Sequence[Step[B]], wanted: Sequence[str], groups: Mapping[str, Sequence[str]] | None = None
) -> list[Step[B]]:
    """The wanted steps and everything they read, in order; all steps when none are named.

    Args:
        steps: the whole plan.
        wanted: names of steps and of groups.
        groups: a name for several steps, e.g. ``content``.

    Raises:
        NotFoundError: a wanted name is neither a step nor a group.
    """
    groups = groups or {}
    by_name = {step.name: step for step in steps}
    for name in wanted:
        if name not in by_name and name not in groups:
            raise NotFoundError(f"build: no signal {name!r}; {did_you_mean(name, [*by_name, *groups])}")
    if not wanted:
        return list(steps)
    keep: set[str] = set()
    todo = [step for name in wanted for step in groups.get(name, (name,))]
    while todo:
        name = todo.pop()
        if name in by_name and name not in keep:
            keep.add(name)
            todo.extend(by_name[name].reads)
    return [step for step in steps if step.name in keep]


def run(
    steps: Sequence[Step[B]],
    bench: B,
    inputs: Mapping[str, str],
    live: Callable[[str], SignalCard | None],
    progress: Progress,
) -> list[StepResult]:
    """Bring every step up to date, in order.

    Args:
        steps: each after the ones it reads.
        bench: what steps work on: stores, settings, loaded signals.
        inputs: version of each workspace input.
        live: the live card of a signal, or None.
        progress: shows each step.
    """
    versions = dict(inputs)
    results = []
    for step in steps:
        version = step_version(step, versions)
        versions[step.name] = version
        why = step.applies(bench)
        if why is not None:
            results.append(StepResult(step.name, "skipped", 0.0, None, why))
            continue
        card = live(step.name)
        if card is not None and card.version == version:
            results.append(StepResult(step.name, "unchanged", 0.0, card))
            continue
        progress.start(step.name, None)
        try:
            with measured() as cost:
                card = step.make(bench, version)
        except (
            NotReadyError,
            TooLargeError,
        ) as error:  # too little data or memory; the others go on without it
            progress.finish(f"skipped: {error}")
            results.append(StepResult(step.name, "skipped", 0.0, None, str(error)))
            continue
        progress.finish(card.note)
        results.append(StepResult(step.name, "built", cost.wall_s, card))
    return results
