"""A build redoes only people with new events, and ends in the bytes of a build that redoes everybody."""

from __future__ import annotations

import shutil

import numpy as np
import pyarrow as pa
import pytest

from bowerbird.clock import DAY_US, HOUR_US
from bowerbird.records.event import Events
from bowerbird.workspace import Workspace, people_steps
from bowerbird.workspace.kept_people import FOLDER
from bowerbird.workspace.people_steps import make_clusters, make_interests, make_user_vectors
from bowerbird.workspace.workbench import Workbench

SIGNALS = {"user_vector": make_user_vectors, "user_clusters": make_clusters, "user_interests": make_interests}


def made(workspace: Workspace, version: str) -> tuple[dict[str, pa.Table], dict[str, tuple[int, int]]]:
    bench = workspace.workbench()
    for make in SIGNALS.values():
        make(bench, version)
    return {name: bench.signals.table(name) for name in SIGNALS}, bench.redone


def arrivals(bench: Workbench, seed: int) -> tuple[Events, set[str]]:
    """Events of a few people, some of them late, some of somebody new, some without an item."""
    random = np.random.default_rng(seed)
    people = [bench.people.id(row) for row in random.permutation(len(bench.people))[:5].tolist()]
    if seed % 2:
        people[0] = f"newcomer-{seed}"
    n = 40
    monday = bench.as_of - (bench.as_of - 4 * DAY_US) % (7 * DAY_US)
    who = [people[place] for place in random.integers(0, 5, n)]
    what = [bench.items.vocabulary.id(int(row)) for row in random.integers(0, len(bench.items), n)]
    table = pa.table(
        {
            "event_id": [f"{seed}-{place}" for place in range(n)],
            "at": pa.array(monday + random.integers(0, bench.as_of - monday, n), pa.int64()),
            "user_id": who,
            "item_id": [None if random.random() < 0.1 else one for one in what],
            "action": random.choice(["save", "closeup", "impression", "hide"], n).tolist(),
        }
    )
    return Events(table), set(who)


@pytest.fixture
def small(tmp_path, tiny_workspace) -> Workspace:
    """A copy in which the last Monday is days old, so that popularity stands still."""
    copy = tmp_path / "incremental"
    shutil.copytree(tiny_workspace.layout.root, copy)
    workspace = Workspace.open(copy)
    bench = workspace.workbench()
    late = bench.as_of - bench.as_of % (7 * DAY_US) + 10 * DAY_US - 5 * HOUR_US  # a Saturday evening
    first = pa.table(
        {
            "event_id": ["late"],
            "at": [late],
            "user_id": [bench.people.id(0)],
            "item_id": [bench.items.vocabulary.id(0)],
            "action": ["closeup"],
        }
    )
    bench.log.append(Events(first))
    return workspace


def test_what_is_redone_ends_in_the_bytes_of_everything_redone(small):
    made(small, "before")
    for seed in range(4):
        bench = small.workbench()
        events, touched = arrivals(bench, seed)
        bench.log.append(events)
        found, redone = made(small, f"after {seed}")
        for name, (people, of) in redone.items():
            assert 0 < people <= len(touched), name
            assert of >= 60
        shutil.rmtree(small.layout.state / FOLDER)
        whole, everybody = made(small, f"whole {seed}")
        assert all(people == of for people, of in everybody.values())
        for name in SIGNALS:
            assert found[name].equals(whole[name]), (seed, name)


def test_nobody_is_redone_where_nothing_happened_and_everybody_where_the_world_changed(small):
    made(small, "one")
    assert {people for people, _ in made(small, "two")[1].values()} == {0}
    settings = small.settings.model_copy(
        update={"sequence": small.settings.sequence.model_copy(update={"max_length": 3})}
    )
    redone = made(Workspace(small.layout, settings), "three")[1]
    assert all(people == of for people, of in redone.values())
    (small.layout.state / FOLDER / "user_vector.npy").unlink()
    assert made(Workspace(small.layout, settings), "four")[1]["user_vector"][0] > 0


def test_a_kill_between_the_signal_and_its_note_redoes_everybody(small):
    made(small, "one")
    bench = small.workbench()
    table, card = bench.signals.table("user_clusters"), bench.signals.card("user_clusters")
    import dataclasses

    bench.signals.put_table(dataclasses.replace(card, version="of a build that died"), table)
    people, of = made(small, "two")[1]["user_clusters"]
    assert people == of


def test_forgetting_somebody_leaves_no_hash_of_them(small):
    made(small, "one")
    name = small.workbench().people.id(3)
    small.forget(user=name)
    assert not (small.layout.state / FOLDER).exists()
    tables, _ = made(small, "two")
    assert name not in tables["user_clusters"]["user_id"].to_pylist()


def test_a_new_revision_of_a_signals_code_redoes_everybody(small, monkeypatch):
    made(small, "before")
    monkeypatch.setitem(people_steps.REVISIONS, "user_clusters", 99)
    _, redone = made(small, "after")
    people = redone["user_clusters"][1]
    assert redone == {
        "user_vector": (0, people),
        "user_clusters": (people, people),
        "user_interests": (0, people),
    }
