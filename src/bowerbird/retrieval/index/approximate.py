"""The approximate index: faiss inverted lists over vectors of one byte (or two) per dimension.

Vectors are grouped into about ``4 * sqrt(n)`` lists by k-means; a query looks into the ``probes`` lists
whose centres are nearest. How many lists that takes depends on the data, so it is found at build time
on a sample of the user's own vectors, and written on the card.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, final

import faiss
import numpy as np
from jaxtyping import Bool, Float32, Int32

from bowerbird.errors import InputError, StorageError
from bowerbird.randomness import generator
from bowerbird.records.signal import Space, Vectors
from bowerbird.retrieval.index.exact import ExactIndex
from bowerbird.retrieval.index.protocol import comparable, require_search, write_card
from bowerbird.retrieval.index.recall import share_found

__all__ = ["ApproximateIndex", "Tuning", "faiss_threads"]

_FILE = "index.faiss"
_SAMPLE = 512
"""Held-out queries for tuning: the standard error of a recall of .95 at k = 10 is then below .005."""
_MARGIN = 0.005
"""Tuned for this much more than asked, one standard error of the sample."""
_POINTS_PER_LIST = 40
_ROUNDS = 8
"""k-means rounds: with 40 points per list the recall equals 256 points and 10 rounds at half the cost."""
_WIDER = 8
"""A query that found too few rows looks into so many times the lists."""
_PLATEAU = 0.002
"""A gain of recall below this when probes double means the codes, not the lists, set the limit."""


@dataclass(frozen=True)
class Tuning:
    """What tuning chose, and what it saw."""

    probes: int
    """Lists searched per query."""
    code: Literal["sq8", "fp16"]
    """One byte per dimension, or two where one is too coarse for the target."""
    recall: float
    """Recall@k on the held-out sample."""
    k: int
    target: float
    """Recall asked for."""

    @property
    def reached(self) -> bool:
        """Whether the sample reached what was asked."""
        return self.recall >= self.target


@contextmanager
def faiss_threads(count: int = 1) -> Iterator[None]:
    """Run faiss on some threads inside the block, and leave its setting as it was.

    A server has its own threads; a library that starts more makes every answer slower.
    """
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(count)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


@final
class ApproximateIndex:
    """Inverted lists with scalar-quantised vectors; made by :meth:`build` or :meth:`load`."""

    def __init__(self, space: Space, rows: int, lists: faiss.IndexIVF, tuning: Tuning) -> None:
        self._space = space
        self._rows = rows
        self._lists = lists
        self.tuning = tuning

    @staticmethod
    def build(
        vectors: Vectors, *, seed: int = 0, target_recall: float = 0.95, k: int = 10
    ) -> ApproximateIndex:
        """Group, encode and tune.

        Args:
            vectors: rows without a vector are left out and never found.
            seed: decides the training sample and the held-out queries; the same seed gives the same bytes.
            target_recall: recall@k to reach on held-out vectors, in (0, 1].
            k: rows per query the recall counts.

        Raises:
            InputError: no row has a vector, or target_recall is out of range.

        Cost: at 100,000 x 128 about 3 CPU-seconds.
        """
        if not 0.0 < target_recall <= 1.0:
            raise InputError(f"index build: target_recall = {target_recall}; expected above 0 and at most 1")
        if not vectors.present.any():
            raise InputError(f"index build: no row of space {vectors.space.key!r} has a vector")
        with faiss_threads(1):
            lists, tuning = _built(vectors, seed, target_recall, k)
        return ApproximateIndex(vectors.space, len(vectors), lists, tuning)

    @property
    def space(self) -> Space:
        """Where its vectors live."""
        return self._space

    @property
    def size_bytes(self) -> int:
        """Memory of codes, row numbers and list centres."""
        count, lists = self._lists.ntotal, self._lists.nlist
        return count * (self._lists.code_size + 8) + lists * self._space.dim * 4

    def __len__(self) -> int:
        return self._rows

    def search(
        self, queries: Vectors, n: int, allowed: Bool[np.ndarray, "row"] | None = None
    ) -> tuple[Int32[np.ndarray, "query n"], Float32[np.ndarray, "query n"]]:
        """The ``n`` most similar rows of each query; see :meth:`VectorIndex.search`.

        With a filter, probes grow as the allowed share shrinks; and a query that found fewer than ``n`` rows is
        searched again in ever more lists, so it comes back short only if no more are allowed.
        Similarities are those of the encoded vectors: within about 1e-2 of the exact ones.
        """
        require_search(self._space, self._rows, queries, n, allowed)
        rows = np.full((len(queries), n), -1, dtype=np.int32)
        similarities = np.full((len(queries), n), -np.inf, dtype=np.float32)
        asked = np.flatnonzero(queries.present)
        share = 1.0 if allowed is None else float(allowed.mean()) if self._rows else 0.0
        if asked.shape[0] == 0 or share == 0.0:
            return rows, similarities
        matrix = comparable(queries)
        lists, few = self._lists.nlist, asked
        probes = min(lists, int(np.ceil(self.tuning.probes / share)))
        with faiss_threads(1):
            while few.shape[0]:
                rows[few], similarities[few] = _probe(self._lists, matrix[few], n, probes, allowed)
                if probes == lists:
                    break
                few = few[rows[few, -1] < 0]
                probes = min(lists, _WIDER * probes)
        return rows, similarities

    def save(self, directory: Path) -> None:
        """Write faiss's own file and the card; see :meth:`VectorIndex.save`."""
        try:
            directory.mkdir(parents=True, exist_ok=True)
            faiss.write_index(self._lists, str(directory / _FILE))
            write_card(
                directory,
                {
                    "kind": "approximate",
                    "space": self._space.key,
                    "rows": self._rows,
                    "tuning": asdict(self.tuning),
                },
            )
        except (OSError, RuntimeError) as error:  # faiss reports a failed write as RuntimeError
            raise StorageError(f"{directory}: cannot write the approximate index ({error})") from error

    @staticmethod
    def load(directory: Path, card: dict[str, Any]) -> ApproximateIndex:
        """Read what :meth:`save` wrote.

        Raises:
            StorageError: the file is missing or damaged.
        """
        try:
            lists = faiss.read_index(str(directory / _FILE))
            if not isinstance(lists, faiss.IndexIVF):
                raise StorageError(f"{directory / _FILE}: holds no inverted lists; build the index again")
            return ApproximateIndex(card["space"], card["rows"], lists, Tuning(**card["tuning"]))
        except (RuntimeError, KeyError, TypeError) as error:
            raise StorageError(
                f"{directory / _FILE}: missing or damaged ({error}); build the index again"
            ) from error


def _probe(
    lists: faiss.IndexIVF,
    queries: Float32[np.ndarray, "query dim"],
    n: int,
    probes: int,
    allowed: Bool[np.ndarray, "row"] | None,
) -> tuple[Int32[np.ndarray, "query n"], Float32[np.ndarray, "query n"]]:
    selector = None
    if allowed is not None:
        bits = np.packbits(allowed, bitorder="little")
        selector = faiss.IDSelectorBitmap(bits)  # pyright: ignore[reportCallIssue]  (faiss rewrites its constructors)
    parameters = faiss.SearchParametersIVF(nprobe=probes, sel=selector)  # pyright: ignore[reportCallIssue]
    similarities, rows = lists.search(np.ascontiguousarray(queries), n, params=parameters)
    similarities[rows < 0] = -np.inf
    return rows.astype(np.int32), similarities


def _built(vectors: Vectors, seed: int, target: float, k: int) -> tuple[faiss.IndexIVF, Tuning]:
    """The lists, in one byte per dimension if the target is reached so, else in two."""
    matrix = comparable(vectors)
    rows = np.flatnonzero(vectors.present)
    count = max(1, min(1 << round(np.log2(4 * np.sqrt(rows.shape[0]))), rows.shape[0] // _POINTS_PER_LIST))
    centres = faiss.IndexFlatIP(vectors.space.dim)
    draw = generator(seed, "index", "train")
    sample = rows
    if rows.shape[0] > count * _POINTS_PER_LIST:
        sample = np.sort(draw.choice(rows, size=count * _POINTS_PER_LIST, replace=False))
    truth = _held_out(vectors, rows, seed, k)
    kinds = {"sq8": faiss.ScalarQuantizer.QT_8bit, "fp16": faiss.ScalarQuantizer.QT_fp16}
    best: tuple[faiss.IndexIVF, Tuning] | None = None
    for code, kind in kinds.items():
        lists = faiss.IndexIVFScalarQuantizer(
            centres, vectors.space.dim, count, kind, faiss.METRIC_INNER_PRODUCT
        )
        lists.cp.seed = int(draw.integers(2**31))
        lists.cp.niter = _ROUNDS
        lists.cp.min_points_per_centroid = 1  # small catalogues are fine, no warning on stderr
        lists.cp.spherical = vectors.space.metric == "cosine"
        lists.train(matrix[sample])
        lists.add_with_ids(matrix[rows], rows.astype(np.int64))
        probes, recall = _tuned(lists, matrix, truth, min(1.0, target + _MARGIN))
        tuning = Tuning(probes, code, recall, k, target)  # type: ignore[arg-type]
        if best is None or recall > best[1].recall:
            best = lists, tuning
        if tuning.reached:
            break
    assert best is not None
    return best


def _held_out(vectors: Vectors, rows: np.ndarray, seed: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows used as queries, and the k true neighbours of each other than itself."""
    chosen = generator(seed, "index", "held out").permutation(rows)[:_SAMPLE]
    found, _ = ExactIndex(vectors).search(vectors.take(chosen), k + 1)
    return chosen, _without_self(found, chosen, k)


def _without_self(found: np.ndarray, own: np.ndarray, k: int) -> np.ndarray:
    """Each query's neighbours without the query itself, k of them."""
    order = np.argsort(found == own[:, None], axis=1, kind="stable")
    return np.take_along_axis(found, order, axis=1)[:, :k]


def _tuned(
    lists: faiss.IndexIVF,
    matrix: Float32[np.ndarray, "row dim"],
    truth: tuple[np.ndarray, np.ndarray],
    target: float,
) -> tuple[int, float]:
    """The fewest probes (1 to 8, 10, 12, 14, 16, 20, ...) that reach the target, and the recall they reach."""
    own, neighbours = truth
    queries, k = matrix[own], neighbours.shape[1]

    def recall_with(probes: int) -> float:
        found, _ = _probe(lists, queries, k + 1, probes, None)
        return share_found(_without_self(found, own, k), neighbours)

    seen: dict[int, float] = {}
    for probes in _ladder(lists.nlist):
        seen[probes] = recall_with(probes)
        if seen[probes] >= target:
            break
        half = seen.get(probes // 2)
        if half is not None and probes % 2 == 0 and seen[probes] - half < _PLATEAU:
            break
    best = max(seen.values())
    return next((probes, recall) for probes, recall in seen.items() if recall >= best - _PLATEAU / 2)


def _ladder(most: int) -> list[int]:
    """Probes to try: four steps between powers of two, up to the number of lists."""
    steps = {*range(1, min(most, 8) + 1), most}
    step = 8
    while step < most:
        steps |= {min(most, step + quarter * step // 4) for quarter in range(1, 5)}
        step *= 2
    return sorted(steps)
