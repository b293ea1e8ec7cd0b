"""The trained next-item source, from events to an answer without torch."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bowerbird.records.request import Request
from bowerbird.workspace import Workspace

ITEMS, PEOPLE, STEPS = 60, 300, 11
ASK = """
import sys
from bowerbird.workspace import Workspace
slate = Workspace.open(sys.argv[1]).ask("homefeed", user="u0", n=5)
assert "torch" not in sys.modules, "answering loaded torch"
print(*[f"{one.source}:{entry.item_id}" for entry in slate.entries for one in entry.because if one.source == "next_item"])
"""


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """People who go from item to item in a circle, each from a start of their own."""
    pytest.importorskip("torch")
    folder = tmp_path_factory.mktemp("circle")
    starts = np.random.default_rng(0).integers(0, ITEMS, PEOPLE)
    rows = (starts[:, None] + np.arange(STEPS)) % ITEMS
    pq.write_table(pa.table({"item_id": [f"i{row}" for row in range(ITEMS)]}), folder / "items.parquet")
    events = pa.table(
        {
            "user_id": [f"u{user}" for user in np.repeat(np.arange(PEOPLE), STEPS)],
            "item_id": [f"i{row}" for row in rows.ravel()],
            "action": ["save"] * rows.size,
            "at": np.tile(np.arange(STEPS) * 3600 + 1_700_000_000, PEOPLE),
        }
    )
    pq.write_table(events, folder / "events.parquet")
    workspace = Workspace.create(folder / "workspace")
    settings = workspace.layout.settings
    asked = "\n[surfaces.homefeed.sources.next_interests]\nquota = 150\n"
    settings.write_text(settings.read_text(encoding="utf-8") + asked, encoding="utf-8")
    workspace = Workspace.open(workspace.layout.root)
    for kind in ("items", "events"):
        workspace.import_files(kind, [folder / f"{kind}.parquet"])
    workspace.build(["next_item", "cooccurrence"])
    return workspace


@pytest.mark.slow
def test_what_comes_next_is_found_by_the_newest_step(workspace: Workspace):
    release = workspace.answers.release
    held = release.next_item
    assert held is not None
    hits = 0
    for user in range(40):
        history = release.sequences.history(release.people.row(f"u{user}"), release.as_of)
        rows, _ = held.index.search(held.reader.question(history, release.as_of), 1)
        hits += int(rows[0, 0]) == (int(history.rows[-1]) + 1) % ITEMS
    assert hits > 15  # by chance less than one
    slate = workspace.answers.answer(Request("homefeed", release.as_of, user_id="u0", n=5))
    assert {"next_item", "next_interests"} <= {one.source for entry in slate.entries for one in entry.because}


@pytest.mark.slow
def test_answers_load_no_torch(workspace: Workspace):
    done = subprocess.run(
        [sys.executable, "-c", ASK, str(workspace.layout.root)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("next_item:")


def test_a_ranker_over_few_items_needs_no_such_source(ranked_workspace: Workspace):
    from bowerbird.workspace.sequence_steps import lacks_sequences

    bench = ranked_workspace.workbench()
    why = f"with {len(bench.items)} items the other sources bring nearly all a ranker could choose"
    assert lacks_sequences(bench) == why
