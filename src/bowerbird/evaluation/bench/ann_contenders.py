"""The contenders of ``bench ann``: our index and the usual libraries, behind one small form.

Each is built once over the same unit vectors and searched with one thread. A contender with a knob
(lists probed, graph breadth) gets the smallest value that reaches the target on the tuning queries.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import faiss
import numpy as np
from jaxtyping import Float32, Int

from bowerbird.records.signal import Space, Vectors
from bowerbird.retrieval.index import ApproximateIndex, ExactIndex, build_index
from bowerbird.retrieval.index.approximate import faiss_threads

__all__ = ["CONTENDERS", "Built", "Contender"]

_BREADTHS = (10, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)
_PROBES = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 24, 32, 48, 64)
_LINKS = 16
_BUILD_BREADTH = 100


@dataclass(frozen=True)
class Built:
    """A built index, ready to search."""

    search: Callable[[Float32[np.ndarray, "query dim"], int, int], Int[np.ndarray, "query k"]]
    """Queries, k and the knob's value to rows."""
    bytes_per_vector: float
    knobs: tuple[int, ...] = (0,)
    """Values of the knob, cheapest first; one value where there is nothing to set."""
    knob_name: str = ""
    note: str = ""


@dataclass(frozen=True)
class Contender:
    """One line of the table."""

    name: str
    build: Callable[[Float32[np.ndarray, "item dim"], int], Built]
    """Unit vectors and a seed to a built index."""
    package: str = "faiss"
    """What must be installed."""
    one_by_one: bool = False
    """Searched query by query even in the batch column."""


def _space(dim: int) -> Space:
    return Space("bench", "1", dim)


def _ours(matrix: np.ndarray, seed: int) -> Built:
    space = _space(matrix.shape[1])
    index = build_index(Vectors.full(space, matrix), seed=seed)
    note = "exact scan"
    if isinstance(index, ApproximateIndex):
        note = f"{index.tuning.code}, {index.tuning.probes} probes, tuned on the indexed vectors"
    return Built(
        lambda queries, k, _: index.search(Vectors.full(space, queries), k)[0],
        index.size_bytes / len(index),
        note=note,
    )


def _exact(matrix: np.ndarray, seed: int) -> Built:
    del seed
    space = _space(matrix.shape[1])
    index = ExactIndex(Vectors.full(space, matrix))
    return Built(
        lambda queries, k, _: index.search(Vectors.full(space, queries), k)[0],
        index.size_bytes / len(index),
    )


def _faiss(recipe: str, knob_name: str, knobs: tuple[int, ...]) -> Callable[[np.ndarray, int], Built]:
    def build(matrix: np.ndarray, seed: int) -> Built:
        del seed  # faiss trains from its own fixed seed
        with faiss_threads(1):
            count, dim = matrix.shape
            index = faiss.index_factory(dim, recipe.format(lists=_lists(count)), faiss.METRIC_INNER_PRODUCT)
            if isinstance(index, faiss.IndexHNSW):
                index.hnsw.efConstruction = _BUILD_BREADTH
            index.train(matrix)
            index.add(matrix)
        setter = faiss.ParameterSpace()

        def search(queries: np.ndarray, k: int, knob: int) -> np.ndarray:
            if knob_name:
                setter.set_index_parameter(index, knob_name, knob)
            with faiss_threads(1):
                return index.search(queries, k)[1]

        return Built(search, faiss.serialize_index(index).nbytes / count, knobs, knob_name)

    return build


def _lists(count: int) -> int:
    return max(1, min(1 << round(np.log2(4 * np.sqrt(count))), count // 40))


def _hnswlib(matrix: np.ndarray, seed: int) -> Built:
    import hnswlib

    count, dim = matrix.shape
    index = hnswlib.Index(space="ip", dim=dim)
    index.init_index(count, M=_LINKS, ef_construction=_BUILD_BREADTH, random_seed=seed + 1)
    index.add_items(matrix, num_threads=1)

    def search(queries: np.ndarray, k: int, knob: int) -> np.ndarray:
        index.set_ef(knob)
        return index.knn_query(queries, k, num_threads=1)[0].astype(np.int64)

    return Built(search, index.index_file_size() / count, _BREADTHS, "ef")


def _usearch(kind: str) -> Callable[[np.ndarray, int], Built]:
    def build(matrix: np.ndarray, seed: int) -> Built:
        del seed  # usearch takes none
        from usearch.index import Index

        count, dim = matrix.shape
        index = Index(ndim=dim, metric="cos", dtype=kind, connectivity=_LINKS, expansion_add=_BUILD_BREADTH)
        index.add(np.arange(count), matrix, threads=1)

        def search(queries: np.ndarray, k: int, knob: int) -> np.ndarray:
            index.expansion_search = knob
            keys = np.asarray(index.search(queries, k, threads=1).keys).astype(np.int64)
            return keys.reshape(queries.shape[0], -1)

        return Built(search, index.serialized_length / count, _BREADTHS, "expansion")

    return build


CONTENDERS: tuple[Contender, ...] = (
    Contender("ours", _ours),
    Contender("ours, exact, batched", _exact),
    Contender("ours, exact, one by one", _exact, one_by_one=True),
    Contender("faiss flat", _faiss("Flat", "", (0,))),
    Contender("faiss IVF-SQ8", _faiss("IVF{lists},SQ8", "nprobe", _PROBES)),
    Contender("faiss HNSW", _faiss(f"HNSW{_LINKS}", "efSearch", _BREADTHS)),
    Contender("hnswlib", _hnswlib, "hnswlib"),
    Contender("usearch f32", _usearch("f32"), "usearch"),
    Contender("usearch bf16", _usearch("bf16"), "usearch"),
    Contender("usearch i8", _usearch("i8"), "usearch"),
)
"""Every line of the table, ours first."""
