"""Which index: exact while it is as fast, approximate beyond."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from bowerbird.errors import StorageError
from bowerbird.records.signal import Vectors
from bowerbird.retrieval.index.approximate import ApproximateIndex
from bowerbird.retrieval.index.exact import ExactIndex
from bowerbird.retrieval.index.protocol import VectorIndex, read_card

__all__ = ["build_index", "choose_index", "load_index"]

EXACT_UP_TO = 2_560_000
"""Values (rows times dim) up to which the exact scan is used: 20,000 x 128, or 2,000 x 1280.

Inverted lists answer a batch faster from about 2,000 rows on, so this is not where the two cross. It is
where the exact scan stops being cheap: up to here it costs about 0.1 CPU-ms per query of a batch and
below 2 ms alone, a small part of a request, and buys recall 1 and no build.
"""


def choose_index(n: int, dim: int) -> Literal["exact", "approximate"]:
    """The kind of index for ``n`` vectors of width ``dim``.

    Example:
        >>> choose_index(2_000, 384), choose_index(100_000, 128)
        ('exact', 'approximate')
    """
    return "exact" if n * dim <= EXACT_UP_TO else "approximate"


def build_index(vectors: Vectors, *, seed: int = 0, target_recall: float = 0.95) -> VectorIndex:
    """An index of the kind :func:`choose_index` names.

    Args:
        vectors: what to index.
        seed: for the approximate index; the same seed gives the same bytes.
        target_recall: recall@10 the approximate index is tuned to on held-out vectors.
    """
    if choose_index(int(vectors.present.sum()), vectors.space.dim) == "exact":
        return ExactIndex(vectors)
    return ApproximateIndex.build(vectors, seed=seed, target_recall=target_recall)


def load_index(directory: Path) -> VectorIndex:
    """The index a directory holds, of whichever kind.

    Raises:
        NotFoundError: there is none.
        StorageError: it is damaged or of a kind this version does not know.
    """
    card = read_card(directory)
    kinds = {"exact": ExactIndex.load, "approximate": ApproximateIndex.load}
    if card.get("kind") not in kinds:
        raise StorageError(
            f"{directory}: index of unknown kind {card.get('kind')!r}; expected {sorted(kinds)}"
        )
    return kinds[card["kind"]](directory, card)
