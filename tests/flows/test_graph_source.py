"""The source of what is kept together, from events to a slate, by the closed form and by the trained network."""

from __future__ import annotations

import numpy as np
import pytest

from bowerbird.records.request import Request
from bowerbird.workspace import Workspace
from bowerbird.workspace.graph_steps import lacks_graph
from bowerbird.workspace.settings import WorkspaceSettings
from bowerbird.workspace.workbench import Workbench


def related(workspace: Workspace) -> list[str]:
    """The sources that found the entries of a related slate."""
    release = workspace.answers.release
    item = release.items.vocabulary.ids[int(np.argmax(release.joined_counts.trending(release.as_of)))]
    slate = workspace.answers.answer(Request("related", release.as_of, item_id=item, n=10))
    return [one.source for entry in slate.entries for one in entry.because]


def test_it_can_be_turned_off_and_is_not_made_where_no_surface_asks_for_it(tiny_workspace: Workspace):
    root = tiny_workspace.layout.root
    off = Workspace.open(root, ['content.graph="off"']).workbench()
    assert lacks_graph(off) == 'the settings say [content] graph = "off"'
    declared = off.settings.surfaces["related"]
    silent = {name: one for name, one in declared.sources.items() if name != "kept_together"}
    surfaces = {**off.settings.surfaces, "related": declared.model_copy(update={"sources": silent})}
    auto = WorkspaceSettings().model_copy(update={"surfaces": surfaces})
    assert lacks_graph(Workbench(tiny_workspace.layout, auto)) == "no surface has the source 'kept_together'"


def test_the_closed_form_feeds_the_source_and_a_copy_stands_where_its_original_does(
    tiny_workspace: Workspace,
):
    bench = tiny_workspace.workbench()
    assert bench.live_card("graph_vector").producer == "graph, closed form"
    assert bench.live_card("graph_network") is None
    vectors, canonical = bench.item_vectors("graph_vector"), bench.canonical_rows()
    assert vectors.space.name == "graph"
    assert np.array_equal(vectors.matrix, vectors.matrix[canonical])
    assert "kept_together" in related(tiny_workspace)


@pytest.mark.slow
def test_the_trained_network_feeds_the_source_where_the_settings_ask_for_it(
    own_workspace: Workspace, monkeypatch: pytest.MonkeyPatch
):
    training = pytest.importorskip("bowerbird.training.graph_network")
    quick = training.GraphNetworkSettings(
        dim=64, batch=64, steps=2, loop=training.LoopSettings(epochs=2, warmup_steps=1)
    )
    monkeypatch.setattr(training, "GraphNetworkSettings", lambda: quick)
    asked = Workspace.open(own_workspace.layout.root, ['content.graph="trained"'])
    asked.build(["graph_index"])
    assert asked.workbench().live_card("graph_vector").producer == "graph network"
    assert "kept_together" in related(asked)
