"""The build plan: what is redone, what is left alone, what is skipped."""

from __future__ import annotations

import pytest

from bowerbird.errors import NotFoundError, NotReadyError
from bowerbird.records.signal import SignalCard
from bowerbird.telemetry import SILENT
from bowerbird.workspace.plan import Step, needed, run, step_version


class Shelf:
    """Keeps cards as a workspace would, and remembers what was made."""

    def __init__(self) -> None:
        self.cards: dict[str, SignalCard] = {}
        self.made: list[str] = []

    def step(
        self, name: str, *reads: str, revision: int = 1, why: str | None = None, fails: str = ""
    ) -> Step:
        def make(shelf: Shelf, version: str) -> SignalCard:
            if fails:
                raise NotReadyError(fails)
            shelf.made.append(name)
            shelf.cards[name] = SignalCard(name, "item", "scalar", version, name, 1, 1.0, 0)
            return shelf.cards[name]

        return Step(name, reads, revision, "", make, lambda _: why)

    def build(self, steps: list[Step], **inputs: str) -> list[str]:
        self.made.clear()
        results = run(steps, self, inputs, self.cards.get, SILENT)
        return [result.outcome for result in results]


def test_a_second_build_of_the_same_inputs_makes_nothing() -> None:
    shelf = Shelf()
    steps = [shelf.step("a", "events"), shelf.step("b", "a")]
    assert shelf.build(steps, events="1") == ["built", "built"]
    assert shelf.build(steps, events="1") == ["unchanged", "unchanged"]
    assert shelf.made == []


def test_only_what_reads_the_changed_input_is_made_again() -> None:
    shelf = Shelf()
    steps = [shelf.step("a", "events"), shelf.step("b", "catalogue"), shelf.step("c", "a")]
    shelf.build(steps, events="1", catalogue="1")
    assert shelf.build(steps, events="2", catalogue="1") == ["built", "unchanged", "built"]


def test_a_raised_revision_makes_the_step_and_its_readers_again() -> None:
    shelf = Shelf()
    shelf.build([shelf.step("a", "events"), shelf.step("b", "a")], events="1")
    assert shelf.build([shelf.step("a", "events", revision=2), shelf.step("b", "a")], events="1") == [
        "built",
        "built",
    ]


def test_a_step_that_cannot_apply_is_skipped_and_says_why() -> None:
    shelf = Shelf()
    results = run([shelf.step("a", why="no events were imported")], shelf, {}, shelf.cards.get, SILENT)
    assert [(one.outcome, one.why) for one in results] == [("skipped", "no events were imported")]


def test_a_step_with_too_little_data_is_skipped_and_the_others_go_on() -> None:
    shelf = Shelf()
    assert shelf.build([shelf.step("a", fails="too few"), shelf.step("b")]) == ["skipped", "built"]


def test_a_wanted_signal_brings_what_it_reads_and_nothing_else() -> None:
    shelf = Shelf()
    steps = [shelf.step("a", "events"), shelf.step("b"), shelf.step("c", "a")]
    assert [step.name for step in needed(steps, ["c"])] == ["a", "c"]
    assert [step.name for step in needed(steps, [])] == ["a", "b", "c"]


def test_a_group_brings_its_steps_and_what_they_read() -> None:
    shelf = Shelf()
    steps = [shelf.step("a"), shelf.step("b", "a"), shelf.step("c")]
    assert [step.name for step in needed(steps, ["late"], {"late": ["b"], "all": ["c"]})] == ["a", "b"]
    with pytest.raises(NotFoundError, match="no signal 'lat'; did you mean 'late'"):
        needed(steps, ["lat"], {"late": ["b"]})


def test_an_unknown_signal_is_named_with_the_closest_known_one() -> None:
    with pytest.raises(NotFoundError, match="no signal 'rankr'; did you mean 'ranker'"):
        needed([Shelf().step("ranker")], ["rankr"])


def test_a_version_depends_on_name_revision_settings_and_inputs() -> None:
    shelf = Shelf()
    base = step_version(shelf.step("a", "events"), {"events": "1"})
    assert base == step_version(shelf.step("a", "events"), {"events": "1", "unread": "9"})
    assert base != step_version(shelf.step("a", "events"), {"events": "2"})
    assert base != step_version(shelf.step("a", "events", revision=2), {"events": "1"})
    assert base != step_version(shelf.step("b", "events"), {"events": "1"})
