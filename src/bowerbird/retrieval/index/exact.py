"""The exact index: every dot product, in blocks. It is the truth, and up to some size the faster one.

A single query is bound by memory; a batch is bound by arithmetic. Blocks of rows and queries keep the
scores small, and after the first block only scores above each query's n-th best are looked at again.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any, final

import numpy as np
from jaxtyping import Bool, Float32, Int32, Int64
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from bowerbird.errors import StorageError
from bowerbird.records.signal import Space, Vectors
from bowerbird.retrieval.index.protocol import comparable, require_search, write_card

__all__ = ["ExactIndex"]

_ROWS = 8192
"""Rows per block: with 128 queries their scores are 4 MB, which a shared cache holds."""
_QUERIES = 128
_FILE = "vectors.safetensors"


@final
class ExactIndex:
    """Brute force over all rows; ties go to the lower row.

    Cost: O(query * row * dim) per search, in single-precision matrix products.
    """

    def __init__(self, vectors: Vectors, *, already_unit: bool = False) -> None:
        self._space = vectors.space
        # normalising twice would change last bits, so a loaded matrix is taken as it is
        self._matrix = np.ascontiguousarray(vectors.matrix if already_unit else comparable(vectors))
        self._present = vectors.present
        self._whole = bool(vectors.present.all())

    @property
    def space(self) -> Space:
        """Where its vectors live."""
        return self._space

    @property
    def size_bytes(self) -> int:
        """Memory of the matrix and of the mask of present rows."""
        return self._matrix.nbytes + self._present.nbytes

    def __len__(self) -> int:
        return self._matrix.shape[0]

    def search(
        self, queries: Vectors, n: int, allowed: Bool[np.ndarray, "row"] | None = None
    ) -> tuple[Int32[np.ndarray, "query n"], Float32[np.ndarray, "query n"]]:
        """The ``n`` most similar rows of each query; see :meth:`VectorIndex.search`."""
        require_search(self._space, len(self), queries, n, allowed)
        mask = None if self._whole else self._present
        if allowed is not None:
            mask = allowed & self._present
        rows = np.full((len(queries), n), -1, dtype=np.int32)
        similarities = np.full((len(queries), n), -np.inf, dtype=np.float32)
        asked = np.flatnonzero(queries.present)
        matrix = comparable(queries)
        for start in range(0, asked.shape[0], _QUERIES):
            some = asked[start : start + _QUERIES]
            rows[some], similarities[some] = self._scan(matrix[some], n, mask)
        return rows, similarities

    def _scan(
        self, queries: Float32[np.ndarray, "query dim"], n: int, mask: Bool[np.ndarray, "row"] | None
    ) -> tuple[Int32[np.ndarray, "query n"], Float32[np.ndarray, "query n"]]:
        best = _Best(queries.shape[0], n)
        # the first block sets a bar for each query; after it, fewer queries afford longer blocks
        longer = _ROWS * (_QUERIES // queries.shape[0])
        bounds = [0, *range(_ROWS, len(self), longer), len(self)]
        for start, stop in pairwise(bounds):
            block = slice(start, stop)
            if mask is not None and not mask[block].any():
                continue
            scores = queries @ self._matrix[block].T
            if mask is not None:
                np.copyto(scores, -np.inf, where=~mask[block])
            best.offer(scores, start)
        return best.rows, best.scores

    def save(self, directory: Path) -> None:
        """Write the vectors as safetensors; see :meth:`VectorIndex.save`."""
        try:
            directory.mkdir(parents=True, exist_ok=True)
            save_file({"matrix": self._matrix, "present": self._present}, directory / _FILE)
            write_card(directory, {"kind": "exact", "space": self._space.key, "rows": len(self)})
        except (OSError, SafetensorError) as error:
            raise StorageError(f"{directory}: cannot write the exact index ({error})") from error

    @staticmethod
    def load(directory: Path, card: dict[str, Any]) -> ExactIndex:
        """Read what :meth:`save` wrote.

        Raises:
            StorageError: the file is missing or damaged.
        """
        try:
            held = load_file(directory / _FILE)
            return ExactIndex(Vectors(card["space"], held["matrix"], held["present"]), already_unit=True)
        except (OSError, SafetensorError, KeyError) as error:
            raise StorageError(
                f"{directory / _FILE}: missing or damaged ({error}); build the index again"
            ) from error


class _Best:
    """The best rows seen so far, per query."""

    def __init__(self, queries: int, n: int) -> None:
        self.rows = np.full((queries, n), -1, dtype=np.int32)
        self.scores = np.full((queries, n), -np.inf, dtype=np.float32)

    def offer(self, scores: Float32[np.ndarray, "query block"], first_row: int) -> None:
        """Look at the scores of the next block; rows come in ascending order, so ties stay with earlier ones."""
        n, width = self.rows.shape[1], scores.shape[1]
        worst = self.scores[:, -1]
        if width > n and not np.isfinite(worst).any():
            # nothing to beat yet: this block's own n-th best; equal scores at the edge are cut below
            hit = scores >= np.partition(scores, width - n, axis=1)[:, width - n, None]
            hit &= scores > -np.inf
        else:
            hit = scores > worst[:, None]
        flat = np.flatnonzero(hit.ravel())
        if flat.shape[0] == 0:
            return
        query, column = np.divmod(flat, width)
        self._merge(query, (column + first_row).astype(np.int32), scores.ravel()[flat])

    def _merge(
        self,
        query: Int64[np.ndarray, "hit"],
        rows: Int32[np.ndarray, "hit"],
        scores: Float32[np.ndarray, "hit"],
    ) -> None:
        n = self.rows.shape[1]
        touched, place = np.unique(query, return_inverse=True)
        owner = np.concatenate([np.repeat(np.arange(touched.shape[0]), n), place])
        rows = np.concatenate([self.rows[touched].ravel(), rows])
        scores = np.concatenate([self.scores[touched].ravel(), scores])
        order = np.lexsort((rows, -scores, owner))
        # the first n of each owner; every owner has at least its n earlier entries
        starts = np.searchsorted(owner[order], np.arange(touched.shape[0]))
        chosen = order[starts[:, None] + np.arange(n)]
        self.rows[touched], self.scores[touched] = rows[chosen], scores[chosen]
