"""What every vector index can do, and the checks and the card file they share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float32, Int32

from bowerbird.arrays import normalise
from bowerbird.errors import InputError, NotFoundError, StorageError
from bowerbird.records.signal import Space, Vectors

__all__ = ["CARD", "VectorIndex", "comparable", "read_card", "require_search", "write_card"]

CARD = "index.json"
"""The file that says what lies in an index's directory."""


@runtime_checkable  # lets the test run check signatures that take one
class VectorIndex(Protocol):
    """Nearest rows in one space. Rows are those of the vectors it was built over."""

    @property
    def space(self) -> Space:
        """Where its vectors live; queries must live there too."""
        ...

    @property
    def size_bytes(self) -> int:
        """Memory the vectors and what is built over them take."""
        ...

    def __len__(self) -> int:
        """Rows it was built over, absent ones included."""
        ...

    def search(
        self, queries: Vectors, n: int, allowed: Bool[np.ndarray, "row"] | None = None
    ) -> tuple[Int32[np.ndarray, "query n"], Float32[np.ndarray, "query n"]]:
        """The ``n`` most similar rows of each query, best first.

        Args:
            queries: vectors of the same space; an absent query finds nothing.
            n: rows per query. Fewer may exist: the rest is row -1 with similarity -inf.
            allowed: which rows may be found; None allows all. The filter works inside the search, so
                allowed rows are found however few they are.

        Returns:
            Rows, and their similarity: cosine or dot product, as the space says.

        Raises:
            SpaceMismatchError: the queries live in another space.
            InputError: n is below 1, or allowed has another length than the index.
        """
        ...

    def save(self, directory: Path) -> None:
        """Write the index into a directory, which is made; :func:`load_index` reads it.

        Raises:
            StorageError: the disk refused.
        """
        ...


def comparable(vectors: Vectors) -> Float32[np.ndarray, "row dim"]:
    """The matrix whose dot products are the space's similarities: unit rows for cosine, else as they are."""
    return normalise(vectors.matrix) if vectors.space.metric == "cosine" else vectors.matrix


def require_search(
    space: Space, rows: int, queries: Vectors, n: int, allowed: Bool[np.ndarray, "row"] | None
) -> None:
    """Refuse a search that cannot be answered.

    Raises:
        SpaceMismatchError: the queries live in another space.
        InputError: n is below 1, or allowed has another length than the index.
    """
    space.require(queries.space, "index search")
    if n < 1:
        raise InputError(f"index search in {space.key!r}: n = {n}; expected at least 1")
    if allowed is not None and allowed.shape[0] != rows:
        raise InputError(
            f"index search in {space.key!r}: allowed has {allowed.shape[0]} rows, the index has {rows}; "
            "build both over the same catalogue"
        )


def write_card(directory: Path, card: dict[str, Any]) -> None:
    """Write an index's card."""
    (directory / CARD).write_text(json.dumps(card, indent=2, sort_keys=True), encoding="utf-8")


def read_card(directory: Path) -> dict[str, Any]:
    """Read an index's card.

    Raises:
        NotFoundError: the directory holds no index.
        StorageError: the card is damaged.
    """
    path = directory / CARD
    if not path.is_file():
        raise NotFoundError(f"{directory}: no index here (no {CARD}); build it first")
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
        return {**card, "space": Space.from_key(card["space"])}
    except (ValueError, KeyError, TypeError) as error:
        raise StorageError(f"{path}: damaged card of an index ({error}); build the index again") from error
