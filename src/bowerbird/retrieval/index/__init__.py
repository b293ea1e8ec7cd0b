"""Vector indexes: nearest rows of one space, exact or approximate, with the filter inside the search.

>>> import numpy as np
>>> from bowerbird.records.signal import Space, Vectors
>>> space = Space("demo", "1", 2)
>>> index = build_index(Vectors.full(space, np.eye(2, dtype=np.float32)))
>>> rows, similarities = index.search(Vectors.full(space, np.array([[0.6, 0.8]], np.float32)), n=1)
>>> rows.tolist(), similarities.round(2).tolist()
([[1]], [[0.800000011920929]])
"""

from __future__ import annotations

from bowerbird.retrieval.index.approximate import ApproximateIndex
from bowerbird.retrieval.index.choice import build_index, choose_index, load_index
from bowerbird.retrieval.index.exact import ExactIndex
from bowerbird.retrieval.index.protocol import VectorIndex
from bowerbird.retrieval.index.recall import recall_at, share_found

__all__ = [
    "ApproximateIndex",
    "ExactIndex",
    "VectorIndex",
    "build_index",
    "choose_index",
    "load_index",
    "recall_at",
    "share_found",
]
