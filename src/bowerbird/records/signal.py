"""Signals: named, versioned values of entities; and vectors that know the space they live in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float32, Int

from bowerbird.errors import InputError, SpaceMismatchError


@dataclass(frozen=True)
class Space:
    """Where vectors can be compared: a name, the version of what produced them, a width and a metric.

    Two spaces are equal only if all four agree; vectors of unequal spaces never meet in a dot product.

    Example:
        >>> Space("image", "efficientnet-lite2.1", 1280, "cosine").key
        'image/efficientnet-lite2.1/1280/cosine'
    """

    name: str
    version: str
    dim: int
    metric: Literal["cosine", "dot"] = "cosine"

    @property
    def key(self) -> str:
        """The space as one text, for tables and messages."""
        return f"{self.name}/{self.version}/{self.dim}/{self.metric}"

    @staticmethod
    def from_key(key: str) -> Space:
        """The space a :attr:`key` names."""
        name, version, dim, metric = key.rsplit("/", 3)
        return Space(name, version, int(dim), metric)  # type: ignore[arg-type]

    def require(self, other: Space, doing: str) -> None:
        """Refuse vectors of another space.

        Raises:
            SpaceMismatchError: the spaces differ in any part.
        """
        if self != other:
            raise SpaceMismatchError(
                f"{doing}: vectors of space {other.key!r} cannot meet vectors of space {self.key!r}; "
                "rebuild the older signal (`bowerbird build`) or encode the query with the same version"
            )


@dataclass(frozen=True)
class Vectors:
    """Vectors of many entities, one row each, in one space.

    Args:
        space: where they live.
        matrix: the values; rows without a vector are zero.
        present: which rows have one.

    Raises:
        InputError: the shapes disagree, or a value is not finite.
    """

    space: Space
    matrix: Float32[np.ndarray, "row dim"]
    present: Bool[np.ndarray, "row"]

    def __post_init__(self) -> None:
        if self.matrix.ndim != 2 or self.matrix.shape[1] != self.space.dim:
            raise InputError(f"vectors of shape {self.matrix.shape} do not fit space {self.space.key!r}")
        if self.present.shape != (self.matrix.shape[0],):
            raise InputError(f"present has shape {self.present.shape}, expected ({self.matrix.shape[0]},)")
        if not np.isfinite(self.matrix).all():
            bad = int(np.flatnonzero(~np.isfinite(self.matrix).all(axis=1))[0])
            raise InputError(f"vectors of space {self.space.key!r}: row {bad} is not finite")

    @staticmethod
    def full(space: Space, matrix: Float32[np.ndarray, "row dim"]) -> Vectors:
        """Vectors of which every row is present."""
        return Vectors(space, matrix, np.ones(matrix.shape[0], dtype=bool))

    def __len__(self) -> int:
        return self.matrix.shape[0]

    def take(self, rows: Int[np.ndarray, "n"]) -> Vectors:
        """The vectors of some rows; row -1 gives an absent vector."""
        known = rows >= 0
        safe = np.where(known, rows, 0)
        present = self.present[safe] & known
        if present.all():
            return Vectors(self.space, self.matrix[safe], present)
        return Vectors(self.space, np.where(present[:, None], self.matrix[safe], np.float32(0)), present)

    def similarity(self, other: Vectors) -> Float32[np.ndarray, "row other"]:
        """Every dot product between these and the others.

        Raises:
            SpaceMismatchError: the spaces differ.
        """
        self.space.require(other.space, "similarity")
        return self.matrix @ other.matrix.T


@dataclass(frozen=True)
class SignalCard:
    """What the registry knows of a signal: what it is, who made it and how much of it there is."""

    name: str
    entity: Literal["item", "user", "query", "model"]
    kind: Literal["vector", "label", "scalar", "group", "hash", "graph", "model"]
    version: str
    """Fingerprint of everything it was made from."""
    producer: str
    """The step and settings that made it."""
    rows: int
    coverage: float
    """Share of entities that have a value, in [0, 1]."""
    as_of: int
    """Events at or after this time were not used; microseconds UTC."""
    inputs: tuple[str, ...] = ()
    space: Space | None = None
    seconds: float = 0.0
    """Wall seconds the last build took."""
    note: str = ""
