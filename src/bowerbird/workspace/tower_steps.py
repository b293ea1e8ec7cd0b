"""Build steps that train the item tower: on pictures and words, and then on what people keep together too.

The first reads no event, so it stays while people go on acting. The second goes on from its weights for a few passes; it is
made again when the log has doubled or somebody was forgotten, and an evaluation makes it from the past alone.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bowerbird.content.item_parts import ItemParts
from bowerbird.content.neighbour_pairs import neighbour_pairs
from bowerbird.content.tower_settings import CATALOGUE_SETTINGS, NEIGHBOUR_SETTINGS, UnifiedSettings
from bowerbird.content.unified import UnifiedTower
from bowerbird.extras import installed
from bowerbird.records.signal import SignalCard, Space, Vectors
from bowerbird.workspace.forgetting import owed
from bowerbird.workspace.graph_steps import kept_edges
from bowerbird.workspace.item_modalities import item_sides
from bowerbird.workspace.plan import Step
from bowerbird.workspace.settings import WorkspaceSettings
from bowerbird.workspace.workbench import Workbench

__all__ = [
    "item_parts",
    "lacks_neighbours",
    "lacks_pairs",
    "live_tower",
    "previous_vectors",
    "tower_of",
    "tower_steps",
]

LEAST_PAIRS = {"auto": 500, "unified": 64}
"""Items with a picture and words from which a tower is trained."""
LEAST_KEPT = 2_000
"""Positive actions on items of the catalogue from which a tower learns what is kept together."""
WEIGHTS = "tower.safetensors"
CONTENT_TOWER, NEIGHBOUR_TOWER = "unified", "neighbour_tower"


def tower_steps(settings: WorkspaceSettings) -> list[Step[Workbench]]:
    """The tower of content, and the one that has learnt what is kept together."""
    read = ("catalogue", "image_vector", "text_vector", "picture_text", "tuned_encoders")
    toward = "/toward" if settings.content.retrain == "toward" else ""
    chosen = f"{settings.seed}/{settings.content.item_space}{toward}"
    content = f"{chosen}/{CATALOGUE_SETTINGS.fingerprint()}"
    together = f"{chosen}/{settings.content.neighbours}/{_neighbour_settings(settings).fingerprint()}"
    kept = (*read, "events size", "near_duplicates", CONTENT_TOWER)
    return [
        Step(CONTENT_TOWER, read, 3, content, make_unified, lacks_pairs),
        Step(NEIGHBOUR_TOWER, kept, 1, together, make_neighbour_tower, lacks_neighbours),
    ]


def _neighbour_settings(settings: WorkspaceSettings) -> UnifiedSettings:
    return NEIGHBOUR_SETTINGS.model_copy(update={"hard_negatives": settings.content.hard_negatives})


def lacks_pairs(bench: Workbench) -> str | None:
    """A tower needs torch and items with both a picture and words."""
    wanted = bench.settings.content.item_space
    if wanted == "fused":
        return 'the settings say [content] item_space = "fused"'
    if not installed("torch"):
        return (
            "torch is not installed; pip install 'bowerbird[train]' trains a tower, fused vectors do without"
        )
    image, text = _vectors(bench, "image_vector"), _vectors(bench, "text_vector")
    pairs = 0 if image is None or text is None else int((image.present & text.present).sum())
    if pairs < LEAST_PAIRS[wanted]:
        return f"{pairs} items have a picture and words, a tower needs {LEAST_PAIRS[wanted]}; fused vectors do without"
    return None


def lacks_neighbours(bench: Workbench) -> str | None:
    """A tower to go on from and enough of what people keep are needed."""
    if bench.settings.content.neighbours == "off":
        return 'the settings say [content] neighbours = "off"'
    why = lacks_pairs(bench)
    if why is not None:
        return why
    kept = len(kept_edges(bench)[0]) if len(bench.events) else 0
    if kept < LEAST_KEPT:
        return (
            f"{kept:,} positive actions, a tower learns from {LEAST_KEPT:,}; it does with pictures and words"
        )
    return None


def make_unified(bench: Workbench, version: str) -> SignalCard:
    """Train the tower on the pictures and words of the catalogue."""
    from bowerbird.training.unified import Pairs, train_unified  # loads torch: not to ask

    seen, said, vocabulary, inputs = item_sides(bench)
    pairs = Pairs(inputs, seen, said, np.arange(len(bench.items)), vocabulary)
    trained = train_unified(
        pairs,
        CATALOGUE_SETTINGS,
        bench.settings.seed,
        toward=_toward(bench, CATALOGUE_SETTINGS.dim),
        checkpoint=bench.layout.cache / f"unified-{version}.safetensors",
        progress=bench.progress,
    )
    held = f", held-out mean reciprocal rank {max(trained.history):.2f}" if trained.history else ""
    note = f"best of {trained.epochs} epochs: {trained.best_epoch}{held}"
    return _kept(bench, CONTENT_TOWER, version, trained.tower, note)


def make_neighbour_tower(bench: Workbench, version: str) -> SignalCard:
    """Train the tower of content on with pairs of items that people keep together."""
    from bowerbird.training.kept_together import trained_on_neighbours  # loads torch: not to ask
    from bowerbird.training.unified import Pairs

    start = UnifiedTower.load(bench.models.directory(CONTENT_TOWER) / WEIGHTS)
    seen, said, vocabulary, inputs = item_sides(bench, start.vocabulary)
    owners, items = kept_edges(bench)
    seed = bench.settings.seed
    neighbours = neighbour_pairs(
        owners, items, items_total=len(bench.items), seed=seed, copy_of=bench.canonical_rows()
    )
    pairs = Pairs(inputs, seen, said, np.arange(len(bench.items)), vocabulary, neighbours)
    trained = trained_on_neighbours(
        start,
        pairs,
        seed,
        _neighbour_settings(bench.settings),
        toward=_toward(bench, start.dim),
        checkpoint=bench.layout.cache / f"neighbours-{version}.safetensors",
        progress=bench.progress,
    )
    note = f"{len(neighbours):,} pairs of items kept together, {trained.epochs} epochs"
    return _kept(bench, NEIGHBOUR_TOWER, version, trained.tower, note)


def _kept(bench: Workbench, name: str, version: str, tower: UnifiedTower, note: str) -> SignalCard:
    learnt_from_events = ("events", CONTENT_TOWER) if name == NEIGHBOUR_TOWER else ()
    card = bench.card(
        name,
        ("model", "model"),
        version,
        "item tower: " + ", ".join(tower.modalities),
        counted=(1, 1),
        inputs=("catalogue", "image_vector", "text_vector", *learnt_from_events),
        space=tower.space,
        note=note,
    )
    with bench.models.writing(card) as directory:
        tower.save(directory / WEIGHTS)
    return card


def live_tower(bench: Workbench) -> UnifiedTower:
    """The tower that gives items their vectors: the one that knows what is kept together, where there is one."""
    learnt = bench.models.card(NEIGHBOUR_TOWER) is not None and lacks_neighbours(bench) is None
    name = NEIGHBOUR_TOWER if learnt else CONTENT_TOWER
    return UnifiedTower.load(bench.models.directory(name) / WEIGHTS)


def tower_of(bench: Workbench, space: Space) -> UnifiedTower | None:
    """The kept tower whose vectors live in a space; None where there is none."""
    for name in (NEIGHBOUR_TOWER, CONTENT_TOWER):
        card = bench.models.card(name)
        if card is not None and card.space == space:
            return UnifiedTower.load(bench.models.directory(name) / WEIGHTS)
    return None


def item_parts(bench: Workbench, tower: UnifiedTower) -> ItemParts:
    """Everything a tower reads of every item."""
    seen, said, _, _ = item_sides(bench, tower.vocabulary)
    return replace(said, blocks={**seen.blocks, **said.blocks})


def previous_vectors(bench: Workbench) -> Vectors | None:
    """The live vectors of a tower, a row per item of the catalogue; None where there are none."""
    before = _vectors(bench, "item_vector")
    return before if before is not None and before.space.version.startswith("unified.") else None


def _toward(bench: Workbench, dim: int) -> Vectors | None:
    """The vectors a new tower must stay comparable with; None where it is trained anew."""
    if bench.settings.content.retrain != "toward" or owed(bench.layout):
        return None
    before = previous_vectors(bench)
    return before if before is not None and before.space.dim == dim else None


def _vectors(bench: Workbench, name: str) -> Vectors | None:
    return bench.item_vectors(name) if bench.has(name) else None
