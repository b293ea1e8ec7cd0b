"""What a tower is trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Int64

from bowerbird.content.item_parts import ItemParts, WordVocabulary
from bowerbird.content.neighbour_pairs import Neighbours
from bowerbird.content.tower_settings import UnifiedSettings
from bowerbird.content.unified import TowerInput, UnifiedTower
from bowerbird.errors import InputError
from bowerbird.randomness import generator
from bowerbird.records.signal import Vectors
from bowerbird.training.tuning import LiveInput

__all__ = ["Pairs", "check_pairs", "held_back"]

_MOST_HELD = 500


@dataclass(frozen=True)
class Pairs:
    """What a tower is trained on.

    Args:
        inputs: the modalities and where their vectors live.
        seen: one side of each item, row by row.
        said: the other side; several rows may belong to one item.
        item_of: item row of each row of ``said``.
        vocabulary: what the columns of ``said.words`` are.
        neighbours: which items people keep together; none by default.
        asked: modalities a query of words has.
    """

    inputs: tuple[TowerInput, ...]
    seen: ItemParts
    said: ItemParts
    item_of: Int64[np.ndarray, "text"]
    vocabulary: WordVocabulary = field(default_factory=lambda: WordVocabulary(()))
    neighbours: Neighbours = field(default_factory=Neighbours.none)
    asked: tuple[str, ...] = ("text", "words")


def check_pairs(
    pairs: Pairs,
    settings: UnifiedSettings,
    start: UnifiedTower | None,
    toward: Vectors | None,
    live: Mapping[str, LiveInput],
) -> None:
    """Refuse what does not fit together.

    Raises:
        InputError: a modality on both sides, lengths that differ, or a tower to go on from with other inputs.
    """
    both = set(pairs.seen.blocks) & set(pairs.said.blocks)
    if both or (pairs.seen.words is not None):
        raise InputError(
            f"unified training: {', '.join(sorted(both)) or 'words'} on both sides; expected each modality on one, words among what is said"
        )
    if len(pairs.item_of) != len(pairs.said):
        raise InputError(
            f"unified training: {len(pairs.said)} texts, {len(pairs.item_of)} item rows; expected one each"
        )
    if start is not None and (
        start.inputs != pairs.inputs or start.vocabulary != pairs.vocabulary or start.dim != settings.dim
    ):
        raise InputError(
            f"unified training: a tower of {', '.join(start.modalities)} with {len(start.vocabulary.words)} words and "
            f"{start.dim} numbers to go on from; expected {', '.join(one.name for one in pairs.inputs)} in the same "
            f"spaces, the same {len(pairs.vocabulary.words)} words and {settings.dim} numbers; train anew without it"
        )
    if toward is not None and (len(toward) != len(pairs.seen) or toward.space.dim != settings.dim):
        raise InputError(
            f"unified training: {len(toward)} vectors of {toward.space.dim} numbers to train toward; "
            f"expected {len(pairs.seen)} of {settings.dim}"
        )
    for name, one in live.items():
        side = pairs.seen if name in pairs.seen.blocks else pairs.said
        if name not in side.blocks or len(one) != len(side):
            raise InputError(
                f"unified training: {len(one)} live rows of {name!r}; expected a modality of the pairs and as many rows "
                f"({len(pairs.seen)} seen, {len(pairs.said)} said)"
            )


def held_back(
    paired: Int64[np.ndarray, "n"], share: float, seed: int
) -> tuple[Int64[np.ndarray, "held"], Int64[np.ndarray, "fit"]]:
    """Items to choose the epoch on, and items to train on; none is held back where there are few."""
    count = min(int(len(paired) * share), _MOST_HELD)
    if count < 10:
        return np.zeros(0, np.int64), paired
    order = generator(seed, "unified", "split").permutation(paired)
    return np.sort(order[:count]), np.sort(order[count:])
