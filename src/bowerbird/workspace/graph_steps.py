"""Build steps of the graph of who keeps what: a trained network where it can be, and vectors of items.

They stand on events, so an evaluation makes them anew from the past, unlike the vectors of content alone.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float32, Int64

from bowerbird.arrays import normalise
from bowerbird.content.graph import walk_neighbours
from bowerbird.content.graph_network import Neighbourhoods, neighbourhoods, network_vectors
from bowerbird.content.graph_vectors import GraphVectorSettings, complete_neighbours, fitted_graph_vectors
from bowerbird.content.unified import UnifiedTower
from bowerbird.errors import NotReadyError
from bowerbird.extras import lacks
from bowerbird.records.event import POSITIVE_ACTIONS
from bowerbird.records.signal import SignalCard, Space, Vectors
from bowerbird.signals.sequences import vocabulary_rows
from bowerbird.workspace.plan import Step
from bowerbird.workspace.settings import WorkspaceSettings
from bowerbird.workspace.workbench import Workbench

__all__ = ["graph_steps", "kept_edges"]

SOURCE = "kept_together"
"""The source that reads the vectors; where no surface names it, nothing is made."""
LEAST_EDGES = 100_000
"""Edges from which a network is trained unasked; with 200,000 it was measured to find hidden items more often, else to equal the closed form."""
WEIGHTS = "network.safetensors"


def graph_steps(settings: WorkspaceSettings) -> list[Step[Workbench]]:
    """The network, and the vectors it or the closed form gives."""
    chosen = f"{settings.seed}/{settings.content.graph}"
    closed = f"{chosen}/{GraphVectorSettings().fingerprint()}"
    read = ("catalogue", "events", "item_vector", "near_duplicates")
    return [
        Step("graph_network", read, 1, chosen, make_graph_network, lacks_network),
        Step("graph_vector", (*read, "graph_network"), 1, closed, make_graph_vectors, lacks_graph),
    ]


def lacks_graph(bench: Workbench) -> str | None:
    """A source that reads the vectors, events and item vectors are needed."""
    if bench.settings.content.graph == "off":
        return 'the settings say [content] graph = "off"'
    if not bench.settings.has_source(SOURCE):
        return f"no surface has the source {SOURCE!r}"
    if not len(bench.events):
        return "no events were imported"
    return None if bench.has("item_vector") else "no item has a vector"


def lacks_network(bench: Workbench) -> str | None:
    """Training needs torch, and many edges unless it is asked for."""
    wanted = bench.settings.content.graph
    if wanted == "closed":
        return 'the settings say [content] graph = "closed"'
    why = lacks_graph(bench) or lacks("torch", "train")
    if why is not None or wanted == "trained":
        return why
    edges = len(kept_edges(bench)[0])
    if edges >= LEAST_EDGES:
        return None
    return f"{edges:,} edges; a network is trained from {LEAST_EDGES:,} on, or where the settings ask for it"


def kept_edges(bench: Workbench) -> tuple[Int64[np.ndarray, " edge"], Int64[np.ndarray, " edge"]]:
    """Who keeps what: the collection (else the person) and the canonical item of every positive action."""
    table = bench.events.table
    liked = table.filter(pc.is_in(table.column("action"), pa.array(POSITIVE_ACTIONS)))
    rows = vocabulary_rows(liked.column("item_id"), bench.items.vocabulary).astype(np.int64)
    collections, people = liked.column("collection_id"), liked.column("user_id")
    named = pc.if_else(pc.is_valid(collections), pc.binary_join_element_wise("c", collections, "/"), None)
    owners = pc.coalesce(named, pc.binary_join_element_wise("p", people, "/"))
    codes = owners.combine_chunks().dictionary_encode().indices.to_numpy().astype(np.int64)
    known = rows >= 0
    return codes[known], bench.canonical_rows()[rows[known]].astype(np.int64)


def make_graph_network(bench: Workbench, version: str) -> SignalCard:
    """Train the network on who keeps what."""
    from bowerbird.training.graph_network import train_graph_network  # loads torch: not to ask

    owners, items = kept_edges(bench)
    checkpoint = bench.layout.cache / f"graph-{version}.checkpoint"
    tower, trained = train_graph_network(
        owners,
        items,
        _around(bench),
        seed=bench.settings.seed,
        checkpoint=checkpoint,
        progress=bench.progress,
    )
    card = bench.card(
        "graph_network",
        ("model", "model"),
        version,
        "graph network: content, neighbours, collections",
        counted=(1, 1),
        inputs=("catalogue", "events", "item_vector"),
        space=tower.space,
        note=f"{len(items):,} edges, {trained.stopped}",
    )
    with bench.models.writing(card) as directory:
        tower.save(directory / WEIGHTS)
    checkpoint.unlink(missing_ok=True)
    return card


def make_graph_vectors(bench: Workbench, version: str) -> SignalCard:
    """One vector for each item; a copy has its original's."""
    if lacks_network(bench) is None and bench.models.card("graph_network") is not None:
        tower = UnifiedTower.load(bench.models.directory("graph_network") / WEIGHTS)
        vectors, producer = network_vectors(tower, _around(bench)), "graph network"
    else:
        vectors, producer = _closed(bench, version), "graph, closed form"
    canonical = bench.canonical_rows()
    vectors = Vectors(vectors.space, vectors.matrix[canonical], vectors.present[canonical])
    card = bench.card(
        "graph_vector",
        ("item", "vector"),
        version,
        producer,
        counted=(int(vectors.present.sum()), len(bench.items)),
        inputs=("catalogue", "events", "item_vector", "graph_network"),
        space=vectors.space,
    )
    bench.signals.put_vectors(card, bench.items.vocabulary, vectors)
    return card


def _closed(bench: Workbench, version: str) -> Vectors:
    owners, items = kept_edges(bench)
    if not items.size:
        raise NotReadyError(
            "graph_vector: nobody liked an item of the catalogue; import events with saves or clicks"
        )
    content, dials = _content(bench), GraphVectorSettings()
    walked = walk_neighbours(owners, items, items_total=len(content), seed=bench.settings.seed)
    neighbours = complete_neighbours(walked, content, dials.near)
    matrix = fitted_graph_vectors(content, neighbours, dials).vectors(content, neighbours)
    return Vectors(
        Space("graph", f"closed.{version}", matrix.shape[1]), matrix, np.abs(matrix).sum(axis=1) > 0
    )


def _around(bench: Workbench) -> Neighbourhoods:
    return neighbourhoods(*kept_edges(bench), _content(bench), seed=bench.settings.seed)


def _content(bench: Workbench) -> Float32[np.ndarray, "item dim"]:
    """Item vectors around their mean, unit length; zero rows where an item has none."""
    vectors = bench.item_vectors("item_vector")
    centred = vectors.matrix - vectors.matrix[vectors.present].mean(axis=0)
    return normalise(np.where(vectors.present[:, None], centred, np.float32(0)))
