"""One sequence: what a model trains on, what a replayed stream builds and what serving reads, to the byte, on real logs."""

from __future__ import annotations

import dataclasses
import itertools
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from bowerbird.records.event import Events
from bowerbird.signals.online_sequence import OnlineSequence
from bowerbird.signals.sequences import Sequences
from bowerbird.users.next_item import first_meetings
from bowerbird.workspace import Workspace
from bowerbird.workspace.sequence_steps import training_sequences
from bowerbird.workspace.workbench import Workbench

PEOPLE = int(os.environ.get("BOWERBIRD_PARITY_PEOPLE", "200"))
"""People of each set; so many that nobody is left out for the whole of it."""
PIECES = 20
SETS = {"movielens": "ml_1m/sequences.parquet", "online_retail": "online_retail/transactions.parquet"}
WHO = {"movielens": "user_id", "online_retail": "customer_id"}


@pytest.fixture(params=SETS)
def real(request, shared_data: Path, tmp_path: Path) -> Workspace:
    """A workspace with everything some people of a real set did."""
    source = shared_data / SETS[request.param]
    if not source.exists():
        pytest.skip(f"DATA ABSENT: no file {source}")
    table, column = pq.read_table(source), WHO[request.param]
    people = np.array(pc.unique(table[column].drop_null()).to_pylist())
    some = np.random.default_rng(0).permutation(people)[:PEOPLE]
    folder = tmp_path / source.parent.name
    folder.mkdir()
    few = table.filter(pc.is_in(table[column], value_set=pa.array(some, table[column].type)))
    pq.write_table(few, folder / source.name)
    workspace = Workspace.create(tmp_path / "workspace")
    workspace.import_dataset(request.param, folder)
    return workspace


@pytest.mark.data
@pytest.mark.slow
def test_training_stream_and_serving_read_the_same_bytes(real):
    bench = real.workbench()
    events, people, items, settings = (
        bench.events,
        bench.people,
        bench.items.vocabulary,
        bench.settings.sequence,
    )
    as_of = int(np.quantile(events.at, 0.8))  # what comes later is in the log, and must change nothing

    trained = Workbench(real.layout, real.settings, as_of=as_of)
    trained.people = people
    track = trained.sequences.histories(as_of)
    random = np.random.default_rng(1)
    order = np.arange(len(events)) if bench.log.logical_time else _late(events.at, random)
    stream = OnlineSequence(Sequences.from_events(Events(events.table.slice(0, 0)), people, items, settings))
    cuts = [0, *np.sort(random.integers(0, len(events), PIECES)).tolist(), len(events)]
    for start, stop in itertools.pairwise(cuts):
        stream.add(Events(events.table.take(pa.array(order[start:stop]))))
    lengths = []
    for row in range(len(people)):
        steps = track.span(row, as_of)
        batch = [column[steps].tobytes() for column in (track.rows, track.at, track.actions)]
        for reader in (stream, bench.sequences, stream.whole()):
            history = reader.history(row, as_of)
            assert [one.tobytes() for one in dataclasses.astuple(history)] == batch
        lengths.append(len(batch[1]) // 8)
    assert max(lengths) > 50
    assert sum(lengths) > 2000

    learnt = training_sequences(trained, trained.as_of)
    first = first_meetings(track.owners(), track.rows)
    assert learnt.items.tobytes() == track.rows[first].tobytes()
    assert learnt.users.tobytes() == track.owners()[first].tobytes()
    assert bench.log.logical_time == (learnt.at is None)
    if learnt.at is not None:
        assert learnt.at.tobytes() == track.at[first].tobytes()


def _late(at: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """An order of arrival in which some events come late; those of one time keep their order."""
    times, place = np.unique(at, return_inverse=True)
    delay = np.where(random.random(len(times)) < 0.1, 10**12, 0)
    return np.argsort(at + delay[place], kind="stable")
