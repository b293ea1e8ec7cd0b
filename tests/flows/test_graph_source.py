"""The source of what is kept together, from events to a slate, by the closed form and by the trained network."""

from __future__ import annotations

import numpy as np
import pytest

from bowerbird.records.request import Request
from bowerbird.workspace import Workspace

SOURCE = "surfaces.related.sources.kept_together.quota=50"


def related(workspace: Workspace) -> list[str]:
    """The sources that found the entries of a related slate."""
    release = workspace.answers.release
    item = release.items.vocabulary.ids[int(np.argmax(release.joined_counts.trending(release.as_of)))]
    slate = workspace.answers.answer(Request("related", release.as_of, item_id=item, n=10))
    return [one.source for entry in slate.entries for one in entry.because]


def test_where_no_surface_asks_for_it_nothing_is_made(tiny_workspace: Workspace):
    bench = tiny_workspace.workbench()
    assert not bench.has("graph_vector")
    assert "kept_together" not in related(tiny_workspace)


def test_the_closed_form_feeds_the_source_and_a_copy_stands_where_its_original_does(own_workspace: Workspace):
    asked = Workspace.open(own_workspace.layout.root, [SOURCE])
    asked.build(["graph_index"])
    bench = asked.workbench()
    assert bench.live_card("graph_vector").producer == "graph, closed form"
    assert bench.live_card("graph_network") is None
    vectors, canonical = bench.item_vectors("graph_vector"), bench.canonical_rows()
    assert vectors.space.name == "graph"
    assert np.array_equal(vectors.matrix, vectors.matrix[canonical])
    assert "kept_together" in related(asked)
    assert all(result.outcome != "built" for result in asked.build(["graph_index"]))


@pytest.mark.slow
def test_the_trained_network_feeds_the_source_where_the_settings_ask_for_it(
    own_workspace: Workspace, monkeypatch: pytest.MonkeyPatch
):
    training = pytest.importorskip("bowerbird.training.graph_network")
    quick = training.GraphNetworkSettings(
        dim=64, batch=64, steps=2, loop=training.LoopSettings(epochs=2, warmup_steps=1)
    )
    monkeypatch.setattr(training, "GraphNetworkSettings", lambda: quick)
    asked = Workspace.open(own_workspace.layout.root, [SOURCE, 'content.graph="trained"'])
    asked.build(["graph_index"])
    assert asked.workbench().live_card("graph_vector").producer == "graph network"
    assert "kept_together" in related(asked)
