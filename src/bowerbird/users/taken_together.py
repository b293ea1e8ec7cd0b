"""Interests and likeness from behaviour alone, for catalogues of bare ids: what people take together."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32
from scipy import sparse

from bowerbird.records.history import History
from bowerbird.records.request import Interest
from bowerbird.records.signal import Space, Vectors
from bowerbird.signals.tracks import Track
from bowerbird.users.interest_clusters import ClusterSettings, interest_clusters
from bowerbird.users.long_term import require_past

MOST_STEPS = 200
"""Newest steps clustered."""


def interests_together(
    history: History, together: sparse.csr_array, as_of: int, settings: ClusterSettings | None = None
) -> tuple[Interest, ...]:
    """Clusters of a history's items by which other items people take with them.

    Two items are alike by the cosine of their rows of co-occurrence, symmetric, themselves included. Only the rows of
    this person's items are read, so no vectors of the catalogue are needed.

    Args:
        history: positive actions before ``as_of``.
        together: how often items follow each other, item by item.
        as_of: the time of reading, microseconds UTC.
        settings: of the clustering.

    Raises:
        InputError: a step is at or after ``as_of``.
    """
    require_past(history, as_of)
    recent = history.last(MOST_STEPS)
    items, place = np.unique(recent.rows, return_inverse=True)
    if not items.size:
        return ()
    points = _points(items, together)
    space = Space("taken together", "1", points.shape[1])
    steps = History(place.astype(np.int32), recent.at, recent.actions)
    found = interest_clusters(steps, Vectors(space, points, np.ones(len(items), dtype=bool)), as_of, settings)
    rows = items.tolist()
    return tuple(
        Interest(rows[one.medoid], one.importance, tuple(rows[member] for member in one.members))
        for one in found
    )


def shared_items(track: Track, user_row: int) -> Float32[np.ndarray, "user"]:
    """Cosine of everybody's sets of items with one person's.

    Example:
        >>> steps = (np.array([7, 8, 7], np.int32), np.array([1, 2, 1]), np.zeros(3, np.int8))
        >>> shared_items(Track(np.array([0, 2, 3]), *steps), 0).astype(float).round(3).tolist()
        [1.0, 0.707]
    """
    sets = sparse.csr_array(
        (np.ones(len(track), dtype=np.float32), track.rows, track.offsets),
        shape=(track.users, int(track.rows.max()) + 1 if len(track) else 1),
    )
    sets.sum_duplicates()
    sets.data.fill(1.0)
    own = sets[[user_row]]
    lengths = np.sqrt(np.maximum(np.diff(sets.indptr), 1)).astype(np.float32)
    shared = np.asarray((sets @ own.T).toarray(), dtype=np.float32).ravel()
    return shared / (lengths * lengths[user_row])


def _points(items: np.ndarray, together: sparse.csr_array) -> Float32[np.ndarray, "item dim"]:
    """Unit vectors with the cosines of the items' symmetric co-occurrence rows."""
    shape = (len(items), together.shape[1])
    own = sparse.csr_array((np.ones(len(items)), (np.arange(len(items)), items)), shape=shape)
    rows = sparse.csr_array(together[items] + sparse.csr_array(together[:, items].T))
    largest = np.maximum(np.asarray(rows.max(axis=1).todense()).ravel(), 1.0)
    rows = sparse.csr_array(rows + sparse.diags_array(largest) @ own)
    alike = np.asarray((rows @ rows.T).todense())
    length = np.sqrt(np.diag(alike))
    values, directions = np.linalg.eigh(alike / np.outer(length, length))
    return (directions * np.sqrt(np.maximum(values, 0.0))).astype(np.float32)
