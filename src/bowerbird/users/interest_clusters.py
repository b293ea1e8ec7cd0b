"""Interest clusters: several vectors per person instead of one average that means nothing.

Source: Pal et al., "PinnerSage: Multi-Modal User Embedding Framework for Recommendations at Pinterest",
arXiv:2007.03634, sections 4.2 (Ward clustering, no number of clusters given), 4.3 (medoids) and 4.4 (importance).
We cluster the distinct items, so an item acted on twice counts twice in importance and once in shape.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32, Float64, Int64
from pydantic import Field
from scipy.cluster import hierarchy
from scipy.spatial.distance import pdist

from bowerbird.arrays import normalise
from bowerbird.clock import DAY_US
from bowerbird.config import Settings
from bowerbird.records.history import History
from bowerbird.records.request import Interest
from bowerbird.records.signal import Vectors
from bowerbird.users.long_term import require_past


class ClusterSettings(Settings):
    """How a history is cut into interests."""

    threshold: float = Field(default=1.5, gt=0)
    """Ward distance, between unit vectors, above which clusters stay apart: larger gives fewer interests."""
    decay_per_day: float = Field(default=0.01, ge=0)
    """Lambda of ``importance = sum exp(-lambda * age_days)``."""
    most: int = Field(default=30, ge=1)
    """Interests kept, the most important ones; importances are shares before the cut and sum to 1 after it."""
    max_steps: int = Field(default=200, ge=1, le=2000)
    """Newest steps clustered: Ward costs the square of it."""


def interest_clusters(
    history: History, item_vectors: Vectors, as_of: int, settings: ClusterSettings | None = None
) -> tuple[Interest, ...]:
    """A person's interests as clusters of the items they acted on, most important first.

    Args:
        history: the person's actions, all before ``as_of``.
        item_vectors: the catalogue's vectors; steps without one are left out.
        as_of: the time of reading, microseconds UTC.
        settings: the defaults when absent.

    Returns:
        Interests whose importances sum to 1; none for an empty history.

    Raises:
        InputError: a step is at or after ``as_of``.

    Cost: O(steps^2 * dim); about a millisecond for 100 steps of 256 dimensions.
    """
    settings = ClusterSettings() if settings is None else settings
    require_past(history, as_of)
    recent = history.last(settings.max_steps)
    known = item_vectors.present[recent.rows]
    # sorted distinct rows: the order in which equal inputs arrive cannot change how ties are merged
    items, of_step = np.unique(recent.rows[known], return_inverse=True)
    if items.size == 0:
        return ()
    points = normalise(item_vectors.matrix[items])
    clusters = ward_clusters(points, settings.threshold)
    # ages count from the newest step: the shares are the same, and old logs do not underflow
    at = recent.at[known]
    decay = np.exp(-settings.decay_per_day * (at[-1] - at) / DAY_US)
    importance = np.bincount(clusters, np.bincount(of_step, decay, minlength=items.size))
    found = []
    for cluster in range(int(clusters.max()) + 1):
        members = np.flatnonzero(clusters == cluster)
        medoid = members[medoid_position(points[members])]
        found.append(Interest(int(items[medoid]), float(importance[cluster]), tuple(items[members].tolist())))
    found.sort(key=lambda interest: (-interest.importance, interest.medoid))
    kept = found[: settings.most]
    total = sum(interest.importance for interest in kept)
    return tuple(Interest(one.medoid, one.importance / total, one.members) for one in kept)


def ward_clusters(
    points: Float32[np.ndarray, "item dim"], threshold: int | float
) -> Int64[np.ndarray, "item"]:
    """Cluster of each point: Ward's merging until the next merge would cost more than the threshold.

    The cost of merging clusters A and B is ``sqrt(2 |A| |B| / (|A| + |B|)) * ||mean(A) - mean(B)||``, which for two
    single points is their distance.

    Returns:
        Cluster numbers from 0, in the order of each cluster's first point.

    Source: Ward (1963); PinnerSage, section 4.2, eq. 1 and algorithm 1.

    Example:
        >>> ward_clusters(np.array([[1, 0], [0, 1], [0.9, 0.1]], np.float32), threshold=0.5).tolist()
        [0, 1, 0]
    """
    if points.shape[0] == 1:
        return np.zeros(1, dtype=np.int64)
    tree = hierarchy.linkage(_distances(points), method="ward")
    labels = _cut(tree, points.shape[0], threshold)
    _, first, numbers = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[numbers].astype(np.int64)


def _cut(
    tree: Float64[np.ndarray, "merge 4"], points: int, threshold: int | float
) -> Int64[np.ndarray, "item"]:
    """A label per point: the merges that cost at most the threshold, done.

    Ward's costs never fall along a branch, so these merges are whole subtrees; ``scipy``'s ``fcluster`` gives
    the same clusters after checks of the tree that cost as much as making it.
    """
    label = list(range(points + len(tree)))
    for number, (one, other, cost, _) in enumerate(tree.tolist()):
        if cost <= threshold:
            label[int(one)] = label[int(other)] = points + number
    for node in range(len(label) - 1, -1, -1):  # a merge has a larger number than what it merged
        label[node] = label[label[node]]
    return np.array(label[:points], dtype=np.int64)


def medoid_position(points: Float32[np.ndarray, "member dim"]) -> int:
    """The point with the least sum of squared distances to the others; the first of equals.

    For points of unit length it is the one most similar to their sum, which needs no pairs.

    Source: PinnerSage, section 4.3, eq. 2.
    """
    return int(np.argmax(points @ points.sum(axis=0)))


def _distances(points: Float32[np.ndarray, "item dim"]) -> Float64[np.ndarray, "pair"]:
    return pdist(points.astype(np.float64))
