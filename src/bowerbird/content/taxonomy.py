"""Taxonomy: the tree of categories that items' category paths describe.

A node's id is its full path (``animals/birds``), which never changes; its row is dense and stays the same when
the tree grows through :meth:`Taxonomy.extended`.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Int32

from bowerbird.errors import InputError, NotFoundError, did_you_mean

SEPARATOR = "/"


def path_parts(path: str | None) -> tuple[str, ...]:
    """The parts of a category path: Unicode NFC, outer spaces and empty parts dropped.

    Example:
        >>> path_parts(" home// kitchen /")
        ('home', 'kitchen')
        >>> path_parts(None)
        ()
    """
    text = unicodedata.normalize("NFC", path or "")
    return tuple(part for part in (piece.strip() for piece in text.split(SEPARATOR)) if part)


@dataclass(frozen=True)
class Taxonomy:
    """A tree of categories. Parents come before their children.

    Make one with :meth:`from_paths`.

    Args:
        paths: the nodes' full paths, in row order.

    Raises:
        InputError: a path is not in its plain form, occurs twice, or comes before its parent.

    Example:
        >>> tree = Taxonomy.from_paths(["home/kitchen/mugs", "home/garden", None])
        >>> tree.paths
        ('home', 'home/garden', 'home/kitchen', 'home/kitchen/mugs')
        >>> tree.ancestors(tree.node("home/kitchen/mugs")).tolist()
        [2, 0]
    """

    paths: tuple[str, ...]

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for path in self.paths:
            parts = path_parts(path)
            if SEPARATOR.join(parts) != path or not parts:
                raise InputError(f"taxonomy: node {path!r} is not a plain path such as 'home/kitchen'")
            if path in seen:
                raise InputError(f"taxonomy: node {path!r} occurs twice; nodes must be unique")
            if len(parts) > 1 and SEPARATOR.join(parts[:-1]) not in seen:
                raise InputError(f"taxonomy: node {path!r} comes before its parent; parents come first")
            seen.add(path)

    @staticmethod
    def from_paths(paths: Iterable[str | None]) -> Taxonomy:
        """The tree of some items' category paths, in any order, with repeats; every prefix becomes a node."""
        return Taxonomy(()).extended(paths)

    def extended(self, paths: Iterable[str | None]) -> Taxonomy:
        """The tree with more paths: old nodes keep their rows, new ones follow in sorted order."""
        wanted = {
            parts[:depth] for parts in set(map(path_parts, paths)) for depth in range(1, len(parts) + 1)
        }
        new = (SEPARATOR.join(parts) for parts in sorted(wanted))
        return Taxonomy((*self.paths, *(path for path in new if path not in self._rows)))

    def __len__(self) -> int:
        return len(self.paths)

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {path: row for row, path in enumerate(self.paths)}

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The last part of each path: what people read."""
        return tuple(path_parts(path)[-1] for path in self.paths)

    @cached_property
    def depths(self) -> Int32[np.ndarray, "node"]:
        """Distance of each node from the top; 0 for top nodes."""
        return np.array([path.count(SEPARATOR) for path in self.paths], dtype=np.int32)

    @cached_property
    def parents(self) -> Int32[np.ndarray, "node"]:
        """The row of each node's parent; -1 for top nodes."""
        return np.array(
            [self._rows.get(path.rpartition(SEPARATOR)[0], -1) for path in self.paths], dtype=np.int32
        )

    @property
    def version(self) -> str:
        """A hash of the nodes in row order: labels of equal versions can be compared."""
        return hashlib.blake2b("\n".join(self.paths).encode(), digest_size=8).hexdigest()

    def node(self, path: str) -> int:
        """The row of a category path.

        Raises:
            NotFoundError: the tree has no such node.
        """
        plain = SEPARATOR.join(path_parts(path))
        row = self._rows.get(plain)
        if row is None:
            hint = did_you_mean(plain, self.paths)
            hint = hint if hint.startswith("did") or len(hint) < 80 else f"{len(self)} are known"
            raise NotFoundError(f"taxonomy: category {path!r} is not known; {hint}")
        return row

    def rows(self, paths: Iterable[str | None]) -> Int32[np.ndarray, "n"]:
        """Rows of many category paths; -1 for unknown and empty ones."""
        plain = (SEPARATOR.join(path_parts(path)) for path in paths)
        return np.fromiter((self._rows.get(path, -1) for path in plain), dtype=np.int32)

    def ancestors(self, row: int) -> Int32[np.ndarray, "above"]:
        """The nodes above a node, nearest first."""
        found = []
        row = int(self.parents[row])
        while row >= 0:
            found.append(row)
            row = int(self.parents[row])
        return np.array(found, dtype=np.int32)

    def children(self, row: int) -> Int32[np.ndarray, "child"]:
        """The nodes directly below a node, by row; below -1 are the top nodes."""
        return np.flatnonzero(self.parents == row).astype(np.int32)
