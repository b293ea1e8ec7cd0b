"""``bowerbird bench ann``: nearest-neighbour search, ours beside faiss, hnswlib and usearch, in one run.

Only ratios on one machine mean anything, so every contender sees the same vectors and queries in the
same process, with one thread; speed is counted in CPU-seconds, which a busy machine disturbs least.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int
from threadpoolctl import threadpool_limits

from bowerbird.errors import InputError
from bowerbird.evaluation.bench.ann_contenders import CONTENDERS, Built, Contender
from bowerbird.evaluation.bench.ann_vectors import AnnVectors, clustered_vectors, read_vectors
from bowerbird.evaluation.bench.report import (
    BenchData,
    BenchReport,
    BenchRow,
    Estimate,
)
from bowerbird.extras import installed
from bowerbird.records.signal import Space, Vectors
from bowerbird.retrieval.index import ExactIndex
from bowerbird.telemetry import SILENT, Progress, measured

__all__ = ["run_ann"]

TARGET = 0.95
"""Recall every knob is set to reach."""
_TIE = 1e-6
"""Similarities closer than this are equal: float32 adds up to no more."""
_REPEATS = 3
_ALONE = 200
"""Queries asked one at a time for the median latency."""
_PATIENCE = 400
"""Queries for a contender that is searched one by one: it is slow and its mean is steady."""


def run_ann(
    n_vectors: int = 100_000,
    dim: int = 128,
    seed: int = 0,
    k: int = 10,
    *,
    queries: int = 2000,
    vectors: Path | None = None,
    contenders: Sequence[Contender] = CONTENDERS,
    progress: Progress = SILENT,
) -> BenchReport:
    """Recall, speed, build cost and size of every contender.

    Args:
        n_vectors: synthetic vectors to index; ignored when ``vectors`` is given.
        dim: their width; ignored when ``vectors`` is given.
        seed: decides the vectors, the queries and our index.
        k: neighbours per query.
        queries: how many the report is about; as many again set the knobs.
        vectors: the user's own, ``.npy`` or ``.parquet``; a tenth at most is held out as queries.
        contenders: what to compare. One whose package is absent is listed as not installed.
        progress: told after each contender.

    Returns:
        One row per contender: ``recall@k`` with its standard error over queries, queries per CPU-second
        of a batch, median microseconds of one query, CPU-seconds of the build, bytes per vector.

    Raises:
        InputError: fewer vectors than neighbours, or the file is not a matrix.
        NotFoundError: there is no such file.

    Cost: at 100,000 x 128 some 2 CPU-minutes, nearly all of it building the graphs of the others.
    """
    if not 1 <= k <= n_vectors:
        raise InputError(f"bench ann: k = {k} and {n_vectors} vectors; expected 1 <= k <= vectors")
    data = (
        read_vectors(vectors, seed, queries) if vectors else clustered_vectors(n_vectors, dim, seed, queries)
    )
    if k > data.items.shape[0]:
        raise InputError(
            f"bench ann: k = {k} and {data.items.shape[0]} vectors to search ({data.origin}); expected 1 <= k <= vectors"
        )
    space = Space("bench", "1", data.items.shape[1])
    with threadpool_limits(1):
        exact = ExactIndex(Vectors.full(space, data.items))
        _, similar = exact.search(Vectors.full(space, np.concatenate([data.tuning, data.queries])), k)
        truth = similar[:, -1]
        progress.start("ann", len(contenders), "contenders")
        rows = []
        for contender in contenders:
            rows.append(_row(contender, data, truth, seed, k))
            progress.advance()
        progress.finish()
    return BenchReport(
        task="ann",
        protocol=f"recall@{k}, one thread, knobs set for recall {TARGET} on other queries",
        data=BenchData(users=data.queries.shape[0], items=data.items.shape[0], events=0, hash=data.hash),
        rows=rows,
        notes=(
            data.origin,
            f"dim {space.dim}",
            "users are the queries",
            f"queries per CPU-second: best of {_REPEATS} batches",
            "ours sets its knob on the indexed vectors, the others on held-out queries",
        ),
    )


def _row(
    contender: Contender, data: AnnVectors, truth: Float32[np.ndarray, "query"], seed: int, k: int
) -> BenchRow:
    if not installed(contender.package):
        return BenchRow(
            f"{contender.name} (not installed)", {}, 0.0, 0.0, {"not installed": contender.package}
        )
    half = data.tuning.shape[0]
    with measured() as whole:
        with measured() as build:
            built = contender.build(data.items, seed)
        knob = _knob(built, data, truth[:half], k)
        queries = data.queries[:_PATIENCE] if contender.one_by_one else data.queries
        found, per_cpu_second = _batch(built, queries, k, knob, one_by_one=contender.one_by_one)
        alone_us = _alone_us(built, data.queries, k, knob)
    each = _recall_each(found, queries, data.items, truth[half : half + queries.shape[0]])
    se = float(each.std(ddof=1) / np.sqrt(each.shape[0])) if each.shape[0] > 1 else None
    settings = {built.knob_name: knob} if built.knob_name else {}
    return BenchRow(
        contender.name,
        {
            f"recall@{k}": Estimate((float(each.mean()),), se),
            "queries/cpu s": Estimate((per_cpu_second,)),
            "one query us": Estimate((alone_us,)),
            "build cpu s": Estimate((build.cpu_s,)),
            "bytes/vector": Estimate((built.bytes_per_vector,)),
        },
        cpu_seconds=whole.cpu_s,
        peak_mb=whole.peak_mb,
        settings=settings | ({"note": built.note} if built.note else {}),
    )


def _recall_each(
    found: Int[np.ndarray, "query k"],
    queries: Float32[np.ndarray, "query dim"],
    items: Float32[np.ndarray, "item dim"],
    truth: Float32[np.ndarray, "query"],
) -> Float32[np.ndarray, "query"]:
    """Share of the rows found that are as near as the true k-th neighbour.

    By similarity and not by row: of equal vectors, which catalogues are full of, any is as good as another.
    """
    similar = np.einsum("qkd,qd->qk", items[found], queries)
    ordered = np.argsort(found, axis=1, kind="stable")
    row = np.take_along_axis(found, ordered, axis=1)
    hit = (np.take_along_axis(similar, ordered, axis=1) >= truth[:, None] - _TIE) & (row >= 0)
    hit[:, 1:] &= row[:, 1:] != row[:, :-1]  # the same row twice counts once
    return hit.mean(axis=1).astype(np.float32)


def _knob(built: Built, data: AnnVectors, truth: Float32[np.ndarray, "half"], k: int) -> int:
    """The cheapest value that reaches the target; the largest if none does."""
    *cheaper, largest = built.knobs
    for value in cheaper:
        found = built.search(data.tuning, k, value)
        if float(_recall_each(found, data.tuning, data.items, truth).mean()) >= TARGET:
            return value
    return largest


def _batch(
    built: Built, queries: Float32[np.ndarray, "query dim"], k: int, knob: int, *, one_by_one: bool
) -> tuple[Int[np.ndarray, "query k"], float]:
    """The rows found, and queries per CPU-second in the best of a few runs."""
    best = 0.0
    found = np.empty((0, k), dtype=np.int64)
    for _ in range(1 if one_by_one else _REPEATS):
        start = time.process_time()
        if one_by_one:
            found = np.concatenate([built.search(query[None, :], k, knob) for query in queries])
        else:
            found = built.search(queries, k, knob)
        best = max(best, queries.shape[0] / max(time.process_time() - start, 1e-9))
    return found, best


def _alone_us(built: Built, queries: Float32[np.ndarray, "query dim"], k: int, knob: int) -> float:
    taken = []
    for query in queries[:_ALONE]:
        start = time.perf_counter()
        built.search(query[None, :], k, knob)
        taken.append(time.perf_counter() - start)
    return float(np.median(taken) * 1e6)
