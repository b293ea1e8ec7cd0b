"""Candidates: the items considered for a slate, with where each came from and every score it got.

A stage never edits: it adds a score column, or drops rows with a reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Bool, Float32, Int, Int32

from bowerbird.errors import InputError


@dataclass(frozen=True)
class Found:
    """What one source found, best first.

    Args:
        source: the source's name.
        rows: item rows, no repeats.
        scores: the source's own score, larger is better.
        evidence: the item row because of which each was found (a medoid, a past save); -1 for none.
    """

    source: str
    rows: Int32[np.ndarray, "n"]
    scores: Float32[np.ndarray, "n"]
    evidence: Int32[np.ndarray, "n"]

    @staticmethod
    def nothing(source: str) -> Found:
        """A source that had nothing to offer."""
        return Found(source, np.empty(0, np.int32), np.empty(0, np.float32), np.empty(0, np.int32))

    @staticmethod
    def of(
        source: str,
        rows: Int[np.ndarray, "n"],
        scores: np.ndarray,
        evidence: int | Int[np.ndarray, "n"] = -1,
    ) -> Found:
        """Found items in the right types."""
        return Found(
            source,
            rows.astype(np.int32, copy=False),
            scores.astype(np.float32, copy=False),
            np.broadcast_to(np.asarray(evidence, dtype=np.int32), rows.shape).copy(),
        )

    def first(self, n: int) -> Found:
        """The best ``n``."""
        return Found(self.source, self.rows[:n], self.scores[:n], self.evidence[:n])


@dataclass(frozen=True)
class Drop:
    """Rows that left the candidates, and why."""

    stage: str
    reason: str
    rows: Int32[np.ndarray, "n"]


@dataclass(frozen=True)
class Candidates:
    """The items still considered. Row order has no meaning until a slate is made.

    Args:
        rows: item rows, no repeats.
        sources: names of the sources, in the order of the columns below.
        source_scores: each source's own score per item; NaN where it did not find the item.
        evidence: per source and item, the item row it was found by; -1 for none.
        scores: named score columns, one value per item.
        dropped: everything that left, with reasons.
    """

    rows: Int32[np.ndarray, "n"]
    sources: tuple[str, ...]
    source_scores: Float32[np.ndarray, "source n"]
    evidence: Int32[np.ndarray, "source n"]
    scores: Mapping[str, Float32[np.ndarray, "n"]] = field(default_factory=dict)
    dropped: tuple[Drop, ...] = ()

    def __post_init__(self) -> None:
        n, s = self.rows.shape[0], len(self.sources)
        if self.source_scores.shape != (s, n) or self.evidence.shape != (s, n):
            raise InputError(f"candidates: {s} sources and {n} rows, but scores {self.source_scores.shape}")

    def __len__(self) -> int:
        return self.rows.shape[0]

    def with_scores(self, **columns: Float32[np.ndarray, "n"]) -> Candidates:
        """The same candidates with more score columns.

        Raises:
            InputError: a column exists already or has the wrong length.
        """
        for name, values in columns.items():
            if name in self.scores:
                raise InputError(f"candidates: score {name!r} exists already; a stage never edits")
            if values.shape != self.rows.shape:
                raise InputError(
                    f"candidates: score {name!r} has {values.shape[0]} values for {len(self)} rows"
                )
        return replace(self, scores={**self.scores, **columns})

    def without(self, gone: Bool[np.ndarray, "n"], stage: str, reason: str) -> Candidates:
        """The candidates minus the marked ones, which are kept in :attr:`dropped` with the reason."""
        if not gone.any():
            return self
        left = self.take(np.flatnonzero(~gone))
        return replace(left, dropped=(*self.dropped, Drop(stage, reason, self.rows[gone])))

    def take(self, positions: Int[np.ndarray, "m"]) -> Candidates:
        """The candidates at some positions, in that order, nothing recorded as dropped."""
        return replace(
            self,
            rows=self.rows[positions],
            source_scores=self.source_scores[:, positions],
            evidence=self.evidence[:, positions],
            scores={name: values[positions] for name, values in self.scores.items()},
        )
