"""Queries in the space of items, whichever way the items got there: trained together, or fused side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from bowerbird.arrays import normalise
from bowerbird.content.conse import Classifier, ConSE
from bowerbird.content.fusion import Fusion
from bowerbird.content.item_parts import ItemParts
from bowerbird.content.unified import UnifiedTower
from bowerbird.errors import InputError
from bowerbird.records.signal import Space, Vectors

TYPICAL_LENGTH = 13.5
"""Length of an EfficientNet-Lite2 feature, mean over photographs: unit vectors have lost their own, and the classes
that are seen hardly depend on it (docs/log.md)."""
AWAY = 0.5
"""How far a query moves away from what it must not be, in units of what it is."""


@runtime_checkable
class ItemSpace(Protocol):
    """Embeds queries where the items are."""

    @property
    def space(self) -> Space:
        """Where the items are."""
        ...

    def embed(
        self, image: Vectors | None, text: Vectors | None, words: Sequence[str | None] | None = None
    ) -> Vectors:
        """Queries of pictures, of words or of both, a row each.

        Args:
            image: picture vectors, or None.
            text: text vectors of the same rows, or None.
            words: the words themselves, or None.
        """
        ...


@dataclass(frozen=True)
class FusedSpace:
    """The untrained space: look and words side by side; a picture without words gets the names of what is seen.

    Args:
        fusion: the projections.
        bridge: names what is seen; None where every item has words of its own.
        classifier: the picture encoder, for the bridge.
    """

    fusion: Fusion
    bridge: ConSE | None = None
    classifier: Classifier | None = None

    @property
    def space(self) -> Space:
        """The fused space."""
        return self.fusion.space

    def embed(
        self, image: Vectors | None, text: Vectors | None, words: Sequence[str | None] | None = None
    ) -> Vectors:
        """See :meth:`ItemSpace.embed`; the words themselves are not read."""
        return self.fusion.project(image, named(image, text, self.bridge, self.classifier))


@dataclass(frozen=True)
class UnifiedSpace:
    """The trained space."""

    tower: UnifiedTower

    @property
    def space(self) -> Space:
        """The tower's space."""
        return self.tower.space

    def embed(
        self, image: Vectors | None, text: Vectors | None, words: Sequence[str | None] | None = None
    ) -> Vectors:
        """See :meth:`ItemSpace.embed`."""
        given = {"image": image, "text": text}
        blocks = {name: self.tower.block(name, part) for name, part in given.items() if part is not None}
        counts = None if words is None else self.tower.vocabulary.counts(words)
        return self.tower.project(ItemParts(blocks, counts))


def named(
    image: Vectors | None, text: Vectors | None, bridge: ConSE | None, classifier: Classifier | None
) -> Vectors | None:
    """The text vectors, completed by what a classifier sees where there is a picture and no text."""
    if image is None or bridge is None or classifier is None:
        return text
    lengths = np.full(len(image), TYPICAL_LENGTH, dtype=np.float32)
    seen = bridge.project(classifier.class_logits(image, lengths), image)
    if text is None:
        return seen
    text.space.require(seen.space, "ConSE")
    matrix = np.where(text.present[:, None], text.matrix, seen.matrix)
    return Vectors(text.space, matrix, text.present | seen.present)


def away_from(wanted: Vectors, unwanted: Vectors, share: float = AWAY) -> Vectors:
    """Queries moved away from what they must not be: ``unit(q - share n)``, both of unit length.

    Raises:
        SpaceMismatchError: they live in different spaces.
        InputError: they are of different numbers of queries.

    Example:
        >>> space = Space("item", "1", 2)
        >>> q, n = (Vectors.full(space, np.array([row], np.float32)) for row in ([1.0, 0.0], [0.0, 1.0]))
        >>> away_from(q, n).matrix.astype(float).round(2).tolist()
        [[0.89, -0.45]]
    """
    wanted.space.require(unwanted.space, "query")
    if len(wanted) != len(unwanted):
        raise InputError(f"query: {len(wanted)} wanted and {len(unwanted)} unwanted; expected equally many")
    return Vectors(
        wanted.space, normalise(wanted.matrix - np.float32(share) * unwanted.matrix), wanted.present
    )


__all__ = ["AWAY", "TYPICAL_LENGTH", "FusedSpace", "ItemSpace", "UnifiedSpace", "away_from", "named"]
