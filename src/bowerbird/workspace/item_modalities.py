"""What the item tower reads of every item of a workspace: a block of numbers for each modality."""

from __future__ import annotations

import math

import numpy as np

from bowerbird.content.encoder import ContentEncoder
from bowerbird.content.item_parts import Block, ItemParts, WordVocabulary
from bowerbird.content.unified import TowerInput
from bowerbird.records.signal import Space, Vectors
from bowerbird.workspace.content_steps import encoded_pictures, encoded_texts, item_words
from bowerbird.workspace.quality_steps import picture_texts
from bowerbird.workspace.tuning_steps import lacks_tuning, tuned_encoders
from bowerbird.workspace.workbench import Workbench

__all__ = ["CAPTION", "item_sides", "texts_of_items"]

PRICE_SPACE = Space("price", "log.1", 2, "dot")
"""A price as its logarithm and that logarithm's square: cheap, middling and dear are three directions."""
CAPTION = "caption"
"""The attribute, a column of that name, that says what is seen in a picture: a modality of its own."""

_TASKS = {
    "title": "encode titles",
    "description": "encode descriptions",
    CAPTION: "encode captions",
    "category": "encode categories",
    "attributes": "encode attributes",
    "ocr": "encode words in pictures",
}


def item_sides(
    bench: Workbench, vocabulary: WordVocabulary | None = None
) -> tuple[ItemParts, ItemParts, WordVocabulary, tuple[TowerInput, ...]]:
    """What is seen and what is said of every item; modalities that no item has are left out.

    Among what is said, ``text`` is all words together, as they are searched and as a query comes; the others are the
    parts of which it is made, each a token of its own.

    Args:
        bench: the workspace's stores.
        vocabulary: the words that are known; those of the catalogue when None.

    Returns:
        What is seen, what is said, the vocabulary, and the modalities with their spaces.
    """
    words = item_words(bench)
    vocabulary = WordVocabulary.of(words) if vocabulary is None else vocabulary
    tuned = tuned_encoders(bench, building=True) if lacks_tuning(bench) is None else None
    if tuned is None:
        image, text, encoder = bench.item_vectors("image_vector"), bench.item_vectors("text_vector"), None
    else:
        image, encoder = encoded_pictures(bench, tuned.image)[0], tuned.text
        text = encoded_texts(bench, words, "encode texts", encoder)[0]
    said = {"text": text, **_parts(bench, encoder), "price": _prices(bench)}
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


def texts_of_items(bench: Workbench) -> dict[str, list[str | None]]:
    """The words of every item by where they stand, as they are encoded."""
    items = bench.items
    attributes = [dict(pairs or ()) for pairs in items.column("attributes")]
    return {
        "title": items.column("title"),
        "description": items.column("description"),
        CAPTION: [pairs.pop(CAPTION, None) for pairs in attributes],
        "category": [
            path.replace("/", " ").replace("-", " ") if path else None for path in items.column("category")
        ],
        "attributes": [" ".join(value for value in pairs.values() if value) or None for pairs in attributes],
    }


def _parts(bench: Workbench, encoder: ContentEncoder | None) -> dict[str, Vectors]:
    columns = {**texts_of_items(bench), "ocr": picture_texts(bench)}
    return {
        name: encoded_texts(bench, column, _TASKS[name], encoder)[0]
        for name, column in columns.items()
        if any(column)
    }


def _prices(bench: Workbench) -> Vectors:
    prices = bench.items.table.column("price").to_numpy().astype(np.float64)
    known = np.isfinite(prices) & (prices >= 0)
    logs = np.log1p(np.where(known, prices, 0.0)) / math.log(10)
    matrix = np.stack([logs, logs * logs], axis=1).astype(np.float32)
    return Vectors(PRICE_SPACE, np.where(known[:, None], matrix, np.float32(0)), known)
