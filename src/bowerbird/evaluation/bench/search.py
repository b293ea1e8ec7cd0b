"""``bowerbird bench search``: words find items; shared words, near words, both, and both by learnt weights.

Every query searches the whole catalogue. The learned fusion is cross-validated: a query is ranked by weights
that were fitted on other queries.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Float64, Int64

from bowerbird.arrays import normalise, top_k
from bowerbird.content.encoder import ContentEncoder, load_encoder
from bowerbird.content.instructions import int8_is_fast
from bowerbird.errors import InputError
from bowerbird.evaluation.bench.cost import row_cost
from bowerbird.evaluation.bench.report import (
    BenchData,
    BenchReport,
    BenchRow,
    Estimate,
)
from bowerbird.evaluation.bench.search_data import SearchData, search_data
from bowerbird.metrics.uncertainty import standard_error
from bowerbird.randomness import generator
from bowerbird.ranking.fusion import Fused, fusion_features
from bowerbird.ranking.value import FUSION_K
from bowerbird.records.signal import Vectors
from bowerbird.retrieval.index import VectorIndex, build_index
from bowerbird.retrieval.text_index import LexicalIndex, words
from bowerbird.telemetry import SILENT, Progress
from bowerbird.training.fusion import trained_fusion

__all__ = ["SearchPlan", "drawn_catalogue", "drawn_vectors", "measured_search", "run_search"]

DEPTH = 200
"""Candidates each of the two searches gives."""
DENSE_CHARACTERS = 400
"""An item's words beyond these are not encoded: the first sentences say what it is, and encoding is the cost."""
TITLE_REPEATS = 2
"""A title's words count this often in BM25."""
TIMED_DIM = 384
"""Width of drawn vectors: the default text encoder's."""


@dataclass(frozen=True)
class SearchPlan:
    """How the bench runs."""

    seeds: int = 3
    """Partitions of the queries into folds."""
    folds: int = 5
    encoder: str = ""
    """Plugin, and its choice of a model; the default text encoder in this processor's faster precision when empty."""
    progress: Progress = SILENT

    def __post_init__(self) -> None:
        if self.seeds < 1 or self.folds < 2:
            raise InputError(f"search: seeds = {self.seeds}, folds = {self.folds}; expected at least 1 and 2")

    @property
    def text_encoder(self) -> str:
        """The encoder's name."""
        return self.encoder or f"minilm-l6{':int8' if int8_is_fast() else ''}"


@dataclass(frozen=True)
class _Candidates:
    """What both searches found for one query."""

    rows: Int64[np.ndarray, " n"]
    lexical: Float32[np.ndarray, " n"]
    similarity: Float32[np.ndarray, " n"]
    features: Float32[np.ndarray, "n feature"]
    ms: tuple[float, float, float]
    """Wall milliseconds of shared words, of near words with encoding, and of fusion."""
    cpu_ms: float


class _Engine:
    """Both searches over one catalogue."""

    def __init__(
        self, data: SearchData, plan: SearchPlan, matrix: Float32[np.ndarray, "item dim"] | None = None
    ) -> None:
        self._titled = _titled(data.titles)
        self._popularity = data.popularity
        texts = [
            f"{title} " * TITLE_REPEATS + body for title, body in zip(data.titles, data.bodies, strict=True)
        ]
        lexical = LexicalIndex.build(texts)
        if lexical is None:
            raise InputError("search: no item has a word; expected titles or descriptions")
        self._lexical = lexical
        self._encoder = load_encoder(plan.text_encoder, threads=2)
        given = matrix is not None
        self._vectors = (
            Vectors.full(self._encoder.space, matrix)
            if given
            else _encoded(data, self._encoder, plan.progress)
        )
        self._index: VectorIndex = build_index(self._vectors)
        self._allowed = np.ones(len(data.titles), dtype=bool)
        self.find("warm up")

    def find(self, query: str) -> _Candidates:
        """Candidates of a query with everything fusion reads."""
        cpu, start = time.process_time(), time.perf_counter()
        scores = self._lexical.scores(query)
        sharing = np.flatnonzero(scores > 0)
        by_words = sharing[top_k(scores[sharing], DEPTH)]
        then = time.perf_counter()
        vector = self._encoder.encode([query])
        near = self._index.search(vector, DEPTH, self._allowed)[0][0]
        middle = time.perf_counter()
        rows = np.union1d(by_words, near[near >= 0]).astype(np.int64)
        similarity = self._vectors.matrix[rows] @ vector.matrix[0]
        features = fusion_features(scores[rows], similarity, self._share(query, rows), self._popularity[rows])
        Fused.untaught().scores(features)
        end = time.perf_counter()
        ms = ((then - start) * 1e3, (middle - then) * 1e3, (end - middle) * 1e3)
        return _Candidates(rows, scores[rows], similarity, features, ms, (time.process_time() - cpu) * 1e3)

    def _share(self, query: str, rows: Int64[np.ndarray, " n"]) -> Float32[np.ndarray, " n"]:
        """Share of the query's words that each title has."""
        asked = set(words(query))
        held = np.zeros(len(rows), dtype=np.float32)
        for word in asked & self._titled.keys():
            held += np.isin(rows, self._titled[word], assume_unique=True)
        return held / np.float32(max(len(asked), 1))


def _titled(titles: Sequence[str]) -> dict[str, Int64[np.ndarray, " n"]]:
    """The rows of the titles each word stands in."""
    rows_of: dict[str, list[int]] = {}
    for row, title in enumerate(titles):
        for word in set(words(title)):
            rows_of.setdefault(word, []).append(row)
    return {word: np.array(rows, dtype=np.int64) for word, rows in rows_of.items()}


def run_search(
    items: Path, queries: Path | None, labels: Path, plan: SearchPlan | None = None
) -> BenchReport:
    """Read, index, search and measure.

    Args:
        items: the catalogue.
        queries: the queries; None where labels hold their text.
        labels: graded pairs, or sessions with clicks.
        plan: how it runs.

    Raises:
        NotFoundError: a file is not there.
        InputError: the files do not fit together.
    """
    plan = plan or SearchPlan()
    data = search_data(items, queries, labels)
    return measured_search(data, plan)


def measured_search(
    data: SearchData, plan: SearchPlan, matrix: Float32[np.ndarray, "item dim"] | None = None
) -> BenchReport:
    """The table for data already read.

    Args:
        data: the catalogue, the queries and the gains.
        plan: how it runs.
        matrix: unit vectors to stand for the items' own, e.g. :func:`drawn_vectors`; encoded when None.
    """
    with row_cost() as building:
        engine = _Engine(data, plan, matrix)
    plan.progress.start("search", len(data.queries), "queries")
    found = []
    for query in data.queries:
        found.append(engine.find(query))
        plan.progress.advance()
    plan.progress.finish()
    gained = [
        np.array([gains.get(row, 0.0) for row in one.rows.tolist()], dtype=np.float32)
        for one, gains in zip(found, data.gains, strict=True)
    ]
    weights: list[list[Fused]] = [_cross_validated(found, gained, plan, seed) for seed in range(plan.seeds)]
    scorers: dict[str, Callable[[int, int], Float32[np.ndarray, " n"]]] = {
        "BM25": lambda at, _: np.where(found[at].lexical > 0, found[at].lexical, -np.inf),
        "dense": lambda at, _: found[at].similarity,
        "RRF": lambda at, _: _reciprocal(found[at]),
        "fusion, untaught": lambda at, _: Fused.untaught().scores(found[at].features),
        "ours: learned fusion": lambda at, seed: weights[seed][at].scores(found[at].features),
    }
    rows = [_row(name, scorer, found, data, plan) for name, scorer in scorers.items()]
    judged = sum(len(one) for one in data.gains)
    notes = [
        *data.notes,
        f"nDCG with linear gains, what is not judged counts 0; {plan.folds} folds over queries, {plan.seeds} seeds",
        f"each query searches all {len(data.titles):,} items; {DEPTH} candidates of each search are fused",
        f"{building.cpu_s:.0f} CPU s to index and encode with {plan.text_encoder}",
        "ms: wall time of one query after another, its encoding included",
    ]
    return BenchReport(
        "search",
        "whole catalogue",
        BenchData(len(data.queries), len(data.titles), judged, data.hash),
        rows,
        notes,
    )


def drawn_catalogue(size: int, queries: int = 200, seed: int = 0) -> SearchData:
    """A catalogue of drawn words for timing: titles of eight, bodies of thirty, words as unequal as in real texts.

    Args:
        size: items.
        queries: queries of two or three words of some item's title, which is their one right answer.
        seed: draws everything.
    """
    draws = generator(seed, "bench", "search")
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    vocabulary = ["".join(draws.choice(letters, draws.integers(4, 9))) for _ in range(30_000)]
    chance = 1.0 / (np.arange(len(vocabulary)) + 10.0)
    picks = draws.choice(len(vocabulary), (size, 38), p=chance / chance.sum())
    titles = tuple(" ".join(vocabulary[one] for one in row[:8]) for row in picks)
    bodies = tuple(" ".join(vocabulary[one] for one in row[8:]) for row in picks)
    right = draws.integers(0, size, queries)
    asked = [" ".join(titles[row].split()[: int(draws.integers(2, 4))]) for row in right.tolist()]
    gains = tuple({int(row): 1.0} for row in right)
    notes = ("items and queries are drawn: only the times mean something",)
    return SearchData(titles, bodies, np.zeros(size, np.float32), tuple(asked), gains, notes, f"drawn{seed}")


def drawn_vectors(size: int, dim: int, seed: int = 0) -> Float32[np.ndarray, "item dim"]:
    """Unit vectors in clusters, for timing without encoding a catalogue."""
    draws = generator(seed, "bench", "search vectors")
    centres = draws.normal(size=(max(size // 200, 1), dim)).astype(np.float32)
    own = draws.normal(size=(size, dim)).astype(np.float32)
    return normalise(centres[draws.integers(0, len(centres), size)] + np.float32(0.7) * own)


def _encoded(data: SearchData, encoder: ContentEncoder[str], progress: Progress) -> Vectors:
    """Vectors of the items' first words."""
    short = [f"{a}. {b}"[:DENSE_CHARACTERS] for a, b in zip(data.titles, data.bodies, strict=True)]
    progress.start("encode items", len(short), "items")
    parts = []
    for chunk in encoder.encode_chunks(short):
        parts.append(chunk.vectors)
        progress.advance(len(chunk.vectors))
    progress.finish()
    matrix = np.concatenate([part.matrix for part in parts])
    return Vectors(encoder.space, matrix, np.concatenate([part.present for part in parts]))


def _cross_validated(
    found: list[_Candidates], gained: list[Float32[np.ndarray, "_"]], plan: SearchPlan, seed: int
) -> list[Fused]:
    """For each query the weights fitted on the folds it is not in."""
    order = generator(seed, "bench", "search folds").permutation(len(found))
    weights: list[Fused] = [Fused.untaught()] * len(found)
    for fold in np.array_split(order, min(plan.folds, len(found))):
        rest = [at for at in range(len(found)) if at not in set(fold.tolist())]
        if any(gained[at].sum() > 0 for at in rest):
            fitted = trained_fusion([found[at].features for at in rest], [gained[at] for at in rest])
            for at in fold.tolist():
                weights[at] = fitted
    return weights


def _row(
    name: str,
    scorer: Callable[[int, int], Float32[np.ndarray, " n"]],
    found: list[_Candidates],
    data: SearchData,
    plan: SearchPlan,
) -> BenchRow:
    values: dict[str, Float64[np.ndarray, "seed query"]] = {
        metric: np.zeros((plan.seeds, len(found))) for metric in ("ndcg@10", "recall@50", "judged@10")
    }
    with row_cost() as cost:
        for seed in range(plan.seeds):
            for at, one in enumerate(found):
                listed = one.rows[top_k(np.asarray(scorer(at, seed), dtype=np.float32), 50)].tolist()
                for metric, value in _measured(listed, data.gains[at]).items():
                    values[metric][seed, at] = value
    metrics = {
        metric: Estimate(
            tuple(table.mean(axis=1).tolist()), standard_error(table.mean(axis=0)) if len(found) > 1 else None
        )
        for metric, table in values.items()
    }
    times = np.array([_spent(name, one.ms) for one in found])
    metrics["p50 ms"] = Estimate((float(np.percentile(times, 50)),))
    metrics["p99 ms"] = Estimate((float(np.percentile(times, 99)),))
    if name.startswith("ours"):
        metrics["cpu ms"] = Estimate((float(np.mean([one.cpu_ms for one in found])),))
    return BenchRow(name, metrics, cost.cpu_s, cost.peak_mb)


def _measured(listed: list[int], gains: dict[int, float]) -> dict[str, float]:
    discount = 1.0 / np.log2(np.arange(2, 12))
    got = np.array([gains.get(row, 0.0) for row in listed[:10]])
    ideal = np.sort(list(gains.values()))[::-1][:10]
    relevant = {row for row, gain in gains.items() if gain > 0}
    return {
        "ndcg@10": float(got @ discount[: got.size] / (ideal @ discount[: ideal.size])),
        "recall@50": len(relevant.intersection(listed[:50])) / len(relevant),
        "judged@10": sum(row in gains for row in listed[:10]) / max(len(listed[:10]), 1),
    }


def _spent(name: str, ms: tuple[float, float, float]) -> float:
    """A row's own part of a query's time."""
    lexical, dense, fusion = ms
    return {"BM25": lexical, "dense": dense}.get(name, lexical + dense + fusion)


def _reciprocal(one: _Candidates) -> Float32[np.ndarray, " n"]:
    """Reciprocal rank fusion; what a search did not find gets nothing from it."""
    total = np.zeros(len(one.rows), dtype=np.float32)
    for scores, least in ((one.lexical, 0.0), (one.similarity, -1.0)):
        order = np.argsort(-scores, kind="stable")[:DEPTH]
        order = order[scores[order] > least]
        total[order] += 1.0 / (FUSION_K + 1 + np.arange(len(order)))
    return total
