"""What is measured of texts and pictures that look for each other: recall and rank both ways, whole and made small."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float32, Int64

from bowerbird.arrays import normalise
from bowerbird.content.compact import from_bytes, to_bytes
from bowerbird.content.hubs import levelled
from bowerbird.evaluation.bench.report import Estimate
from bowerbird.metrics.cross_modal import best_ranks

__all__ = ["Embedded", "Right", "chance_metrics", "compact_metrics", "retrieval_metrics"]

CUTOFFS = (1, 5, 10)
SHORT = 64
Matrix = Float32[np.ndarray, "_ _"]
Bank = tuple[Matrix, Matrix]
"""Pictures and texts of the train part, as questions that were asked before."""


@dataclass(frozen=True)
class Right:
    """Which text belongs to which picture.

    Args:
        pairs: rows of texts and pictures that belong together.
        texts: how many texts there are.
        pictures: how many pictures.
    """

    pairs: Int64[np.ndarray, "pair 2"]
    texts: int
    pictures: int


@dataclass(frozen=True)
class Embedded:
    """One model's vectors of what is reported.

    Args:
        pictures: unit vectors.
        texts: unit vectors.
        bank: questions by which the levels of hubs are taken off; None leaves the scores as they are.
    """

    pictures: Matrix
    texts: Matrix
    bank: Bank | None = None

    @property
    def as_it_is(self) -> Embedded:
        """The same without levels."""
        return replace(self, bank=None)

    def ranks(
        self, right: Right, made: Callable[[Matrix], Matrix] | None = None
    ) -> tuple[Int64[np.ndarray, "text"], Int64[np.ndarray, "picture"]]:
        """Ranks of the best right picture of each text and of the best right text of each picture.

        Args:
            right: what belongs together.
            made: what becomes of every vector first, e.g. fewer numbers.
        """
        pictures, texts = (side if made is None else made(side) for side in (self.pictures, self.texts))
        bank = self.bank if self.bank is None or made is None else (made(self.bank[0]), made(self.bank[1]))
        there, back = right.pairs, right.pairs[:, ::-1].copy()
        if bank is None:
            return best_ranks(texts, pictures, there), best_ranks(pictures, texts, back)
        return (
            best_ranks(*levelled(texts, pictures, bank[1]), there),
            best_ranks(*levelled(pictures, texts, bank[0]), back),
        )


def retrieval_metrics(right: Right, embeddings: Sequence[Embedded]) -> dict[str, Estimate]:
    """Recall and median rank both ways, one model for each seed; se over queries."""
    found = [one.ranks(right) for one in embeddings]
    metrics = {}
    for way, ranks in (("t2i", [one[0] for one in found]), ("i2t", [one[1] for one in found])):
        for k in CUTOFFS:
            hits = [rank <= k for rank in ranks]
            se = float(np.mean(hits, axis=0).std() / np.sqrt(len(hits[0])))
            metrics[f"{way} r@{k}"] = Estimate(tuple(float(hit.mean()) for hit in hits), se)
        metrics[f"{way} median rank"] = Estimate(tuple(float(np.median(rank)) for rank in ranks))
    return metrics


def compact_metrics(right: Right, embeddings: Sequence[Embedded]) -> dict[str, Estimate]:
    """Recall at 10 of texts again, with 64 numbers a vector and with a byte a number."""
    metrics = {}
    for name, made in ((f"{SHORT} numbers", _short), ("int8", _rough)):
        hits = [float((one.ranks(right, made)[0] <= CUTOFFS[-1]).mean()) for one in embeddings]
        metrics[f"t2i r@{CUTOFFS[-1]}, {name}"] = Estimate(tuple(hits))
    return metrics


def _short(matrix: Matrix) -> Matrix:
    return normalise(np.ascontiguousarray(matrix[:, :SHORT]))


def _rough(matrix: Matrix) -> Matrix:
    return from_bytes(*to_bytes(matrix))


def chance_metrics(right: Right) -> dict[str, Estimate]:
    """What a random order reaches: 1 - C(n - r, k) / C(n, k) for r right of n answers."""
    metrics = {}
    for way, column, total, answers in (
        ("t2i", 0, right.texts, right.pictures),
        ("i2t", 1, right.pictures, right.texts),
    ):
        counts = np.bincount(right.pairs[:, column], minlength=total)
        for k in CUTOFFS:
            steps = np.arange(min(k, answers))
            missed = np.maximum(answers - counts[:, None] - steps, 0) / (answers - steps)
            metrics[f"{way} r@{k}"] = Estimate((float(1 - missed.prod(axis=1).mean()),))
    return metrics
