"""Build steps of the space of items: a tower trained on this catalogue where it can be, fused vectors where not."""

from __future__ import annotations

import numpy as np

from bowerbird.content.alignment import LEAST_ROWS, agreement, fitted_adapter
from bowerbird.content.conse import Classifier, ConSE, conse_bridge
from bowerbird.content.encoder import load_encoder
from bowerbird.content.fusion import Fusion, fitted_fusion
from bowerbird.content.query_space import FusedSpace, ItemSpace, UnifiedSpace, named
from bowerbird.errors import NotReadyError
from bowerbird.records.signal import SignalCard, Vectors
from bowerbird.workspace.content_steps import lacks_pictures, lacks_words, live_encoder
from bowerbird.workspace.plan import Step
from bowerbird.workspace.settings import WorkspaceSettings
from bowerbird.workspace.tower_steps import (
    CONTENT_TOWER,
    NEIGHBOUR_TOWER,
    item_parts,
    lacks_pairs,
    live_tower,
    previous_vectors,
    tower_of,
    tower_steps,
)
from bowerbird.workspace.tuning_steps import TunedEncoders, tuned_encoders
from bowerbird.workspace.workbench import Workbench

WORDLESS = 0.05
"""Share of pictures without words from which they are given the names of what is seen in them."""


def space_steps(settings: WorkspaceSettings) -> list[Step[Workbench]]:
    """The towers, and the vectors of items they or the fusion give."""
    read = ("catalogue", "image_vector", "text_vector", "picture_text", "tuned_encoders", CONTENT_TOWER)
    if settings.content.neighbours != "off" and settings.content.item_space != "fused":
        read += (NEIGHBOUR_TOWER,)  # else its version would change with the log for nothing
    chosen = f"{settings.seed}/{settings.content.item_space}"
    steps = tower_steps(settings)
    return [*steps, Step("item_vector", read, 3, chosen, make_item_vectors, lacks_content)]


def lacks_content(bench: Workbench) -> str | None:
    """Pictures or words are needed."""
    if lacks_pictures(bench) and lacks_words(bench):
        return "no item has a picture or words"
    return None


def make_item_vectors(bench: Workbench, version: str) -> SignalCard:
    """One vector for each item: the tower's, or look and words fused on this catalogue."""
    if lacks_pairs(bench) is None:
        tower = live_tower(bench)
        vectors = tower.project(item_parts(bench, tower))
        producer = "unified space, trained on this catalogue"
        note = _comparable(previous_vectors(bench), vectors)
    else:
        vectors, producer, note = _fused(bench, version)
    card = bench.card(
        "item_vector",
        ("item", "vector"),
        version,
        producer,
        counted=(int(vectors.present.sum()), len(bench.items)),
        inputs=("image_vector", "text_vector", CONTENT_TOWER, NEIGHBOUR_TOWER),
        space=vectors.space,
        note=note,
    )
    bench.signals.put_vectors(card, bench.items.vocabulary, vectors)
    return card


def _comparable(before: Vectors | None, now: Vectors) -> str:
    """How well vectors of the version before could still be compared with the new ones, in words."""
    if before is None or before.space == now.space or before.space.dim != now.space.dim:
        return ""
    both = np.flatnonzero(before.present & now.present)
    if len(both) < LEAST_ROWS:
        return ""
    kept = agreement(Vectors(now.space, before.matrix, before.present), now, both)
    turned = fitted_adapter(before, now).kept
    return f"of the ten nearest items, vectors of the version before find {kept:.0%}, turned by an adapter {turned:.0%}"


def _fused(bench: Workbench, version: str) -> tuple[Vectors, str, str]:
    """Fused vectors; many pictures without words get the names of what is seen in them."""
    image, text = _vectors(bench, "image_vector"), _vectors(bench, "text_vector")
    encoder = (
        None if image is None else load_encoder(bench.settings.content.image_encoder, bench.layout.cache)
    )
    bridge = _bridge(bench, encoder, image, text)
    words = named(image, text, bridge, encoder if isinstance(encoder, Classifier) else None)
    fusion = fitted_fusion(image, words)
    present = [name for name, one in (("pictures", image), ("words", text)) if one is not None]
    model = bench.card("fusion", ("model", "model"), version, "fusion", counted=(1, 1))
    with bench.models.writing(model) as directory:
        fusion.save(directory / "fusion.safetensors")
        if bridge is not None:
            bridge.save(directory / "conse.safetensors")
    note = "pictures without words are named by what is seen in them" if bridge is not None else ""
    return fusion.project(image, words), "fusion of " + " and ".join(present), note


def _bridge(bench: Workbench, encoder: object, image: Vectors | None, text: Vectors | None) -> ConSE | None:
    """The bridge from pictures to words where many pictures have none; None where it is not needed or cannot be."""
    if image is None or not isinstance(encoder, Classifier):
        return None
    wordless = image.present if text is None else image.present & ~text.present
    if wordless.sum() <= WORDLESS * image.present.sum():
        return None
    return conse_bridge(encoder, load_encoder(bench.settings.content.text_encoder, bench.layout.cache))


def loaded_space(bench: Workbench, items: Vectors | None) -> ItemSpace | None:
    """How queries get to where the items are.

    Args:
        bench: the workspace's stores.
        items: the live vectors of items; None when there are none.

    Raises:
        NotReadyError: no model that is kept leads to the space of the items.
    """
    if items is None:
        return None
    tower = tower_of(bench, items.space)
    if tower is not None:
        return UnifiedSpace(tower)
    fused = _fused_space(bench) if bench.models.card("fusion") is not None else None
    if fused is not None and fused.space == items.space:
        return fused
    kept = [bench.models.card(name) for name in (CONTENT_TOWER, NEIGHBOUR_TOWER)]
    spaces = [card.space for card in kept if card is not None] + [fused.space if fused is not None else None]
    known = ", ".join(space.key for space in spaces if space is not None) or "none"
    raise NotReadyError(
        f"item_vector lives in {items.space.key}, queries would live in {known}; run `bowerbird build item_vector`"
    )


def tuned_for(bench: Workbench, space: ItemSpace | None) -> TunedEncoders | None:
    """The tuned encoders, if it is their vectors that a space of items reads; None where encoders are as they come."""
    if not isinstance(space, UnifiedSpace):
        return None
    tuned = tuned_encoders(bench)
    read = {one.space for one in space.tower.inputs}
    return tuned if tuned is not None and tuned.image.space in read else None


def _fused_space(bench: Workbench) -> FusedSpace:
    directory = bench.models.directory("fusion")
    fusion = Fusion.load(directory / "fusion.safetensors")
    if not (directory / "conse.safetensors").exists():
        return FusedSpace(fusion)
    encoder = live_encoder(bench, "image_vector")
    classifier = encoder if isinstance(encoder, Classifier) else None
    return FusedSpace(fusion, ConSE.load(directory / "conse.safetensors"), classifier)


def _vectors(bench: Workbench, name: str) -> Vectors | None:
    return bench.item_vectors(name) if bench.has(name) else None
