"""Build steps of the space of items: a tower trained on this catalogue where it can be, fused vectors where not."""

from __future__ import annotations

import math

import numpy as np

from bowerbird.content.alignment import LEAST_ROWS, agreement, fitted_adapter
from bowerbird.content.conse import Classifier, ConSE, conse_bridge
from bowerbird.content.encoder import load_encoder
from bowerbird.content.fusion import Fusion, fitted_fusion
from bowerbird.content.item_parts import Block, ItemParts, WordVocabulary
from bowerbird.content.query_space import FusedSpace, ItemSpace, UnifiedSpace, named
from bowerbird.content.unified import TowerInput, UnifiedTower
from bowerbird.errors import NotReadyError
from bowerbird.extras import installed
from bowerbird.records.signal import SignalCard, Space, Vectors
from bowerbird.workspace.content_steps import (
    encoded_pictures,
    encoded_texts,
    item_words,
    lacks_pictures,
    lacks_words,
    live_encoder,
)
from bowerbird.workspace.forgetting import owed
from bowerbird.workspace.plan import Step
from bowerbird.workspace.quality_steps import picture_texts
from bowerbird.workspace.settings import WorkspaceSettings
from bowerbird.workspace.tuning_steps import TunedEncoders, lacks_tuning, tuned_encoders
from bowerbird.workspace.workbench import Workbench

PRICE_SPACE = Space("price", "log.1", 2, "dot")
"""A price as its logarithm and that logarithm's square: cheap, middling and dear are three directions."""
LEAST_PAIRS = {"auto": 500, "unified": 64}
"""Items with a picture and words from which a tower is trained."""
EPOCHS = 12
"""A catalogue's own words repeat more than captions do: more passes only learn them by heart."""
WORDLESS = 0.05
"""Share of pictures without words from which they are given the names of what is seen in them."""


def space_steps(settings: WorkspaceSettings) -> list[Step[Workbench]]:
    """The tower, and the vectors of items it or the fusion gives."""
    read = ("catalogue", "image_vector", "text_vector", "picture_text", "tuned_encoders")
    toward = "/toward" if settings.content.retrain == "toward" else ""
    chosen = f"{settings.seed}/{settings.content.item_space}{toward}"
    return [
        Step("unified", read, 2, chosen, make_unified, lacks_pairs),
        Step("item_vector", (*read, "unified"), 2, chosen, make_item_vectors, lacks_content),
    ]


def lacks_content(bench: Workbench) -> str | None:
    """Pictures or words are needed."""
    if lacks_pictures(bench) and lacks_words(bench):
        return "no item has a picture or words"
    return None


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


def make_unified(bench: Workbench, version: str) -> SignalCard:
    """Train the tower on the pictures and words of the catalogue."""
    from bowerbird.training.unified import Pairs, UnifiedSettings, train_unified  # loads torch: not to ask

    seen, said, vocabulary, inputs = _sides(bench)
    pairs = Pairs(inputs, seen, said, np.arange(len(bench.items)), vocabulary)
    checkpoint = bench.layout.cache / f"unified-{version}.safetensors"
    settings = UnifiedSettings(epochs=EPOCHS, texts=1)
    toward = _before(bench) if bench.settings.content.retrain == "toward" and not owed(bench.layout) else None
    trained = train_unified(
        pairs,
        settings,
        bench.settings.seed,
        toward=toward if toward is not None and toward.space.dim == settings.dim else None,
        checkpoint=checkpoint,
        progress=bench.progress,
    )
    held = f", held-out mean reciprocal rank {max(trained.history):.2f}" if trained.history else ""
    card = bench.card(
        "unified",
        ("model", "model"),
        version,
        "item tower: " + ", ".join(trained.tower.modalities),
        counted=(1, 1),
        inputs=("catalogue", "image_vector", "text_vector"),
        space=trained.tower.space,
        note=f"best of {trained.epochs} epochs: {trained.best_epoch}{held}",
    )
    with bench.models.writing(card) as directory:
        trained.tower.save(directory / "tower.safetensors")
    return card


def make_item_vectors(bench: Workbench, version: str) -> SignalCard:
    """One vector for each item: the tower's, or look and words fused on this catalogue."""
    if lacks_pairs(bench) is None:
        tower = UnifiedTower.load(bench.models.directory("unified") / "tower.safetensors")
        seen, said, _, _ = _sides(bench, tower.vocabulary)
        vectors = tower.project(ItemParts({**seen.blocks, **said.blocks}, said.words))
        producer, note = "unified space, trained on this catalogue", _comparable(_before(bench), vectors)
    else:
        vectors, producer, note = _fused(bench, version)
    card = bench.card(
        "item_vector",
        ("item", "vector"),
        version,
        producer,
        counted=(int(vectors.present.sum()), len(bench.items)),
        inputs=("image_vector", "text_vector", "unified"),
        space=vectors.space,
        note=note,
    )
    bench.signals.put_vectors(card, bench.items.vocabulary, vectors)
    return card


def _before(bench: Workbench) -> Vectors | None:
    """The live vectors of a tower, a row per item of the catalogue; None where there are none."""
    before = _vectors(bench, "item_vector")
    return before if before is not None and before.space.version.startswith("unified.") else None


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
    spaces: list[ItemSpace] = []
    if bench.models.card("unified") is not None:
        spaces.append(
            UnifiedSpace(UnifiedTower.load(bench.models.directory("unified") / "tower.safetensors"))
        )
    if bench.models.card("fusion") is not None:
        spaces.append(_fused_space(bench))
    for space in spaces:
        if space.space == items.space:
            return space
    known = ", ".join(space.space.key for space in spaces) or "none"
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


def _sides(
    bench: Workbench, vocabulary: WordVocabulary | None = None
) -> tuple[ItemParts, ItemParts, WordVocabulary, tuple[TowerInput, ...]]:
    """What is seen and what is said of every item; modalities that no item has are left out."""
    words = item_words(bench)
    vocabulary = WordVocabulary.of(words) if vocabulary is None else vocabulary
    tuned = tuned_encoders(bench, building=True) if lacks_tuning(bench) is None else None
    if tuned is None:
        image, text, encoder = bench.item_vectors("image_vector"), bench.item_vectors("text_vector"), None
    else:
        image, encoder = encoded_pictures(bench, tuned.image)[0], tuned.text
        text = encoded_texts(bench, words, "encode texts", encoder)[0]
    paths = [
        path.replace("/", " ").replace("-", " ") if path else None for path in bench.items.column("category")
    ]
    facts = [
        " ".join(value for _, value in pairs or ()) or None for pairs in bench.items.column("attributes")
    ]
    said = {
        "text": text,
        "category": encoded_texts(bench, paths, "encode categories", encoder)[0],
        "attributes": encoded_texts(bench, facts, "encode attributes", encoder)[0],
        "price": _prices(bench),
        "ocr": encoded_texts(bench, picture_texts(bench), "encode words in pictures", encoder)[0],
    }
    said = {name: vectors for name, vectors in said.items() if vectors.present.any()}
    inputs = [TowerInput("image", "image", image.space)]
    inputs += [TowerInput(name, vectors.space.name, vectors.space) for name, vectors in said.items()]
    blocks = {name: Block.of(vectors) for name, vectors in said.items()}
    return (
        ItemParts({"image": Block.of(image)}),
        ItemParts(blocks, vocabulary.counts(words)),
        vocabulary,
        tuple(inputs),
    )


def _prices(bench: Workbench) -> Vectors:
    prices = bench.items.table.column("price").to_numpy().astype(np.float64)
    known = np.isfinite(prices) & (prices >= 0)
    logs = np.log1p(np.where(known, prices, 0.0)) / math.log(10)
    matrix = np.stack([logs, logs * logs], axis=1).astype(np.float32)
    return Vectors(PRICE_SPACE, np.where(known[:, None], matrix, np.float32(0)), known)
