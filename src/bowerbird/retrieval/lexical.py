"""The source that looks for shared words."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool

from bowerbird.records.candidates import Found
from bowerbird.records.request import Context
from bowerbird.retrieval.nearest import Silent
from bowerbird.retrieval.source import Holdings, Source, best_allowed
from bowerbird.retrieval.text_index import LexicalIndex


class Lexical:
    """Items that share words with the query."""

    name = "lexical"

    def __init__(self, index: LexicalIndex) -> None:
        self._index = index

    def find(self, context: Context, n: int, allowed: Bool[np.ndarray, "item"]) -> Found:
        """The best BM25 scores for the request's words."""
        if not context.request.query:
            return Found.nothing(self.name)
        scores = self._index.scores(context.request.query)
        rows = best_allowed(scores, n, allowed)
        return Found.of(self.name, rows, scores[rows])


def lexical(holdings: Holdings) -> Source:
    """Plugin ``lexical``."""
    return Lexical(holdings.lexical) if holdings.lexical is not None else Silent("lexical")
