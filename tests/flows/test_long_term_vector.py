"""The long-term vector from events to an answer: built, kept, resumed after a kill, forgotten, asked without torch."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from bowerbird.cli.app import app
from bowerbird.clock import DAY_US
from bowerbird.errors import NotReadyError
from bowerbird.evaluation.window import held_out
from bowerbird.records.event import Events
from bowerbird.records.request import Request
from bowerbird.stores.layout import Layout
from bowerbird.telemetry import SILENT
from bowerbird.workspace import Workspace
from bowerbird.workspace.evaluating import learn_from_past
from bowerbird.workspace.loading import loaded_release
from bowerbird.workspace.long_term_steps import ENCODER, LONG_TERM, make_encoder, make_vectors
from bowerbird.workspace.workbench import Workbench

pytest.importorskip("torch")

ITEMS, PEOPLE, DAYS = 120, 160, 49
KINDS = ("teapot", "bicycle", "guitar")
SUNDAY_S = 1_761_436_800
"""2025-10-26: the log ends seven weeks later, on a Saturday; its last Monday is five days before."""
ASK = """
import sys
from bowerbird.workspace import Workspace
slate = Workspace.open(sys.argv[1]).ask("homefeed", user="p0", n=5)
assert "torch" not in sys.modules, "answering loaded torch"
print(*{one.source for entry in slate.entries for one in entry.because})
"""


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Every second day everybody takes an item of their own third of the catalogue, which has a word of its own."""
    folder = tmp_path_factory.mktemp("thirds")
    random = np.random.default_rng(0)
    days = np.arange(0, DAYS, 2)
    users = np.repeat(np.arange(PEOPLE), len(days))
    items = random.integers(0, ITEMS // 3, len(users)) * 3 + users % 3
    at = SUNDAY_S + np.tile(days, PEOPLE) * 86_400 + random.integers(0, 80_000, len(users))
    events = {
        "user_id": [f"p{user}" for user in users],
        "item_id": [f"i{item}" for item in items],
        "action": ["save"] * len(users),
        "at": at,
    }
    pq.write_table(pa.table(events), folder / "events.parquet")
    titles = [f"{KINDS[row % 3]} number {row}" for row in range(ITEMS)]
    names = [f"i{row}" for row in range(ITEMS)]
    pq.write_table(pa.table({"item_id": names, "title": titles}), folder / "items.parquet")
    created = Workspace.create(folder / "workspace")
    space = Workspace.open(created.layout.root)
    for kind in ("items", "events"):
        space.import_files(kind, [folder / f"{kind}.parquet"])
    space.build([LONG_TERM, "item_index", "cooccurrence"])
    return space


@pytest.fixture
def own(workspace: Workspace, tmp_path: Path) -> Workspace:
    """A copy that a test may change."""
    shutil.copytree(workspace.layout.root, tmp_path / "own")
    return Workspace.open(tmp_path / "own")


def vectors_of(bench: Workbench) -> pa.Table:
    return bench.signals.table(LONG_TERM)


def test_the_weeks_to_come_are_of_what_a_person_likes(workspace: Workspace):
    release = workspace.answers.release
    held = release.long_term
    assert held is not None
    right = []
    for user in range(30):
        row = release.people.row(f"p{user}")
        found, _ = held.index.search(held.of(row, release.as_of), 10)
        right.append(np.mean(found[0] % 3 == user % 3))
    assert np.mean(right) > 0.6  # by chance a third
    slate = workspace.answers.answer(Request("homefeed", release.as_of, user_id="p0", n=5))
    assert "long_term" in {one.source for entry in slate.entries for one in entry.because}


def test_answers_with_it_load_no_torch(workspace: Workspace):
    done = subprocess.run(
        [sys.executable, "-c", ASK, str(workspace.layout.root)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "long_term" in done.stdout.split()


def test_a_portrait_names_the_vector_and_what_it_expects(workspace: Workspace):
    portrait = workspace.understanding("p4")
    assert {one.name: one.present for one in portrait.vectors}[LONG_TERM]
    history = workspace.workbench().sequences.history(workspace.workbench().people.row("p4"), 2**62).rows
    assert portrait.expected
    assert not {f"i{row}" for row in history.tolist()} & set(portrait.expected)
    shown = CliRunner().invoke(app, ["ask", "user", "p4", "-w", str(workspace.layout.root)])
    assert shown.exit_code == 0, shown.output
    assert portrait.expected[0] in shown.output.partition("expects of the weeks to come")[2]
    before = workspace.understanding("p4", as_of=workspace.answers.release.as_of - DAY_US)
    assert before.expected == ()  # the vector is of later


def test_within_a_week_the_encoder_stays_and_only_people_with_new_events_are_read_again(own: Workspace):
    first = own.workbench()
    space, before = first.models.card(ENCODER).space, vectors_of(first)
    event = {
        "event_id": ["new"],
        "at": [first.as_of],
        "user_id": ["p7"],
        "item_id": ["i3"],
        "action": ["save"],
    }
    first.log.append(Events(pa.table(event)))
    results = {one.name: one for one in own.build([LONG_TERM])}
    assert results[LONG_TERM].people == (1, PEOPLE)
    bench = own.workbench()
    assert bench.models.card(ENCODER).space == bench.signals.card(LONG_TERM).space == space
    changed = [
        one["id"]
        for one, old in zip(vectors_of(bench).to_pylist(), before.to_pylist(), strict=True)
        if one != old
    ]
    assert changed == ["p7"]


def test_when_the_week_turns_the_encoder_is_trained_anew_in_a_space_of_its_own(own: Workspace):
    first = own.workbench()
    space = first.models.card(ENCODER).space
    event = {
        "event_id": ["new"],
        "at": [first.as_of + 3 * DAY_US],
        "user_id": ["p7"],
        "item_id": ["i3"],
        "action": ["save"],
    }
    first.log.append(Events(pa.table(event)))
    own.build([LONG_TERM])
    bench = own.workbench()
    assert bench.models.card(ENCODER).space != space
    assert bench.signals.card(LONG_TERM).space == bench.models.card(ENCODER).space


def test_vectors_of_two_spaces_are_not_served(own: Workspace):
    bench = own.workbench()
    late = {
        "event_id": ["new"],
        "at": [bench.as_of + 3 * DAY_US],
        "user_id": ["p7"],
        "item_id": ["i3"],
        "action": ["save"],
    }
    bench.log.append(Events(pa.table(late)))
    own.build([ENCODER])  # as if the build had been killed before it read people
    assert own.answers.release.long_term is None
    assert len(own.ask("homefeed", user="p0", n=5).entries) == 5


class Killed:
    """Progress that is interrupted after some epochs."""

    def __init__(self, epochs: int) -> None:
        self._left = epochs

    def start(self, *_: object) -> None:
        """Nothing."""

    def advance(self, n: int = 1) -> None:
        """Count down."""
        self._left -= n
        if self._left < 0:
            raise KeyboardInterrupt

    def finish(self, note: str = "") -> None:
        """Nothing."""


def test_a_build_that_is_killed_in_training_goes_on_to_the_same_bytes(own: Workspace):
    place = own.workbench().models.directory(ENCODER)
    whole = {path.name: path.read_bytes() for path in place.iterdir() if path.is_file()}
    people = vectors_of(own.workbench())
    own.workbench().models.remove(ENCODER)
    with pytest.raises(KeyboardInterrupt):
        make_encoder(Workbench(own.layout, own.settings, progress=Killed(3)), "again")
    assert len(list(own.layout.cache.glob("long-term-*.checkpoint"))) == 1
    bench = own.workbench()
    make_encoder(bench, "again")
    make_vectors(bench, "again")
    resumed = {
        path.name: path.read_bytes() for path in bench.models.directory(ENCODER).iterdir() if path.is_file()
    }
    assert resumed == whole
    assert vectors_of(bench).equals(people)
    assert not list(own.layout.cache.glob("long-term-*.checkpoint"))


def test_who_is_forgotten_has_no_vector_and_the_encoder_is_trained_without_them(own: Workspace):
    space = own.workbench().models.card(ENCODER).space
    (own.layout.cache / "long-term-of-a-killed-build.checkpoint").write_bytes(b"learnt from p5")
    report = own.forget(user="p5")
    assert report.removed[f"signal {LONG_TERM}"] == 1
    assert {ENCODER, LONG_TERM} <= set(report.pending)
    assert report.left == ()
    assert not list(own.layout.cache.glob("*.checkpoint"))
    assert "p5" not in vectors_of(own.workbench())["id"].to_pylist()
    own.build([LONG_TERM, "cooccurrence"])
    assert own.workbench().models.card(ENCODER).space != space
    assert not (own.layout.state / "pending.json").exists()


def test_an_evaluation_reads_vectors_of_the_past_alone(own: Workspace, tmp_path: Path):
    folder = Layout(tmp_path / "past")
    folder.create()
    whole = Workbench(own.layout, own.settings, made_in=folder)
    window = held_out(whole.sequences, logical_time=False, days=7)
    learn_from_past(whole, folder, window)
    held = loaded_release(whole, with_ranker=False).long_term
    assert held is not None
    assert held.made_at == window.split_at
    # what came later changes nothing
    late = pa.table(
        {"event_id": ["l"], "at": [window.split_at], "user_id": ["p0"], "item_id": ["i1"], "action": ["save"]}
    )
    own.workbench().log.append(Events(late))
    again = Workbench(own.layout, own.settings, as_of=window.split_at, made_in=folder)
    make_vectors(again, "again")
    assert np.array_equal(
        again.signals.vectors(LONG_TERM, again.people).matrix, held.people.matrix[: len(again.people)]
    )


def test_too_little_to_learn_from_says_so(own: Workspace):
    bench = own.workbench()
    week = Workbench(own.layout, own.settings, as_of=int(bench.events.at[0]) + 12 * DAY_US, progress=SILENT)
    with pytest.raises(NotReadyError, match=r"long-term vector: .* events with one before them are too few"):
        make_encoder(week, "early")
